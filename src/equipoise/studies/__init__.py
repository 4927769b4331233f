"""Studies: runs side by side, honest statistics over them, and what they teach."""

from equipoise.studies.comparing import DEFAULT_RECIPES, compare, open_study
from equipoise.studies.evaluating import evaluate
from equipoise.studies.label_preservation import held_out, label_safety, safety_words
from equipoise.studies.summary import Study, StudySummary

__all__ = [
    "DEFAULT_RECIPES",
    "Study",
    "StudySummary",
    "compare",
    "evaluate",
    "held_out",
    "label_safety",
    "open_study",
    "safety_words",
]

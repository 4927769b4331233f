"""Studies: runs side by side, honest statistics over them, and what they teach."""

from equipoise.studies.comparing import DEFAULT_RECIPES, Study, compare, open_study
from equipoise.studies.safety import held_out, label_safety, safety_words

__all__ = [
    "DEFAULT_RECIPES",
    "Study",
    "compare",
    "held_out",
    "label_safety",
    "open_study",
    "safety_words",
]

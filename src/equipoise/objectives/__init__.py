"""What a decision is tuned for and a study judged by: one figure, floors under others, costs.

An objective is read from words here and nowhere else, and passed on whole.
"""

from equipoise.objectives.objective import (
    DEFAULT,
    Objective,
    figure_is_share,
    figure_label,
    figure_text,
    within_sentence,
)
from equipoise.objectives.reading import ObjectiveLike, get_objective

__all__ = [
    "DEFAULT",
    "Objective",
    "ObjectiveLike",
    "figure_is_share",
    "figure_label",
    "figure_text",
    "get_objective",
    "within_sentence",
]

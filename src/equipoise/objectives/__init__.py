"""What a decision is tuned for and a study judged by: one figure, floors under others, costs.

An objective is read from words here and nowhere else, and passed on whole.
"""

from equipoise.objectives.objective import DEFAULT, Objective
from equipoise.objectives.reading import get_objective

__all__ = ["DEFAULT", "Objective", "get_objective"]

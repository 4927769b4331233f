"""Studies: runs side by side, honest statistics over them, and what they teach."""

from equipoise.studies.comparing import DEFAULT_RECIPES, Study, compare, open_study

__all__ = ["DEFAULT_RECIPES", "Study", "compare", "open_study"]

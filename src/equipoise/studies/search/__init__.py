"""Search: the best recipe for a data set within a time budget."""

from equipoise.studies.search.searching import Search, open_search, search

__all__ = ["Search", "open_search", "search"]

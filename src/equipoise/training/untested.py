"""What is said where the test split lacks a class."""

from collections.abc import Sequence

from equipoise.errors import printable

__all__ = ["untested_words"]

_NAMED = 10


def untested_words(untested: Sequence[str], classes: Sequence[str]) -> list[str]:
    """Return which classes are not tested, and which classes the figures are of; or nothing.

    Parameters
    ----------
    untested : sequence of str
        The classes without an image in the test split.
    classes : sequence of str
    """
    if not untested:
        return []
    tested = [name for name in classes if name not in untested]
    are = "it is" if len(untested) == 1 else "they are"
    over = f"{_names(tested)} alone" if len(tested) == 1 else f"the other {len(tested)} classes"
    ranks = " and there is no ROC-AUC or PR-AUC" if len(tested) == 1 else ""
    return [
        f"The test split has no image of {_names(untested)}, so {are} not tested: every figure is "
        f"over {over}{ranks}."
    ]


def _names(names: Sequence[str]) -> str:
    shown = [printable(name) for name in names[:_NAMED]]
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    *some, last = [*shown, *more]
    return f"{', '.join(some)} and {last}" if some else last

"""The page of a running study or search, written again as it goes on."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic

from equipoise.reports.page import report

__all__ = ["renewing"]

_REST = 20  # a page that took a second is followed by so many seconds without one
Told = Callable[..., None]  # of done, in all, and a remark on what is finished


def renewing(folder: Path, progress: Told) -> Told:
    """Return `progress`, after which the folder's page is written again where its remark is new.

    The machine is left to the training: pages take a twentieth of the time at most, and none is
    written when all is done, for the last one comes then anyway.
    """
    known, rested = "", 0.0

    def renew(done: int, total: int, remark: str) -> None:
        nonlocal known, rested
        progress(done, total, remark)
        began = monotonic()
        if remark == known or began < rested or done >= total:
            return
        known = remark
        report(folder)
        rested = monotonic() + _REST * (monotonic() - began)

    return renew

"""What `audit --deep` does beside the audit: the work with its progress, and what it prints."""

from pathlib import Path
from typing import TYPE_CHECKING

from equipoise.cli import show
from equipoise.errors import plural, printable, require

if TYPE_CHECKING:
    from equipoise.deep import DeepAudit
    from equipoise.images import Splits

__all__ = ["check_backbone", "look_deeply", "print_deep", "write_lists"]

_BACKBONE = "lite0"
_LISTED = 5


def check_backbone(name: str | None, *, deep: bool) -> str:
    """Return the backbone to look with; refuse one that there is not before data are read."""
    if not deep:
        require(name is None, "--deep where --backbone is given", backbone=name)
        return _BACKBONE
    from equipoise.backbones import get_backbone

    return get_backbone(name or _BACKBONE).name


def look_deeply(
    data: "Splits", backbone: str, seed: int, jobs: int | None, *, quiet: bool
) -> "DeepAudit":
    """Run the deep audit, with a bar."""
    from equipoise.deep import audit_deep

    with show.bar("looking", quiet) as move:
        return audit_deep(
            data,
            backbone=backbone,
            seed=seed,
            jobs=jobs,
            progress=lambda what, done, total: move(done, total, what),
        )


def write_lists(out: Path, found: "DeepAudit") -> list[Path]:
    """Write the lists that other commands take; return where they are."""
    from equipoise.deep import write_suspects

    write_suspects(out / "suspects.csv", found.suspects)
    return [out / "suspects.csv"]


def print_deep(found: "DeepAudit") -> None:
    """Print what a deep audit found."""
    rows = [
        (
            one.name,
            one.training,
            one.suspects if one.judged else "–",
            one.can_lose,
            one.training - one.suspects,
            one.held_out if one.judged else "–",
        )
        for one in found.classes
    ]
    heads = ("class", "training", "suspects", "can lose", "left", "suspects held out")
    show.grid(heads, rows)
    show.tell("", *found.notes)
    if not found.suspects:
        show.tell("No label looks wrong.", "")
        return
    show.say(f"{plural(len(found.suspects), 'label is', 'labels are')} probably wrong:")
    for one in found.suspects[:_LISTED]:
        name = printable(one.image)
        show.say(f"  {name} ({one.split}): {printable(one.label)}, or {printable(one.suggested)}?")
    if len(found.suspects) > _LISTED:
        show.say(f"  and {len(found.suspects) - _LISTED:,} more, in the list with --out")
    show.say("")

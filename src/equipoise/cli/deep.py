"""What `audit --deep` does beside the audit: the work with its progress, and what it prints."""

import shlex
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from equipoise.cli import show
from equipoise.cli.options import Cache
from equipoise.errors import plural, printable, require

if TYPE_CHECKING:
    from equipoise.deep import DeepAudit
    from equipoise.deep.forecast import Forecast
    from equipoise.images import Splits

__all__ = [
    "Deep",
    "before_dropping",
    "lists_as_options",
    "look_deeply",
    "print_deep",
    "write_lists",
]

_BACKBONE = "lite0"
_LISTED = 5
_DROP = "--drop-suspects"
_SUSPECTS, _GROUPS = "suspects.csv", "groups.csv"


@dataclass(frozen=True, kw_only=True)
class Deep:
    """Whether and how the pictures are looked at with a pretrained net."""

    deep: Annotated[
        bool,
        typer.Option(
            "--deep",
            help="Also look at the pictures with a pretrained net: probable label errors and what "
            "else spoils rare classes. Lists for other commands go to OUT.",
        ),
    ] = False
    backbone: Annotated[
        str | None, typer.Option(help="With --deep: the pretrained net, [bold]lite0[/bold].")
    ] = None
    jobs: Annotated[
        int | None, typer.Option(help="With --deep: threads of the net, by default one a core.")
    ] = None
    cache: Cache = None

    def net(self) -> str | None:
        """Return the backbone to look with, or None; refuse one that there is not."""
        if not self.deep:
            require(self.backbone is None, "--deep with --backbone", backbone=self.backbone)
            return None
        from equipoise.backbones import get_backbone

        require(self.jobs is None or self.jobs >= 1, "jobs >= 1", jobs=self.jobs)
        return get_backbone(self.backbone or _BACKBONE).name


def look_deeply(
    data: "Splits", backbone: str, seed: int, jobs: int | None, *, bare: bool
) -> "DeepAudit":
    """Run the deep audit, with a bar."""
    from equipoise.deep import audit_deep

    with show.bar("looking", bare) as move:
        return audit_deep(
            data,
            backbone=backbone,
            seed=seed,
            jobs=jobs,
            progress=lambda what, done, total: move(done, total, what),
        )


def write_lists(out: Path, found: "DeepAudit") -> list[Path]:
    """Write the lists that other commands take; return where they are."""
    from equipoise.deep import write_groups, write_suspects

    write_suspects(out / _SUSPECTS, found.suspects)
    write_groups(out / _GROUPS, found.twins)
    return [out / _SUSPECTS, out / _GROUPS]


def lists_as_options(out: Path, found: "DeepAudit", data: "Splits", given: str) -> str:
    """Return the options, after a space, that give the lists to the next command.

    `given` are those that it gets anyway: a list that was looked at is not replaced.
    """
    words = []
    if any(one.split == "train" for one in found.suspects) and _DROP not in given:
        words += [_DROP, str(out / _SUSPECTS)]
    if found.twins and not len(data.test) and "--groups" not in given:
        words += ["--groups", str(out / _GROUPS)]
    return f" {shlex.join(words)}" if words else ""


def before_dropping(lists: str) -> str:
    """Return what to do before the next command where the lists hold suspects."""
    return "look at the suspects, delete the rows whose label is right, then " * (_DROP in lists)


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
    _print_suspects(found)
    _print_twins(found)
    for kind, count in Counter(one.kind for one in found.oddities).items():
        first = next(one.image for one in found.oddities if one.kind == kind)
        show.say(f"Images that do not belong, {kind}: {count:,}, such as {printable(first)}")
    if found.overlaps:
        one = found.overlaps[0]
        names = " and ".join(map(printable, one.classes))
        shares = " and ".join(f"{share:.0%}" for share in one.shares)
        show.tell(f"The classes that are confused most: {names}, {shares} of their pictures")
    if found.shortcuts is not None:
        show.tell(found.shortcuts.sentence)
    _print_forecast(found.forecast)
    show.say("")


def _print_suspects(found: "DeepAudit") -> None:
    if not found.suspects:
        show.tell("No label looks wrong.")
        return
    show.say(f"{plural(len(found.suspects), 'label is', 'labels are')} probably wrong:")
    for one in found.suspects[:_LISTED]:
        name = printable(one.image)
        show.say(f"  {name} ({one.split}): {printable(one.label)}, or {printable(one.suggested)}?")
    if len(found.suspects) > _LISTED:
        show.say(f"  and {len(found.suspects) - _LISTED:,} more, in the list with --out")


def _print_twins(found: "DeepAudit") -> None:
    """Print how many groups of near duplicates there are: the largest, and those that leak."""
    if not found.twins:
        show.tell("No near duplicates by embedding.")
        return
    largest = max(found.twins, key=lambda one: len(one.images))
    groups = plural(len(found.twins), "group of near duplicates", "groups of near duplicates")
    across = sum(len(set(one.splits)) > 1 for one in found.twins)
    leaks = f", {across:,} of them in more than one split" if across else ""
    show.say(
        f"{groups} by embedding{leaks}; the largest has {len(largest.images):,} images: "
        f"{printable(largest.images[0])}, {printable(largest.images[1])}, …"
    )


def _print_forecast(forecast: "Forecast") -> None:
    """Print how well a study will know its figures: balanced accuracy, and the rarest class."""
    least = min(forecast.classes, key=lambda one: one.test)
    split = "a test split of a fifth" if forecast.cut else "the test split"
    show.tell(
        f"With {split} the recall of {printable(least.name)} "
        f"({plural(least.test, 'test picture')}) will be known to {least.low:.0%} … "
        f"{least.high:.0%} if it is {least.recall:.0%}"
        + (
            ""
            if forecast.half_width is None
            else f", and balanced accuracy to ±{100 * forecast.half_width:.1f} points"
        )
    )

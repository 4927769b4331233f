"""`audit` and `upsample`: commands about the data set itself."""

import shlex
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli import show
from equipoise.cli.deep import (
    Deep,
    before_dropping,
    lists_as_options,
    look_deeply,
    print_deep,
    write_lists,
)
from equipoise.cli.generating import sift_against
from equipoise.cli.options import Data, Output, Seed, Strategy, Workers
from equipoise.cli.selecting import as_given, selected, selects
from equipoise.errors import InputError, WorkError, plural, printable
from equipoise.selection import Selection
from equipoise.typed import names_of

if TYPE_CHECKING:
    from equipoise.auditing import Audit
    from equipoise.deep import DeepAudit
    from equipoise.images import Splits
    from equipoise.studies.label_preservation import Safety
    from equipoise.writers import Summary

__all__ = ["audit", "print_audit", "upsample"]

_LISTED = 10  # of what stands in more than one split
# Of each finding, how one is told and how several are.
_FINDINGS = {
    "duplicates": ("picture stands there more than once", "pictures stand there more than once"),
    "label_conflicts": (
        "picture stands under more than one class",
        "pictures stand under more than one class",
    ),
    "near_duplicates": ("set of near duplicates", "sets of near duplicates"),
    "blank": ("image is of one colour all over", "images are of one colour all over"),
    "tiny": ("image is tiny", "images are tiny"),
}
_ACROSS = {
    "leaks": ("picture stands in more than one split", "pictures stand in more than one split"),
    "straddling_groups": (
        "group stands in more than one split",
        "groups stand in more than one split",
    ),
    "near_leaks": (
        "set of near duplicates stands in more than one split",
        "sets of near duplicates stand in more than one split",
    ),
}
_NOTHING_HELD_OUT = (
    "No test split is held out: images stand beside their copies. A test split that equipoise cuts "
    "from them leaves the copies of its images out, as manifest.parquet names them; other programs "
    "do not. --test-fraction 0.2 holds a test split out first."
)


@selects(without=("size", "test_fraction", "validation_fraction"), cut=False)
def audit(
    data: Data,
    *,
    out: Annotated[Path | None, typer.Option(help="Also write audit.html and .json here.")] = None,
    near: Annotated[
        bool,
        typer.Option("--near", help="Also look for near duplicates, blank and tiny images."),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit with 1 if images, groups or (with --near or --deep) near duplicates leak "
            "across splits, or (with --against) an image falls.",
        ),
    ] = False,
    looking: Deep,
    against: Annotated[
        str | None,
        typer.Option(
            help="DATA are images from elsewhere: which of them may join the training of this data "
            "set? It is read as for a comparison."
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="A run without techniques: does it still know images after them?"),
    ] = None,
    techniques: Annotated[
        str, typer.Option(help="With --model: the techniques to try on its validation images.")
    ] = "crop,flip,noise",
    selection: Selection,
    seed: Seed = 0,
    output: Output,
) -> None:
    """What is in a data set: classes, ratio, sizes, broken files, duplicates, leaks.

    Nothing is cut: the splits are those that the data set has. With --against, images from
    elsewhere are held against a data set instead: near copies, what is not taken for its class, and
    what is far from it.

    equipoise audit photos/ --deep --out audit

    equipoise audit generated/ --against photos/ --out sieve
    """
    if against is not None:
        if near or looking.deep or model is not None:
            raise InputError(
                "--against looks at images from elsewhere: no --near, no --deep and no --model."
            )
        sift_against(data, against, selection, out=out, strict=strict, output=output)
        return
    from equipoise.auditing import audit as look
    from equipoise.readers import check_apart

    if out is not None:
        check_apart(out, data)
    net = looking.net()
    splits = selected(data, selection, quiet=output.quiet)
    found = look(splits, near=near)
    seen = None if net is None else look_deeply(splits, net, seed, looking.jobs, bare=output.bare)
    safety = None
    if model is not None:
        sized = selected(data, replace(selection, cut=True), quiet=True)
        safety = _safety(sized, model, names_of(techniques))
    fields = found.to_dict() | ({} if seen is None else {"deep": seen.to_dict()})
    written = [] if out is None else _write_audit(out, fields, splits, seen)
    if output.as_json:
        show.print_json(fields | ({} if safety is None else {"safety": _as_json(safety)}))
    elif not output.quiet:
        _print_all(found, seen, safety)
        if written:
            show.say(f"Written: {', '.join(map(str, written))}")
        again = as_given(data, selection)
        lists = "" if out is None or seen is None else lists_as_options(out, seen, splits, again)
        show.say(f"Next: {_next(fields, splits, again, lists)}")
    if strict:
        _refuse_leaks(data, fields)


def _write_audit(
    out: Path, fields: dict[str, Any], splits: "Splits", seen: "DeepAudit | None"
) -> list[Path]:
    """Write the audit's JSON, page and lists; return where they are."""
    from equipoise.files import write_json
    from equipoise.reports import audit_page

    page, data = out / "audit.html", out / "audit.json"
    write_json(data, fields)
    audit_page(fields, page, source=splits.source, notes=splits.notes, deep=seen)
    return [page, data, *([] if seen is None else write_lists(out, seen))]


def _print_all(found: "Audit", seen: "DeepAudit | None", safety: "Safety | None") -> None:
    print_audit(found)
    if seen is not None:
        print_deep(seen)
    if safety is not None:
        _print_safety(safety)


def _next(fields: dict[str, Any], splits: "Splits", data: str, lists: str) -> str:
    """Return what to do after an audit: nothing that would train on what is tested."""
    if any(_across(fields).values()):
        return "keep what stands in more than one split in one alone, and audit again"
    first, data = before_dropping(lists), data + lists
    if fields["near_duplicates"] and not len(splits.test) and "--groups" not in data:
        data += " --groups near"
    if len(splits.classes) < 2:
        return "add images of another class, for there is nothing to tell apart"
    counts = splits.validation.counts
    if counts.any() and not counts.all():
        return "give validation images of every class, or take that split away"
    # A set that was brought up already is for training: what measure helps, the originals tell.
    if any(part.copies is not None for part in splits.parts.values()):
        return f"{first}equipoise train {data} --recipe none --out model"
    return f"{first}equipoise compare {data} --out study"


def _safety(splits: "Splits", run: Path, techniques: list[str]) -> "Safety":
    """What techniques do to the images of each class, by a net that was trained without them."""
    from equipoise.studies import held_out, label_safety
    from equipoise.training import load_model

    return label_safety(load_model(run), held_out(splits, run), techniques)


def _as_json(safety: "Safety") -> dict[str, Any]:
    return {
        technique: {name: loss.model_dump() for name, loss in classes.items()}
        for technique, classes in safety.items()
    }


def _print_safety(safety: "Safety") -> None:
    from equipoise.studies import safety_words

    rows = [
        (technique, name, loss.images, f"{loss.lost:.0%}", loss.toward or "")
        for technique, classes in safety.items()
        for name, loss in classes.items()
        if loss.lost is not None
    ]
    heads = ("after", "class", "images known", "no longer known", "mostly taken for")
    show.grid(heads, rows, words=("class", "mostly taken for"))
    show.tell(
        "", *(safety_words(safety) or ["Every class stays known after these techniques."]), ""
    )


def _across(fields: dict[str, Any]) -> dict[str, list[Any]]:
    """Return what stands in more than one split, kind by kind; twins are near duplicates, too."""
    found = {key: fields[key] or [] for key in _ACROSS}
    twins = fields.get("deep", {}).get("twins", [])
    found["near_leaks"] = found["near_leaks"] or [t for t in twins if len(set(t["splits"])) > 1]
    return found


def _refuse_leaks(data: str, fields: dict[str, Any]) -> None:
    """End with what stands in more than one split, naming the first of each kind."""
    wrong = [
        f"{plural(len(some), *_ACROSS[key])}, such as {_such_as(some[0])}"
        for key, some in _across(fields).items()
        if some
    ]
    if wrong:
        raise WorkError(f"{data}: {'; '.join(wrong)}. Keep each in one split alone.")


def print_audit(found: "Audit") -> None:
    """Print an audit's table and its remarks."""
    fields = found.to_dict()
    heads = ("class", "training", "validation", "test")
    rows = [(c["name"], c["training"], c["validation"], c["test"]) for c in fields["classes"]]
    show.grid(heads, rows)
    show.say(
        "",
        f"{plural(fields['images'], 'image')}, imbalance ratio {fields['imbalance_ratio']:.1f}, "
        f"sizes {_counted(fields['sizes'])}, modes {_counted(fields['modes'])}",
    )
    if found.shapes is not None:
        show.tell(*filter(None, (found.shapes.line, *found.shapes.remarks)))
    for key, words in _FINDINGS.items():
        if fields[key]:
            show.say(f"{plural(len(fields[key]), *words)}, such as {_such_as(fields[key][0])}")
    for key, words in _ACROSS.items():
        if fields[key]:
            show.say(f"{plural(len(fields[key]), *words)}:")
            show.say(*(f"  {_such_as(item)}" for item in fields[key][:_LISTED]))
            if len(fields[key]) > _LISTED:
                show.say(f"  and {len(fields[key]) - _LISTED} more; --json names them all")
    show.say("")


def _counted(counts: dict[str, int]) -> str:
    most = sorted(counts, key=lambda key: -counts[key])
    more = f" and {len(most) - 3} more" if len(most) > 3 else ""
    return ", ".join(most[:3]) + more


def _such_as(item: Any) -> str:
    """Name a finding: a file, a file with the reason, a group, or images with their splits."""
    if isinstance(item, str):
        return printable(item)
    if "reason" in item:
        return f"{printable(item['name'])} ({item['reason']})"
    sign = " ≈ " if "distance" in item or "likeness" in item else " = "
    names = [
        f"{printable(name)} ({split})"
        for name, split in zip(item["images"], item["splits"], strict=True)
    ]
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return sign.join(names[:4]) + more


@selects(cut=False)
def upsample(
    data: Data,
    *,
    out: Annotated[Path | None, typer.Option(help="Folder: new, empty, or to go on with.")] = None,
    techniques: Annotated[
        str, typer.Option(help="What makes the copies; see [bold]equipoise techniques[/bold].")
    ] = "crop,flip,noise",
    strategy: Strategy = "auto",
    scope: Annotated[
        str, typer.Option(help="Augment the [bold]minority[/bold] alone, or all classes alike.")
    ] = "minority",
    recipe: Annotated[
        str | None, typer.Option(help="Take strategy, techniques and scope from this recipe.")
    ] = None,
    from_manifest: Annotated[
        Path | None, typer.Option(help="Make again the images that this manifest.parquet lists.")
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", help="folder, npz, parquet or webdataset.")
    ] = "folder",
    copies: Annotated[
        str, typer.Option(help="What copies are encoded as: png (nothing is lost), jpeg or webp.")
    ] = "png",
    quality: Annotated[int, typer.Option(help="Of JPEG and WebP copies, 1 to 100.")] = 90,
    link: Annotated[
        bool,
        typer.Option(
            "--link", help="In a folder: originals as hard links to DATA's files where it can be."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the counts; open no image, and write nothing.")
    ] = False,
    selection: Selection,
    workers: Workers,
    seed: Seed = 0,
    output: Output,
) -> None:
    """The balanced data set on disk: originals first, augmented copies of the rare classes.

    The splits are those that the data set has; --test-fraction and --validation-fraction cut others
    first. Only training is upsampled. Killed or interrupted, the same command goes on where it was
    and ends with the same bytes.

    equipoise upsample photos/ --techniques crop,flip --out balanced
    """
    from equipoise.planning import parse_strategy
    from equipoise.recipes import get_recipe
    from equipoise.writers import upsample as write

    if out is None and not dry_run:
        raise InputError("Where to is missing: give --out DIR, or --dry-run for the counts alone.")
    chosen = get_recipe(recipe) if recipe else None
    parsed = parse_strategy(strategy)
    selection = replace(selection, decode=not dry_run or from_manifest is not None)
    splits = selected(data, selection, quiet=output.quiet)
    with show.bar("writing", output.bare) as move:
        summary = write(
            splits,
            out,
            recipe=chosen,
            strategy=parsed,
            techniques=names_of(techniques),
            scope=scope,
            format=format_,
            copies=copies,
            quality=quality,
            link=link,
            seed=seed,
            **asdict(workers),
            dry_run=dry_run,
            from_manifest=from_manifest,
            progress=lambda done, total: move(done, total, "images"),
        )
    if output.as_json:
        show.print_json(summary.to_dict())
    elif not output.quiet:
        for one in summary.left_out[len(splits.left_out) :]:
            show.note(one.line)
        _print_upsampled(summary, dry_run)


def _print_upsampled(summary: "Summary", dry_run: bool) -> None:
    rows = [
        (split, name, before, summary.after[split][name])
        for split, counts in summary.before.items()
        if any(counts.values())
        for name, before in counts.items()
    ]
    show.grid(("split", "class", "before", "after"), rows, words=("class",))
    if not summary.copies:
        show.tell("", "No copies: every class has the images it is to have.")
    elif "test" not in summary.held_out:
        show.tell("", _NOTHING_HELD_OUT)
    if dry_run:
        show.say("Nothing is written, and a file that cannot be read is counted all the same.")
        show.say("Next: the same command with --out and no --dry-run")
    else:
        images = plural(summary.images, "image")
        show.say(f"Written: {images}, {summary.copies:,} of them copies, in {summary.out}")
        show.say(f"Next: equipoise audit {shlex.quote(summary.data)}")

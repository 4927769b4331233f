"""`generate`, and the sieve for images that others made."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from equipoise.cli import show
from equipoise.cli.options import Cache, Data, Out, Output, Seed, Strategy
from equipoise.cli.selecting import as_given, selected, selects
from equipoise.errors import WorkError, plural
from equipoise.selection import Selection

if TYPE_CHECKING:
    from equipoise.generating import Generated
    from equipoise.sifting import Sifted

__all__ = ["generate", "sift_against"]


@selects()
def generate(
    data: Data,
    out: Out,
    *,
    method: Annotated[
        str, typer.Option(help="[bold]deepsmote[/bold], for small images, or diffusion.")
    ] = "deepsmote",
    sampling_strategy: Strategy = "auto",
    steps: Annotated[
        int | None,
        typer.Option(help="Of deepsmote's training, or of a picture's diffusion."),
    ] = None,
    pipeline: Annotated[
        str | None,
        typer.Option(help="Of diffusion: a name on Hugging Face's hub, or a local folder."),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(help="Of diffusion: how far from the real image, above 0 up to 1."),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(help="Of diffusion: 'a photograph of a {name}', with the class's name."),
    ] = None,
    selection: Selection,
    device: Annotated[
        str,
        typer.Option(help="Where it computes: [bold]auto[/bold] (a GPU if any), cpu or cuda."),
    ] = "auto",
    cache: Cache = None,
    seed: Seed = 0,
    output: Output,
) -> None:
    """Images for the rare classes by a generative model, sifted: what a recipe's `extra` takes.

    The model sees the training split alone. Give the same DATA, --seed and options to the
    comparison, so that the splits are the same. Killed or interrupted, the same command goes on
    where it was.

    equipoise generate photos/ --method deepsmote --out generated
    """
    from equipoise.generating import generate as make
    from equipoise.generating import get_method
    from equipoise.planning import parse_strategy

    given = {"steps": steps, "pipeline": pipeline, "strength": strength, "prompt": prompt}
    spec = {method: {name: value for name, value in given.items() if value is not None}}
    get_method(spec)  # names are looked up before the data set is read: it may be large
    parsed = parse_strategy(sampling_strategy)
    splits = selected(data, selection, quiet=output.quiet)
    with show.bar("generating", output.bare) as move:
        made = make(
            splits,
            out,
            method=spec,
            sampling_strategy=parsed,
            seed=seed,
            device=device,
            progress=move,
        )
    _write_page(made, out)
    if output.as_json:
        show.print_json(made.to_dict())
    elif not output.quiet:
        _print_made(made, as_given(data, selection), out)


def _write_page(made: "Generated", out: Path) -> None:
    from equipoise.readers.manifests import SIEVE
    from equipoise.reports import sieve_page

    if not (out / SIEVE).is_file():
        sieve_page(made.sifted(), out / SIEVE, source=str(out), against=made.source)


def _print_made(made: "Generated", data: str, out: Path) -> None:
    _print_counts(made.counts, made.wanted)
    show.tell("", *made.notes)
    show.say(f"Written: {plural(made.kept, 'image')} in {out}; {out / 'sieve.html'}")
    if made.kept:
        recipe = shlex.quote(str(out / "generated.yaml"))
        show.say(f"Next: equipoise compare {data} --recipes none,{recipe} --out study")


def _print_counts(counts: dict[str, dict[str, int]], wanted: dict[str, int] | None = None) -> None:
    from equipoise.sifting import STEPS

    heads = ("class", *(["wanted"] if wanted else []), "images", *STEPS, "kept")
    rows = [
        (name, *([wanted[name]] if wanted else []), *(count[head] for head in heads[-5:]))
        for name, count in counts.items()
    ]
    show.grid(heads, rows)
    show.say("", *(f"{step}: {words}" for step, words in STEPS.items()))


def sift_against(
    folder: str,
    data: str,
    selection: Selection,
    *,
    out: Path | None,
    strict: bool,
    output: Output,
) -> None:
    """Hold the images of a folder against a data set; print what fell, and write it to `out`."""
    from equipoise.readers import check_apart
    from equipoise.sifting import sift

    if out is not None:
        check_apart(out, folder)
        check_apart(out, data)
    splits = selected(data, replace(selection, cut=True), quiet=output.quiet)
    with show.bar("embedding", output.bare) as move:
        found = sift(folder, splits, progress=lambda done, total: move(done, total, "images"))
    written = [] if out is None else _write_sifted(found, out, folder, data)
    if output.as_json:
        show.print_json(found.to_dict())
    elif not output.quiet:
        _print_counts(found.counts())
        show.tell("", *found.notes)
        show.say(*(f"Written: {path}" for path in written))
    if strict and not found.kept.all():
        fell = plural(int((~found.kept).sum()), "image")
        raise WorkError(f"{folder}: {fell} fell at the sieve. --json names them.")


def _write_sifted(found: "Sifted", out: Path, folder: str, data: str) -> list[Path]:
    from equipoise.files import write_json
    from equipoise.readers.manifests import SIEVE
    from equipoise.reports import sieve_page

    write_json(out / "sieve.json", found.to_dict())
    sieve_page(found, out / SIEVE, source=folder, against=data)
    return [out / SIEVE, out / "sieve.json"]

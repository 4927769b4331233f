"""`recipes`, `techniques` and `cache`: what there is."""

from typing import Annotated, Any

import typer

from equipoise.cli import show
from equipoise.cli.options import Cache, Json, Output
from equipoise.cli.selecting import selects

__all__ = ["cache", "recipes", "techniques"]


def recipes(as_json: Json = False) -> None:
    """The named recipes, each with the fields that are not at their default.

    equipoise recipes
    """
    from equipoise.recipes import NAMED, SUMMARIES

    if as_json:
        show.print_json({name: recipe.model_dump(mode="json") for name, recipe in NAMED.items()})
        return
    rows = [
        (name, _fields(recipe.model_dump(mode="json", exclude_defaults=True)), SUMMARIES[name])
        for name, recipe in NAMED.items()
    ]
    show.grid(("recipe", "fields", "what it does"), rows, words=("fields", "what it does"))
    show.say("", "Next: equipoise compare DATA --recipes none,article,balanced --out study")


def _fields(fields: dict[str, Any]) -> str:
    return ", ".join(f"{key}: {_cell(of)}" for key, of in fields.items() if key != "name") or "–"


def _cell(value: object) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def techniques(as_json: Json = False) -> None:
    """The augmentation techniques, each with its parameters and ranges.

    equipoise techniques
    """
    from equipoise.techniques import CATALOGUE

    if as_json:
        show.print_json(
            {
                t.name: {
                    "family": t.family,
                    "summary": t.summary,
                    "parameters": [
                        {
                            k: getattr(p, k)
                            for k in ("name", "default", "low", "high", "unit", "doc")
                        }
                        for p in t.parameters
                    ],
                }
                for t in CATALOGUE.values()
            }
        )
        return
    rows = [
        (t.name, t.family, p.name, p.default, f"{p.low} … {p.high}", p.unit, t.summary)
        if p is t.parameters[0]
        else ("", "", p.name, p.default, f"{p.low} … {p.high}", p.unit, "")
        for t in CATALOGUE.values()
        for p in t.parameters
    ]
    heads = ("technique", "family", "parameter", "default", "range", "unit", "what it does")
    words = ("family", "parameter", "unit", "what it does")
    show.grid(heads, rows, words=words, spare=("family", "unit"))
    show.say("", "Next: equipoise upsample DATA --techniques crop,flip,noise --out balanced")


@selects()
def cache(
    *,
    clear: Annotated[bool, typer.Option("--clear", help="Delete what is kept.")] = False,
    cache: Cache = None,
    output: Output,
) -> None:
    """Where the activations of pretrained nets are kept, and how much room they take.

    They are computed again when they are needed, so clearing costs time alone.

    equipoise cache --clear
    """
    from equipoise.backbones import ActivationCache

    kept = ActivationCache()
    freed = kept.clear() if clear else 0
    size, most = kept.size(), kept.most_bytes
    if output.as_json:
        told = {"folder": str(kept.folder), "bytes": size, "most_bytes": most, "freed": freed}
        show.print_json(told)
    elif not output.quiet:
        if clear:
            show.say(f"Deleted: {freed / 1e6:,.1f} MB")
        show.say(f"{kept.folder}: {size / 1e6:,.1f} MB of at most {most / 1e6:,.0f} MB")

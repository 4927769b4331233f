"""`recipes` and `techniques`: what there is."""

from equipoise.cli import show
from equipoise.cli.options import Json

__all__ = ["recipes", "techniques"]


def recipes(as_json: Json = False) -> None:
    """The named recipes, each with its fields."""
    from equipoise.recipes import NAMED

    fields = {name: recipe.model_dump(mode="json") for name, recipe in NAMED.items()}
    if as_json:
        show.print_json(fields)
        return
    heads = [key for key in fields["none"] if key != "name"]
    rows = [(name, *(_cell(of[key]) for key in heads)) for name, of in fields.items()]
    show.grid(("recipe", *heads), rows)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def techniques(as_json: Json = False) -> None:
    """The augmentation techniques, each with its parameters and ranges."""
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
        for t in CATALOGUE.values()
        for p in t.parameters
    ]
    show.grid(
        ("technique", "family", "parameter", "default", "range", "unit", "what it does"), rows
    )

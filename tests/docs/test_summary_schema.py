"""The schema of summary.json in the documentation is that of the types, and of the files."""

import json
from pathlib import Path

from equipoise.studies import evaluate

DOCS = Path(__file__).parents[2] / "docs"


def test_the_schema_is_up_to_date(docs_script):
    script = docs_script("make_schema")
    told = "run python docs/make_schema.py"
    assert script.FILE.read_text("utf-8") == script.schema(), told


def test_a_summary_has_the_fields_of_the_schema():
    schema = json.loads((DOCS / "reference" / "summary.schema.json").read_text("utf-8"))
    runs = [(recipe, seed) for recipe in ("a", "b") for seed in range(2)]
    table = {
        "recipe": [recipe for recipe, _ in runs for _ in range(4)],
        "seed": [seed for _, seed in runs for _ in range(4)],
        "split": ["test"] * 16,
        "id": list(range(4)) * 4,
        "label": [0, 1, 0, 1] * 4,
        "p_0": [0.8, 0.3, 0.6, 0.7] * 4,
        "p_1": [0.2, 0.7, 0.4, 0.3] * 4,
    }
    found = json.loads(evaluate(table).summary.model_dump_json())
    assert set(found) == set(schema["properties"])
    for name, of in found["table"][0].items():
        assert name in schema["$defs"]["RecipeFigures"]["properties"], of

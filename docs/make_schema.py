"""Writes the JSON schema of summary.json from the types themselves.

Run it as ``python docs/make_schema.py`` whenever `equipoise.studies.summary` has changed.
"""

import json
from pathlib import Path

from equipoise.studies import StudySummary

FILE = Path(__file__).parent / "reference" / "summary.schema.json"


def schema() -> str:
    """Return the schema as the file holds it."""
    found = StudySummary.model_json_schema(mode="serialization")
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(schema(), "utf-8")

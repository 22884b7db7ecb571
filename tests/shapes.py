"""The JSON Schemas of docs/reference/schemas/, and what deviates from them."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs

SCHEMAS = Path(__file__).parents[1] / "docs" / "reference" / "schemas"


def schema(name: str) -> dict[str, Any]:
    return json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))


def deviations(name: str, document: object) -> list[str]:
    """What of a document is not as the schema of that name says."""
    return [str(error) for error in jsonschema_rs.validator_for(schema(name)).iter_errors(document)]

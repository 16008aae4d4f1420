"""A structured answer asked for in words, and found in words."""

from __future__ import annotations

import json
import re

from smithers.agents.base import Turn
from smithers.model.step import JSON

_OBJECT = re.compile(r'\{\s*["}]')


def asked(turn: Turn) -> str:
    """Write the prompt, and after it the schema that the answer has to fit, if there is one."""
    if turn.schema is None:
        return turn.prompt
    schema = json.dumps(turn.schema, ensure_ascii=False)
    return (
        f"{turn.prompt}\n\n"
        "When all is done, end with one JSON object that fits this JSON schema, and nothing after "
        f"it:\n{schema}\n"
    )


def last_object(text: str) -> JSON:
    """Find the last JSON object that stands in a text of words, or None."""
    decoder = json.JSONDecoder()
    found: JSON = None
    start = _OBJECT.search(text)
    while start:
        try:
            found, end = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            end = start.start() + 1
        start = _OBJECT.search(text, end)
    return found


def strict(schema: JSON) -> JSON:
    """The schema as the provider takes it: every field required, none unnamed, no defaults."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    fields = schema.get("properties")
    if not isinstance(fields, dict):
        return {key: strict(value) for key, value in schema.items() if key != "default"}
    rest = {k: strict(v) for k, v in schema.items() if k not in {"properties", "default"}}
    known: dict[str, JSON] = {name: strict(field) for name, field in fields.items()}
    shut: dict[str, JSON] = {"additionalProperties": False, "required": [*known]}
    return {**rest, "properties": known, **shut}

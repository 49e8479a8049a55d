"""The JSON Schema of the settings, for editors. ``config/ringback.schema.json`` is its stored form."""

from __future__ import annotations

from typing import Any

from ari_app.settings.document import Document


def json_schema() -> dict[str, Any]:
    """Draft 2020-12. Short forms of the YAML are in it, and ``include``, which the reader takes before the types see it."""
    schema = Document.model_json_schema()
    schema["properties"]["include"] = {
        "type": "array",
        "items": {"type": "string"},
        "description": "More files, relative to this one, merged section by section; a key may stand only once.",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Ringback's settings",
        "description": "ringback.yaml and all that it includes; `ringback check` says more than a schema can.",
    }

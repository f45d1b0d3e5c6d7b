"""The JSON schema of the configuration, for editors: python -m s3o.config.schema FILE.

Generated from the models and committed; a test asserts that it is fresh. The text is
stable: keys in the models' order, two spaces, one final newline.
"""

import json
import sys

from s3o.config.readers import DURATION_PATTERN, render_duration
from s3o.config.settings import Settings

SCHEMA_FILE = "schema/config.schema.json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def render_schema() -> str:
    """Return the schema's text."""
    schema = Settings.model_json_schema(mode="validation")
    for model in ("S3BackendSettings", "DirectoryBackendSettings"):
        # A backend without a name is called backend-N; only the loader knows N.
        schema["$defs"][model]["required"].remove("name")
    for part in (schema, *schema["$defs"].values()):
        part.pop("title", None)
        for key in part["properties"].values():
            _tidy(key)
    whole = {"$schema": _DIALECT, "title": "s3-orchestrator configuration", **schema}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _tidy(key: dict[str, object]) -> None:
    """Say defaults as people write them; drop titles that only repeat the key."""
    key.pop("title", None)
    default = key.get("default")
    if default is None or isinstance(default, dict):
        key.pop("default", None)
    elif isinstance(default, float) and DURATION_PATTERN in str(key.get("pattern")):
        key["default"] = render_duration(default)


if __name__ == "__main__":
    with open(sys.argv[1] if len(sys.argv) > 1 else SCHEMA_FILE, "w") as file:
        file.write(render_schema())

"""Kinds of fields that the sections are made of, and the base of every section.

A kind is a reader (s3o/config/readers) with its bounds and its JSON schema. Every kind
reads for itself, so that nothing depends on pydantic's idea of what converts to what.
"""

from collections.abc import Iterator
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from s3o.config.problems import Fault
from s3o.config.readers import (
    DURATION_PATTERN,
    INT_MAX,
    read_address,
    read_duration,
    read_fraction,
    read_http_url,
    read_optional_address,
    read_optional_secret,
    read_optional_text,
    read_secret,
    read_size,
    read_some_text,
    read_switch,
    read_text,
    read_url_path,
    read_whole,
    render_duration,
)
from s3o.config.secret import Secret

_VARIABLE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"}


class Section(BaseModel):
    """Base of all sections: frozen, no unknown keys, no value in a message."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
        use_attribute_docstrings=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: object) -> object:
        # `key:` with nothing behind it says nothing: the default holds.
        if not isinstance(data, dict):
            return data
        known = cls.model_fields
        return {k: v for k, v in data.items() if v is not None or k not in known}

    def faults(self) -> Iterator[Fault]:
        """Yield what is wrong between this section's own fields."""
        return iter(())


def _or_variable(schema: dict[str, object]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [schema, _VARIABLE]})


# ---- the kinds that fields name


def _redact(secret: Secret | None) -> str | None:
    return None if secret is None else str(secret)


_redacted = PlainSerializer(_redact, return_type=str | None)
_as_go_duration = PlainSerializer(render_duration, return_type=str, when_used="json")
_duration_schema = WithJsonSchema(
    {
        "type": ["string", "integer"],
        "pattern": f"^(0|{DURATION_PATTERN})$|{_VARIABLE['pattern']}",
        "minimum": 0,
        "maximum": 0,
    }
)
text_schema = WithJsonSchema({"type": ["string", "number"]})


def _not_negative(seconds: float) -> float:
    if seconds < 0:
        raise ValueError("must not be negative")
    return seconds


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError("must be positive")
    return seconds


Choice = BeforeValidator(read_text)  # before a Literal of words
Text = Annotated[str, BeforeValidator(read_some_text), text_schema]
FreeText = Annotated[str, BeforeValidator(read_text), text_schema]
OptionalText = Annotated[str | None, BeforeValidator(read_optional_text), text_schema]
SecretText = Annotated[Secret, BeforeValidator(read_secret), _redacted, text_schema]
OptionalSecret = Annotated[
    Secret | None, BeforeValidator(read_optional_secret), _redacted, text_schema
]
Switch = Annotated[
    bool, BeforeValidator(read_switch), _or_variable({"type": "boolean"})
]
Whole = Annotated[
    int,
    BeforeValidator(read_whole),
    Field(ge=0, le=INT_MAX),
    _or_variable({"type": "integer", "minimum": 0}),
]
Count = Annotated[
    int,
    BeforeValidator(read_whole),
    Field(ge=1, le=INT_MAX),
    _or_variable({"type": "integer", "minimum": 1}),
]
Port = Annotated[
    int,
    BeforeValidator(read_whole),
    Field(ge=1, le=65_535),
    _or_variable({"type": "integer", "minimum": 1, "maximum": 65_535}),
]
Fraction = Annotated[
    float, BeforeValidator(read_fraction), _or_variable({"type": "number"})
]
Duration = Annotated[
    float,
    BeforeValidator(read_duration),
    AfterValidator(_positive),
    _as_go_duration,
    _duration_schema,
]
OptionalDuration = Annotated[
    float,
    BeforeValidator(read_duration),
    AfterValidator(_not_negative),
    _as_go_duration,
    _duration_schema,
]
Size = Annotated[
    int,
    BeforeValidator(read_size),
    Field(ge=1, le=INT_MAX),
    WithJsonSchema({"type": ["integer", "string"]}),
]
HttpUrl = Annotated[str, BeforeValidator(read_http_url), text_schema]
Address = Annotated[str, BeforeValidator(read_address), text_schema]
OptionalAddress = Annotated[
    str | None, BeforeValidator(read_optional_address), text_schema
]
UrlPath = Annotated[str, BeforeValidator(read_url_path), text_schema]

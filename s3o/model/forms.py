"""What the policy of a browser's form demands; read by wire, judged by policy."""

from dataclasses import dataclass


def fold_name(name: str) -> str:
    """Return a field's name as it is compared: ASCII ignores case.

    Other scripts are left alone: lower() makes a k of the Kelvin sign.
    """
    return name.lower() if name.isascii() else name


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldCondition:
    """One field must have a value, or begin with one; field is folded."""

    field: str
    value: str
    is_prefix: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeCondition:
    """The file's size in bytes lies within, both ends included."""

    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PostPolicy:
    """One policy document."""

    expires_at_us: int
    fields: tuple[FieldCondition, ...]
    sizes: tuple[SizeCondition, ...]

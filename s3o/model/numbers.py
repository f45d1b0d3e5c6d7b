"""The one parser of integers that somebody else wrote.

Python's int() takes underscores, signs, blanks and other scripts' digits; a request
that means one number here and another one elsewhere is an attack. Every number from a
client or a provider goes through parse_uint (tests/house forbids bare int() there).
"""

import re

_DIGITS = re.compile(rb"[0-9]{1,20}", re.ASCII)


def parse_uint(text: str | bytes, low: int = 0, high: int = (1 << 63) - 1) -> int:
    """Return the decimal number in text, or raise ValueError.

    Accepts ASCII digits only (leading zeros allowed, at most 20 digits) and a value
    within low..high, both included.
    """
    raw = text.encode("utf-8", "replace") if isinstance(text, str) else text
    if not _DIGITS.fullmatch(raw):
        raise ValueError("not a decimal number")
    value = int(raw)
    if not low <= value <= high:
        raise ValueError(f"not within {low}..{high}")
    return value

"""The keys a configuration may have, read off the models.

A path here has "*" for any entry of a list. Suggestions, the JSON schema's test and the
example's test all walk the same keys.
"""

import difflib
from collections.abc import Iterator
from functools import cache
from typing import get_args

from s3o.config.kinds import Section
from s3o.config.problems import Path, render_path
from s3o.config.settings import Settings


def sections_in(annotation: object) -> Iterator[type[Section]]:
    """Yield the sections that a field's annotation names, however deep inside."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from sections_in(argument)


def is_list(annotation: object) -> bool:
    """Whether a field holds a list."""
    return getattr(annotation, "__origin__", None) is tuple


def known_keys(section: type[Section], at: Path = ()) -> Iterator[Path]:
    """Yield the path of every key of section, sections before what is in them."""
    for name, field in section.model_fields.items():
        yield (*at, name)
        below = (*at, name, "*") if is_list(field.annotation) else (*at, name)
        for inner in sections_in(field.annotation):
            yield from known_keys(inner, below)


@cache
def all_keys() -> tuple[Path, ...]:
    """Return the path of every documented key, in the models' order."""
    return tuple(dict.fromkeys(known_keys(Settings)))


def suggest_key(path: Path) -> str | None:
    """Return what the unknown key at path was probably meant to be."""
    general = tuple("*" if isinstance(step, int) else step for step in path)
    *above, wrong = general
    siblings = {str(key[-1]): key for key in all_keys() if key[:-1] == tuple(above)}
    word = str(wrong)[:64]
    close = difflib.get_close_matches(word.lower(), siblings, n=1, cutoff=0.6)
    if close:
        return close[0]
    elsewhere = [key for key in all_keys() if key[-1] == word and "*" not in key]
    return render_path(elsewhere[0]) if elsewhere else None


def suggest_word(word: str, allowed: str) -> str | None:
    """Return which of the quoted words in allowed was probably meant."""
    words = allowed.split("'")[1::2]
    close = difflib.get_close_matches(word.lower(), words, n=1, cutoff=0.5)
    return close[0] if close else None

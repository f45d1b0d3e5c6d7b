"""One id per request or background pass, in everything that is said about it.

The id travels in a context variable, so that no function has to pass it on; trio gives
each task the context of its parent.
"""

import re
from contextvars import ContextVar

from s3o.model.limits import REQUEST_ID_BYTES
from s3o.model.seams import Entropy

request_id: ContextVar[str] = ContextVar("request_id", default="")

_ACCEPTED = re.compile(rf"[0-9A-Za-z._-]{{1,{REQUEST_ID_BYTES}}}", re.ASCII)


def new_request_id(entropy: Entropy) -> str:
    """Return 32 fresh hex digits."""
    return entropy.token(16).hex()


def choose_request_id(sent: str | None, entropy: Entropy) -> str:
    """Return the id a client sent if it is harmless in headers and logs, or a new one.

    Harmless: at most 64 letters, digits, dots, dashes and underscores.
    """
    if sent is not None and _ACCEPTED.fullmatch(sent):
        return sent
    return new_request_id(entropy)

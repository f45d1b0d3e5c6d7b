"""The gate: authentication joined to the exchange whose body it alone may read."""

from collections.abc import Callable
from dataclasses import dataclass

from s3o.model.seams import Clock, DigestedSource
from s3o.model.values import ChecksumAlgorithm
from s3o.net.exchange import Exchange
from s3o.s3api.authenticate import authenticate
from s3o.s3api.body import open_body, read_document
from s3o.s3api.credentials import Caller, CredentialBook
from s3o.s3api.forms import FormAdmission, admit_form
from s3o.s3api.payload import Authenticated
from s3o.wire.target import Target


@dataclass(frozen=True, slots=True)
class Admission:
    """One authenticated request (an s3api.seams.Admitted)."""

    exchange: Exchange
    authenticated: Authenticated

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return self.authenticated.caller

    def open_source(self, algorithm: ChecksumAlgorithm | None = None) -> DigestedSource:
        """Return the body as an object's or part's bytes; nothing is read yet."""
        return open_body(self.exchange, self.authenticated.body, algorithm=algorithm)

    async def read_document(
        self, limit_bytes: int, *, is_checksummed: bool = True
    ) -> bytes:
        """Return the whole body, verified."""
        return await read_document(
            self.exchange,
            self.authenticated.body,
            limit_bytes,
            is_checksummed=is_checksummed,
        )


class CredentialGate:
    """Lets in who is in the credential book of this moment (an s3api.seams.Gate)."""

    def __init__(self, clock: Clock, book: Callable[[], CredentialBook]) -> None:
        self._clock = clock
        self._book = book

    def admit(self, exchange: Exchange, target: Target) -> Admission:
        """Return who asks; raises AuthError and what a payload mode breaks."""
        return Admission(
            exchange,
            authenticate(exchange.head, target, self._book(), self._clock.now_us()),
        )

    async def admit_form(self, exchange: Exchange, target: Target) -> FormAdmission:
        """Return who signed a form and what it asks, once its policy allows it."""
        return await admit_form(exchange, target, self._book(), self._clock.now_us())

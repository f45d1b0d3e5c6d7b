"""Why an action of the admin API was not carried out."""

from collections.abc import Mapping
from typing import TypeAlias

from s3o.model.values import Pairs

Document: TypeAlias = Mapping[str, object]


class Refused(Exception):
    """status is HTTP's; document is the answer's body and names the reason."""

    def __init__(
        self, status: int, reason: str, *, headers: Pairs = (), **details: object
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers
        self.document: Document = {"error": reason, **details}

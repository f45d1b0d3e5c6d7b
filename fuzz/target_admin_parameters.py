"""Fuzz the admin API's reader of parameters: query and JSON body.

The first line is the query, the rest the body. Whatever comes, the answer is values of
the declared kinds or a refusal that is a client's fault (400); nothing else is raised.
"""

from s3o.admin.action import Action, Given, Kind, Parameter, Place, Value
from s3o.admin.desk import Desk
from s3o.admin.parameters import read_parameters
from s3o.admin.refusal import Document, Refused
from s3o.model.limits import ADMIN_IDS

TYPES = {Kind.TEXT: str, Kind.COUNT: int, Kind.FLAG: bool, Kind.IDS: tuple}


async def nothing(_desk: Desk, _given: Given) -> Document:
    """Never runs."""
    return {}


PARAMETERS = tuple(
    Parameter(name=f"{place.value}_{kind.value}", kind=kind, place=place)
    for place in (Place.QUERY, Place.BODY)
    for kind in Kind
)
ACTION = Action(
    name="Fuzz",
    method="POST",
    path="/fuzz",
    summary="",
    run=nothing,
    parameters=PARAMETERS,
)
KINDS = {parameter.name: parameter.kind for parameter in PARAMETERS}


def one(data: bytes) -> None:
    """Check one input; raises AssertionError where a rule is broken."""
    query, _, body = data.partition(b"\n")
    if not all(33 <= byte <= 126 for byte in query):
        return  # no head has such a target
    found = _read(query.decode("ascii"), body)
    if isinstance(found, Refused):
        assert found.status == 400
        assert found.document["error"]
        return
    for name, value in found.items():
        assert type(value) is TYPES[KINDS[name]]
        if isinstance(value, tuple):
            assert all(type(item) is int and item > 0 for item in value)
            assert name.startswith("query") or len(value) <= ADMIN_IDS


def _read(query: str, body: bytes) -> dict[str, Value] | Refused:
    try:
        return read_parameters(ACTION, {}, query, body)
    except Refused as refusal:
        return refusal

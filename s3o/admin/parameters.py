"""Read the parameters of a call: strictly, and saying which one is wrong.

Nothing is guessed: an unknown name, a name given twice, a member of JSON that stands
there twice and a body nobody asked for are refused.
"""

import json
from collections.abc import Iterable, Mapping
from typing import NoReturn

from s3o.admin.action import Action, Kind, Parameter, Place, Value
from s3o.admin.refusal import Refused
from s3o.model.errors import InvalidUri
from s3o.model.limits import ADMIN_IDS
from s3o.model.numbers import parse_uint
from s3o.wire.target import parse_query

_HIGHEST_ID = (1 << 63) - 1
_FLAGS = {"": True, "true": True, "false": False}


def read_parameters(
    action: Action, segments: Mapping[str, str], query: str, body: bytes
) -> dict[str, Value]:
    """Return the values of one call by name. Raises Refused (400)."""
    known = {place: _named(action, place) for place in Place}
    values: dict[str, Value] = {}
    for name, text in segments.items():
        values[name] = _of_text(known[Place.PATH][name], text)
    for name, text in _query_pairs(query):
        parameter = _find(known[Place.QUERY], name)
        if name in values:
            raise Refused(400, f"{name}: given twice")
        values[name] = _of_text(parameter, text)
    for name, member in _members(body, bool(known[Place.BODY])).items():
        values[name] = _of_json(_find(known[Place.BODY], name), member)
    for parameter in action.parameters:
        if parameter.is_required and values.get(parameter.name) in (None, "", ()):
            raise Refused(400, f"{parameter.name} parameter is required")
    return values


def _named(action: Action, place: Place) -> dict[str, Parameter]:
    return {one.name: one for one in action.parameters if one.place is place}


def _find(known: Mapping[str, Parameter], name: str) -> Parameter:
    if name not in known:
        names = ", ".join(known) or "none"
        raise Refused(400, f"unknown parameter {name[:64]!r}; known here: {names}")
    return known[name]


def _query_pairs(query: str) -> Iterable[tuple[str, str]]:
    try:
        return parse_query(query).pairs
    except InvalidUri as error:
        raise Refused(400, f"the query is malformed: {error}") from None


def _of_text(parameter: Parameter, text: str) -> Value:
    match parameter.kind:
        case Kind.TEXT:
            return text
        case Kind.COUNT:
            return _count(parameter, text)
        case Kind.FLAG:
            if text not in _FLAGS:
                raise Refused(400, f"{parameter.name}: must be true or false")
            return _FLAGS[text]
        case Kind.IDS:
            return tuple(_id(parameter, item) for item in text.split(","))


def _of_json(parameter: Parameter, member: object) -> Value:
    name = parameter.name
    match parameter.kind:
        case Kind.TEXT:
            if isinstance(member, str):
                return member
            raise Refused(400, f"{name}: must be text")
        case Kind.COUNT:
            if type(member) is int:
                return _count(parameter, str(member))
            raise Refused(400, f"{name}: must be a whole number")
        case Kind.FLAG:
            if isinstance(member, bool):
                return member
            raise Refused(400, f"{name}: must be true or false")
        case Kind.IDS:
            return _ids(parameter, member)


def _ids(parameter: Parameter, member: object) -> tuple[int, ...]:
    if not isinstance(member, list) or len(member) > ADMIN_IDS:
        raise Refused(
            400, f"{parameter.name}: must be a list of at most {ADMIN_IDS} numbers"
        )
    if not all(type(item) is int for item in member):
        raise Refused(400, f"{parameter.name}: must be whole numbers")
    return tuple(_id(parameter, str(item)) for item in member)


def _id(parameter: Parameter, text: str) -> int:
    try:
        return parse_uint(text, 1, _HIGHEST_ID)
    except ValueError as error:
        raise Refused(400, f"{parameter.name}: {error}") from None


def _count(parameter: Parameter, text: str) -> int:
    try:
        return parse_uint(text, parameter.low, parameter.high)
    except ValueError as error:
        raise Refused(400, f"{parameter.name}: {error}") from None


def _members(body: bytes, is_wanted: bool) -> Mapping[str, object]:
    if not body:
        return {}
    if not is_wanted:
        raise Refused(400, "this action takes no body")
    try:
        document: object = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_once,
            parse_constant=_refuse_constant,
            parse_float=_refuse_constant,
        )
    except RecursionError:
        raise Refused(400, "invalid JSON body: nested too deeply") from None
    except ValueError as error:
        raise Refused(400, f"invalid JSON body: {error}") from None
    if not isinstance(document, dict):
        raise Refused(400, "invalid JSON body: not an object")
    return document


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member stands there twice")
    return members


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text[:32]} is no whole number")

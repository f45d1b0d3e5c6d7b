"""Fuzz the heads of backends' answers: what we accept, h11 reads alike.

A hostile or broken provider writes them. Whatever our reader takes must mean the same
to h11: status, fields, how long the body is, and whether the connection goes on.
"""

import sys

import h11

from s3o.net.client_errors import BadAnswer
from s3o.net.client_head import AnswerHead, body_length, parse_head


def one(data: bytes) -> None:
    """Check one input; raises AssertionError on a disagreement."""
    for is_head in (False, True):
        try:
            head = parse_head(data)
            length = body_length(head, is_head=is_head)
        except BadAnswer:
            continue
        if head.status == 101:
            continue  # the connection refuses it, for we never ask to switch
        _compare(data, head, length, "HEAD" if is_head else "GET")


def _compare(data: bytes, head: AnswerHead, length: int | None, method: str) -> None:
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    request = h11.Request(method=method, target="/", headers=[("host", "x")])
    parser.send(request)
    parser.send(h11.EndOfMessage())
    parser.receive_data(data)
    event = parser.next_event()
    assert isinstance(event, h11.Response | h11.InformationalResponse)
    assert event.status_code == head.status, "h11 reads another status"
    fields: dict[str, str] = {}
    for raw_name, raw_value in event.headers:
        name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
        fields[name] = f"{fields[name]},{value}" if name in fields else value
    expected = dict(head.fields)
    if "transfer-encoding" in expected:
        expected["transfer-encoding"] = expected["transfer-encoding"].lower()
    assert fields == expected, "h11 reads other fields"
    if isinstance(event, h11.InformationalResponse):
        return
    event = parser.next_event()
    if length == 0:
        assert isinstance(event, h11.EndOfMessage), "h11 expects a body"
        if "upgrade" not in fields:
            is_over = parser.their_state is h11.MUST_CLOSE
            assert head.is_last == is_over, "connection goes on otherwise"
    else:
        assert event is h11.NEED_DATA, "h11 expects no body"


if __name__ == "__main__":
    import atheris

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()

"""Connections: many requests, one after another, and a clean end."""

from tests.net.listening import Listening, read_answers

GET = b"GET /photos/cat.jpg HTTP/1.1\r\nHost: s3.test\r\n\r\n"
PUT = b"PUT /photos/dog.jpg HTTP/1.1\r\nHost: s3.test\r\nContent-Length: 4\r\n\r\nwoof"


async def test_requests_share_one_connection():
    """Opening a connection costs a client more than its request."""
    listening = Listening()
    answer = await listening.talk(GET, PUT, GET)

    assert [
        (200, b"GET /photos/cat.jpg 0"),
        (200, b"PUT /photos/dog.jpg 4"),
        (200, b"GET /photos/cat.jpg 0"),
    ] == read_answers(answer, "GET", "PUT", "GET")
    assert [] == listening.crashes

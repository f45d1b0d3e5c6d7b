"""What can go wrong between this process and an HTTP server.

    ClientError
    +-- ConnectFailed      no connection; nothing was sent
    +-- NoConnectionFree   every connection is in use; nothing was sent
    +-- ConnectionBroke    the peer left in mid-exchange
    +-- Stalled            no progress for the time allowed
    +-- BadAnswer          bytes that are no HTTP answer we accept

Foreign exceptions (OSError, httpcore's) become these where they arise; whoever speaks
a protocol on top (S3, Vault) translates them once into its own errors. After the last
three a request may have had an effect.
"""


class ClientError(Exception):
    """One exchange failed; str() says why."""


class ConnectFailed(ClientError):
    """No connection could be made; nothing was sent."""


class NoConnectionFree(ClientError):
    """All connections stayed in use for as long as the caller waits; nothing sent."""


class ConnectionBroke(ClientError):
    """The connection ended before the answer did.

    is_stale: it had served an earlier exchange and gave not one byte of this answer,
    so most likely the server closed it while it was idle.
    """

    def __init__(self, reason: str, *, is_stale: bool = False) -> None:
        super().__init__(reason)
        self.is_stale = is_stale


class Stalled(ClientError):
    """No progress within the time allowed."""


class BadAnswer(ClientError):
    """An answer that breaks HTTP/1.1, contradicts itself or exceeds our limits."""

"""What one S3 backend is told: where its bucket is, and how to be let in.

With a virtual host the bucket is part of the host name, otherwise of the path. An
endpoint is scheme, host and port; anything behind them would have to be signed in ways
providers disagree about, so it is refused.
"""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from s3o.backends.profiles import Profile, choose_profile
from s3o.model.names import BackendName, ProfileName
from s3o.net.client import Origin

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Address:
    """Where a bucket is: the Host header, and the paths of bucket and objects."""

    host: str
    bucket: str
    bucket_path: str
    object_root: str  # what stands before a key


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Settings:
    """One backend's settings.

    is_payload_unsigned: bodies may go unsigned; None: over TLS only.
    profile: None: by the endpoint's host.
    """

    name: BackendName
    endpoint: str
    bucket: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str = "us-east-1"
    is_path_style: bool = False
    is_payload_unsigned: bool | None = None
    profile: ProfileName | None = None

    @property
    def origin(self) -> Origin:
        """Where connections go; raises ValueError for an endpoint that is no origin."""
        parts = urlsplit(self.endpoint)
        if (
            parts.scheme not in _PORTS
            or not parts.hostname
            or parts.username is not None
            or parts.path not in ("", "/")
            or parts.query
            or parts.fragment
        ):
            raise ValueError("an endpoint is http(s)://host or http(s)://host:port")
        host = parts.hostname
        return Origin(
            host=host if self.is_path_style else f"{self.bucket}.{host}",
            port=parts.port or _PORTS[parts.scheme],
            is_tls=parts.scheme == "https",
        )

    @property
    def address(self) -> S3Address:
        """How requests name the bucket."""
        origin = self.origin
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        if origin.port != _PORTS["https" if origin.is_tls else "http"]:
            host = f"{host}:{origin.port}"
        if self.is_path_style:
            return S3Address(
                host=host,
                bucket=self.bucket,
                bucket_path=f"/{self.bucket}",
                object_root=f"/{self.bucket}/",
            )
        return S3Address(
            host=host, bucket=self.bucket, bucket_path="/", object_root="/"
        )

    @property
    def may_send_unsigned(self) -> bool:
        """Whether bodies may go unsigned."""
        if self.is_payload_unsigned is None:
            return self.origin.is_tls
        return self.is_payload_unsigned

    @property
    def chosen_profile(self) -> Profile:
        """The provider's ways."""
        return choose_profile(urlsplit(self.endpoint).hostname or "", self.profile)

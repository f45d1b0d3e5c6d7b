"""Section `backends`: the stores behind the endpoint, in routing order."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Tag

from s3o.config.kinds import (
    Choice,
    HttpUrl,
    SecretText,
    Section,
    Switch,
    Text,
    Whole,
    text_schema,
)
from s3o.config.problems import Fault
from s3o.config.readers import read_optional_text, read_some_text
from s3o.model.names import BackendName, ProfileName, parse_backend_name

_BACKEND_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{1,254}", re.ASCII)


def _read_backend_name(value: object) -> BackendName:
    return parse_backend_name(read_some_text(value))


def _check_backend_bucket(text: str) -> str:
    if not _BACKEND_BUCKET.fullmatch(text):
        raise ValueError("must be the name of a bucket on the backend")
    return text


class BackendLimits(Section):
    """What both types of backends have in common: a name and limits."""

    name: Annotated[BackendName, BeforeValidator(_read_backend_name), text_schema]
    """Name in metrics, logs and the ledger; without it, backend-N by position."""
    quota_bytes: Whole = 0
    """Most bytes held on it; 0 is no limit."""
    max_object_size: Whole = 0
    """Larger objects go elsewhere; 0 is no limit."""
    api_request_limit: Whole = 0
    """Requests a month; 0 is no limit."""
    egress_byte_limit: Whole = 0
    """Bytes read from it a month; 0 is no limit."""
    ingress_byte_limit: Whole = 0
    """Bytes written to it a month; 0 is no limit."""


class S3BackendSettings(BackendLimits):
    """A bucket at an S3-compatible provider."""

    type: Annotated[Literal["s3"], Choice] = "s3"
    """Kind of backend."""
    endpoint: HttpUrl
    """The provider's URL."""
    region: Text = "us-east-1"
    """Region that requests are signed for."""
    bucket: Annotated[Text, AfterValidator(_check_backend_bucket)]
    """The bucket there; its content belongs to this service."""
    access_key_id: Text
    """Access key at the provider."""
    secret_access_key: SecretText
    """Its secret."""
    force_path_style: Switch = False
    """Put the bucket into the path instead of the host name."""
    unsigned_payload: Switch | None = None
    """Do not sign bodies; without it, so over https and not over http."""
    disable_checksum: Switch = False
    """Send no checksum headers to providers that refuse them."""
    strip_sdk_headers: Switch = False
    """Accepted and without effect: our client sends no SDK headers."""
    profile: Annotated[ProfileName | None, BeforeValidator(read_optional_text)] = None
    """Provider preset that overrides what is known of the endpoint."""

    @property
    def is_payload_unsigned(self) -> bool:
        """Whether bodies go unsigned: as said, else over TLS only."""
        if self.unsigned_payload is None:
            return self.endpoint.startswith("https:")
        return self.unsigned_payload


class DirectoryBackendSettings(BackendLimits):
    """A directory of this machine."""

    type: Annotated[Literal["directory"], Choice]
    """Kind of backend."""
    path: Text
    """The directory; it is made when it is absent."""


def _backend_type(value: object) -> str:
    if isinstance(value, dict):
        return str(value.get("type") or "s3")
    return str(getattr(value, "type", "s3"))


BackendSettings = S3BackendSettings | DirectoryBackendSettings
AnyBackend = Annotated[
    Annotated[S3BackendSettings, Tag("s3")]
    | Annotated[DirectoryBackendSettings, Tag("directory")],
    Discriminator(_backend_type),
]


def read_backend(data: object, position: int) -> BackendSettings | Fault:
    """Return one entry of the list, named by its position if it has no name.

    Raises pydantic's ValidationError; an unknown type is the only fault returned.
    """
    if not isinstance(data, dict):
        return S3BackendSettings.model_validate(data)
    named = {"name": f"backend-{position}"} | {
        key: value
        for key, value in data.items()
        if key not in ("name", "type") or value is not None
    }
    match _backend_type(named):
        case "s3":
            return S3BackendSettings.model_validate(named)
        case "directory":
            return DirectoryBackendSettings.model_validate(named)
    return Fault(("type",), "must be 's3' or 'directory'")


def backend_faults(backends: Mapping[int, BackendSettings]) -> Iterator[Fault]:
    """Yield names and directories that are used twice."""
    names: set[str] = set()
    folders: set[str] = set()
    for position, backend in backends.items():
        if backend.name in names:
            yield Fault((position, "name"), f"duplicate backend name '{backend.name}'")
        names.add(backend.name)
        if isinstance(backend, DirectoryBackendSettings):
            folder = backend.path.rstrip("/")
            if folder in folders:
                yield Fault((position, "path"), "another backend has this directory")
            folders.add(folder)

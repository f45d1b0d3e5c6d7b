"""Section `encryption`: the master key and where it comes from."""

import base64
import binascii
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from s3o.config.kinds import (
    Duration,
    HttpUrl,
    OptionalSecret,
    OptionalText,
    SecretText,
    Section,
    Switch,
    Text,
    Whole,
)
from s3o.config.problems import Fault
from s3o.config.secret import Secret

KEY_BYTES = 32


class VaultSettings(Section):
    """A key in Vault's Transit engine."""

    address: HttpUrl
    """Vault's URL."""
    token: OptionalSecret = None
    """A token that is renewed while it is used."""
    token_file: OptionalText = None
    """A file with the token, read again from time to time."""
    key_name: Text
    """Name of the Transit key."""
    mount_path: Text = "transit"
    """Where the engine is mounted."""
    ca_cert: OptionalText = None
    """CA certificate in PEM that Vault's own is checked with."""
    renew_interval: Duration = 300.0
    """Time between renewals of the token."""

    def faults(self) -> Iterator[Fault]:
        """One token."""
        if (self.token is None) == (self.token_file is None):
            yield Fault((), "exactly one of token or token_file is required")


class EncryptionSettings(Section):
    """Encryption of what is stored on backends."""

    enabled: Switch = False
    """Encrypt new objects."""
    chunk_size: Annotated[Whole, Field(ge=4096, le=1 << 20)] = 65_536
    """Plaintext bytes of one frame; a power of two."""
    master_key: OptionalSecret = None
    """The master key: 32 bytes in base64."""
    master_key_file: OptionalText = None
    """A file of exactly 32 bytes, the master key."""
    vault: VaultSettings | None = None
    """The master key in Vault."""
    previous_keys: tuple[SecretText, ...] = ()
    """Earlier master keys in base64; they only unwrap."""

    def faults(self) -> Iterator[Fault]:
        """One source of keys, and keys of the right length."""
        if self.chunk_size & (self.chunk_size - 1):
            yield Fault(("chunk_size",), "must be a power of two")
        sources = (self.master_key, self.master_key_file, self.vault)
        count = sum(source is not None for source in sources)
        if count > 1 or (self.enabled and not count):
            yield Fault(
                (), "exactly one of master_key, master_key_file or vault is required"
            )
        if self.master_key is not None and not _is_key(self.master_key):
            yield Fault(("master_key",), "must be 32 bytes in base64")
        for position, key in enumerate(self.previous_keys):
            if not _is_key(key):
                yield Fault(("previous_keys", position), "must be 32 bytes in base64")


def _is_key(secret: Secret) -> bool:
    try:
        return len(base64.b64decode(secret.reveal(), validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False

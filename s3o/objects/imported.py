"""The headers of imported objects: fetched from their backend once, when first needed.

An import costs no call per object; so its version has no content type until a client
asks for it by name. What the backend then tells is hearsay: only short, plain values
are taken, within the bounds that a client's own headers have. While the backend does
not answer, nobody knows the headers, and the answer is 503, not a guess.

Source: data model, "Imported".
"""

import re
from dataclasses import replace
from functools import partial

from s3o.backends.fleet import Fleet
from s3o.ledger.copy_rows import BlobIdentity
from s3o.ledger.imports import NOT_FETCHED, put_imported_facts
from s3o.ledger.ledger import Ledger
from s3o.ledger.objects import find_object
from s3o.model.errors import BackendError, BackendsFailed
from s3o.model.limits import CONTENT_ENCODING_BYTES, USER_METADATA_BYTES
from s3o.model.values import (
    BlobInfo,
    Location,
    ObjectFacts,
    ObjectVersion,
    Pairs,
    StoredObject,
)

OPERATION = "HeadObject"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+", re.ASCII)
_RECORD = re.compile(r"s3o[0-9]*|s3o-(key|encoding)[0-9]*", re.ASCII)


def lacks_headers(version: ObjectVersion) -> bool:
    """Whether nobody has asked the backend for the version's headers yet."""
    return version.facts.content_type == NOT_FETCHED


class ImportedHeaders:
    """Completes imported versions. Owns: nothing."""

    def __init__(self, ledger: Ledger, fleet: Fleet) -> None:
        self._ledger = ledger
        self._fleet = fleet

    async def describe(self, of: BlobIdentity) -> None:
        """Fetch what is not known yet of a version whose bytes are to be copied.

        They may leave the backend that tells it. Raises what fetch raises.
        """
        stored = await self._ledger.read(
            partial(find_object, bucket_id=of.bucket_id, key=of.key)
        )
        if (
            stored is not None
            and stored.version.version_id == of.version_id
            and lacks_headers(stored.version)
        ):
            await self.fetch(stored)

    async def fetch(self, stored: StoredObject) -> ObjectVersion:
        """Return stored's version with its headers, which are written down.

        Raises BackendsFailed when the imported bytes' backend does not tell, or has
        other bytes by now; LedgerError.
        """
        version, failures = stored.version, list[str]()
        assert lacks_headers(version)
        for place in stored.locations:
            if not place.is_imported:
                continue
            try:
                facts = facts_of(await self._ask(place))
            except BackendError as error:
                failures.append(f"{place.backend}: {error}")
                continue
            await self._ledger.write(
                partial(
                    put_imported_facts,
                    bucket_id=version.bucket_id,
                    key=version.key,
                    version_id=version.version_id,
                    facts=facts,
                )
            )
            return replace(version, facts=replace(facts, tags=version.facts.tags))
        if not failures:
            # Its bytes have moved on without anybody having asked for the headers.
            return replace(
                version,
                facts=replace(version.facts, content_type=ObjectFacts().content_type),
            )
        raise BackendsFailed(OPERATION, tuple(failures))

    async def _ask(self, place: Location) -> BlobInfo:
        backend = self._fleet.find(place.backend)
        if backend is None:
            raise BackendError(place.backend, OPERATION, "it is not configured")
        info = await backend.head(place.storage_key)
        is_other = place.backend_etag and info.etag != place.backend_etag
        if info.stored_bytes != place.stored_bytes or is_other:
            raise BackendError(place.backend, OPERATION, "not the imported bytes")
        return info


def facts_of(info: BlobInfo) -> ObjectFacts:
    """Return what of a backend's answer describes an object, within our bounds."""
    metadata: list[tuple[str, str]] = []
    room = USER_METADATA_BYTES
    for name, value in sorted(info.headers.items()):
        size = len(name) + len(value)
        if not _NAME.fullmatch(name) or _RECORD.fullmatch(name) or size > room:
            continue
        metadata.append((name, value))
        room -= size
    return ObjectFacts(
        content_type=info.content_type or ObjectFacts().content_type,
        headers=_headers_of(info),
        metadata=tuple(metadata),
    )


def _headers_of(info: BlobInfo) -> Pairs:
    return tuple(
        (name, value)
        for name, value in info.standard
        if name != "content-encoding" or len(value) <= CONTENT_ENCODING_BYTES
    )

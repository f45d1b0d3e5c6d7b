"""Copies of blobs, imported ones among them: their headers are fetched first.

A copy travels with its version's headers, and after a move, or a drain, nobody is left
who could tell those of an import that no client has asked for yet.
"""

from collections.abc import Collection, Sequence

from s3o.ledger.copies import CopyOutcome
from s3o.ledger.copy_rows import BlobIdentity
from s3o.model.names import BackendName
from s3o.model.values import Location
from s3o.objects.blob_copies import BlobCopier
from s3o.objects.imported import ImportedHeaders


class DescribingBlobCopier(BlobCopier):
    """A BlobCopier for every version."""

    async def copy(
        self,
        of: BlobIdentity,
        sources: Sequence[Location],
        target: BackendName,
        *,
        reason: str,
        takes_from: BackendName | None = None,
        factor: int = 1,
        counted: Collection[BackendName] | None = None,
        verify: bool = True,
    ) -> CopyOutcome:
        """Give target a copy; see BlobCopier.copy."""
        if any(place.is_imported for place in sources):
            await ImportedHeaders(self._ledger, self._fleet).describe(of)
        return await super().copy(
            of,
            sources,
            target,
            reason=reason,
            takes_from=takes_from,
            factor=factor,
            counted=counted,
            verify=verify,
        )

"""Multipart uploads of a house, as the door asks for them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from s3o.model.multipart import Manifest, Part, Upload
from s3o.model.names import ObjectKey
from s3o.model.seams import DigestedSource
from s3o.model.values import ManifestPart, ObjectFacts, WriteConditions
from s3o.objects.upload_completion import CompleteCall, Completed
from s3o.objects.upload_parts import PartCall
from s3o.objects.uploads import CreateCall
from tests.fakes.sources import BytesSource
from tests.objects.house import KEY, House


@dataclass
class Uploading:
    """One upload, and the ETags of its parts so far."""

    house: House
    key: ObjectKey = KEY
    upload_id: str = ""
    etags: dict[int, str] = field(default_factory=dict)

    async def create(self) -> Upload:
        """Begin it."""
        upload = await self.house.store.uploads.create(
            CreateCall(
                bucket=self.house.bucket,
                key=self.key,
                facts=ObjectFacts(),
                checksum_algorithm=None,
                checksum_type=None,
                initiator="somebody",
            )
        )
        self.upload_id = upload.upload_id
        return upload

    async def find(self) -> Upload:
        """Look it up."""
        return await self.house.store.uploads.find(
            self.house.bucket, self.key, self.upload_id
        )

    async def part(self, number: int, body: bytes | DigestedSource) -> Part:
        """Send a part."""
        source = BytesSource(body) if isinstance(body, bytes) else body
        part = await self.house.store.uploads.store_part(
            PartCall(
                bucket=self.house.bucket,
                upload=await self.find(),
                number=number,
                source=source,
            )
        )
        self.etags[number] = part.etag
        return part

    async def parts(self, bodies: Sequence[bytes]) -> list[Part]:
        """Send parts 1, 2, ..."""
        return [await self.part(number, body) for number, body in enumerate(bodies, 1)]

    def call(self, conditions: WriteConditions | None = None) -> CompleteCall:
        """A Complete of all parts sent."""
        listed = [
            ManifestPart(number=number, etag=etag)
            for number, etag in sorted(self.etags.items())
        ]
        return CompleteCall(
            bucket=self.house.bucket,
            key=self.key,
            upload_id=self.upload_id,
            manifest=Manifest(parts=tuple(listed)),
            conditions=conditions or WriteConditions(),
        )

    async def complete(self, conditions: WriteConditions | None = None) -> Completed:
        """Make the object."""
        begun = await self.house.store.uploads.begin_complete(self.call(conditions))
        if isinstance(begun, Completed):
            return begun
        return await self.house.store.uploads.finish_complete(begun)

    async def abort(self) -> None:
        """Give it up."""
        await self.house.store.uploads.abort(
            self.house.bucket, self.key, self.upload_id
        )

"""What every engine promises to the steps, and what the steps promise to everybody."""

from s3o.ledger.deletes import delete_object
from s3o.ledger.objects import find_object
from s3o.model.names import ObjectKey
from s3o.model.values import ObjectFacts, WriteConditions
from tests.ledger.house import ONE, Writer


async def test_a_committed_object_is_found_whole(writer: Writer) -> None:
    """HEAD and GET answer from this row alone; a lost header is a lost header."""
    facts = ObjectFacts(
        content_type="image/jpeg",
        headers=(("cache-control", "no-store"),),
        metadata=(("colour", "grün"), ("a", "b")),
        tags=(("x", "y"),),
        storage_class="STANDARD_IA",
    )
    intent = writer.intent("cat.jpg", 10, facts=facts)
    opened = await writer.open(intent)
    committed = await writer.commit(intent.storage_key)

    found = await writer.engine.read(
        lambda tx: find_object(tx, writer.bucket.id, ObjectKey("cat.jpg"))
    )

    assert ONE == opened.backend
    assert found is not None
    assert committed.version == found.version
    assert facts == found.version.facts
    assert [(ONE, intent.storage_key, 38)] == [
        (at.backend, at.storage_key, at.stored_bytes) for at in found.locations
    ]


async def test_a_deleted_object_is_gone(writer: Writer) -> None:
    """DELETE then GET is 404."""
    await writer.put("cat.jpg")
    existed = await writer.engine.write(
        lambda tx: delete_object(
            tx, writer.bucket, ObjectKey("cat.jpg"), WriteConditions(), writer.now_us
        )
    )
    found = await writer.engine.read(
        lambda tx: find_object(tx, writer.bucket.id, ObjectKey("cat.jpg"))
    )

    assert existed
    assert found is None

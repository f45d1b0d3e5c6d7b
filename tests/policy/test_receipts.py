"""What is concluded from a backend's answer to a write."""

import pytest

from s3o.model.errors import BlobDamaged
from s3o.model.values import PutReceipt
from s3o.policy.receipts import NOT_THE_SOURCE, check_receipt

MD5, OTHER = "0" * 32, "1" * 32


def check(receipt: PutReceipt, md5: str | None) -> bool:
    """Check the answer to a copy."""
    return check_receipt(
        receipt,
        md5,
        backend="one",
        operation="CopyObject",
        storage_key="b/k",
        reason=NOT_THE_SOURCE,
    )


def test_an_equal_md5_proves_the_bytes() -> None:
    """Nobody has to read them back."""
    assert check(PutReceipt(etag=MD5, etag_is_md5=True), MD5)


@pytest.mark.parametrize("etag", [MD5, OTHER, ""])
def test_an_etag_of_another_kind_proves_nothing(etag: str) -> None:
    """Neither that the bytes are right, nor that they are wrong."""
    assert not check(PutReceipt(etag=etag), MD5)


@pytest.mark.parametrize("etag", [MD5, ""])
def test_nothing_is_proved_without_a_digest(etag: str) -> None:
    """Of a joined upload nobody knows the MD5."""
    assert not check(PutReceipt(etag=etag, etag_is_md5=True), None)


@pytest.mark.parametrize("etag", [OTHER, ""])
def test_another_md5_is_damage(etag: str) -> None:
    """Told with all that an operator needs to find the blob."""
    with pytest.raises(BlobDamaged) as damaged:
        check(PutReceipt(etag=etag, etag_is_md5=True), MD5)

    error = damaged.value
    assert (error.backend, error.operation) == ("one", "CopyObject")
    assert (error.storage_key, error.reason) == ("b/k", NOT_THE_SOURCE)

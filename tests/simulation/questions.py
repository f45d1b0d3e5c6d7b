"""Everything else that a client of one bucket asks: see witness for what is kept.

Functions over a witness, so that the witness stays what remembers and judges.
"""

import hashlib
import math
import re
from collections.abc import Sequence
from html import unescape
from urllib.parse import quote

import trio

from tests.s3api.forms import form_headers, make_form, make_policy, sign_v4
from tests.simulation.client import PHOTOS, Answered, Client, Tenant
from tests.simulation.history import ABSENT
from tests.simulation.witness import (
    ENTRY,
    LABEL,
    PATIENCE_S,
    REFUSALS,
    When,
    Witness,
    md5_of,
)

TOKEN = re.compile(r"<NextContinuationToken>(.*?)</NextContinuationToken>")
UPLOAD_ID = re.compile(r"<UploadId>(.*?)</UploadId>")
ETAG = re.compile(r"<ETag>(?:&quot;|\")([\w-]+)(?:&quot;|\")</ETag>")
PART_SIZES = (1000, 1001, 20_000, 60_000)
TRIES = 3


async def head(
    witness: Witness, client: Client, who: str, key: str, patience_s: float = PATIENCE_S
) -> None:
    """HEAD: what GET would say, without the bytes."""
    began = trio.current_time()
    answer = await witness.ask(client, "HEAD", witness.path(key), patience_s)
    if answer is None or answer.status >= 500:
        return
    value = ABSENT
    if answer.status == 200:
        etag = answer.headers["etag"].strip('"')
        value = witness.values.get(etag, etag)
        witness.check_head(f"HEAD {key}", answer, value)
        size = int(answer.headers["content-length"])
        is_whole = size == len(witness.bodies.get(value, b"?" * (size + 1)))
        witness.expect(is_whole, f"HEAD {key}: {size} bytes of {value}")
    else:
        witness.expect(answer.status == 404, f"HEAD {key}: {answer.status}")
    witness.saw(key, value, began, f"{who} HEAD")


async def get_range(
    witness: Witness,
    client: Client,
    who: str,
    key: str,
    interval: tuple[int, int],
    patience_s: float = PATIENCE_S,
) -> None:
    """GET of some bytes; interval: first and last position, as in Range."""
    began, (first, last) = trio.current_time(), interval
    answer = await witness.ask(
        client,
        "GET",
        witness.path(key),
        patience_s,
        headers=(("range", f"bytes={first}-{last}"),),
    )
    if answer is None or answer.status >= 500 or answer.status == 416:
        return
    value = ABSENT
    if answer.status == 206:
        etag = answer.headers["etag"].strip('"')
        value = witness.values.get(etag, etag)
        witness.check_head(f"GET {key} {interval}", answer, value)
        body = witness.bodies.get(value, b"")
        is_right = answer.body == body[first : last + 1]
        witness.expect(is_right, f"GET {key} {interval}: other bytes than {value}'s")
    else:
        is_absent = answer.status == 404 and b"NoSuchKey" in answer.body
        witness.expect(is_absent, f"GET {key} {interval}: {answer}")
    witness.saw(key, value, began, f"{who} GET {first}-{last}")


async def list_pages(witness: Witness, client: Client, who: str, per_page: int) -> None:
    """List page by page; each page is a read of the keys in its range."""
    keys = sorted(witness.keys, key=str.encode)
    after, token = "", ""
    for _ in range(len(keys) + 1):
        began = trio.current_time()
        query = (
            *((("continuation-token", token),) if token else ()),
            ("list-type", "2"),
            ("max-keys", str(per_page)),
        )
        answer = await witness.ask(
            client, "GET", f"/{witness.tenant.bucket}", PATIENCE_S, query=query
        )
        if answer is None or answer.status >= 500:
            return
        text = answer.body.decode()
        listed = [unescape(key) for key, _ in ENTRY.findall(text)]
        found = TOKEN.search(text)
        last = listed[-1] if found and listed else "\U0010ffff"
        covered = [
            key for key in keys if after.encode() < key.encode() <= last.encode()
        ]
        witness.saw_listed(answer, covered, began, f"{who} LIST page")
        if not found:
            return
        after, token = last, unescape(found[1])
    witness.expect(False, "LIST: the pages do not end")


async def copy(
    witness: Witness,
    client: Client,
    who: str,
    source: str,
    key: str,
    patience_s: float = PATIENCE_S,
) -> Answered | None:
    """CopyObject: a read of source and a write of key, of the same value."""
    one = witness.begin(key, "unknown", f"{who} COPY of {source}")
    one.copy_of = source
    answer = await witness.ask(
        client,
        "PUT",
        witness.path(key),
        patience_s,
        one,
        headers=(("x-amz-copy-source", quote(witness.path(source))),),
    )
    if answer is not None and answer.status == 404:
        is_absent = b"NoSuchKey" in answer.body
        witness.expect(is_absent, f"COPY of {source}: {answer}")
        witness.histories[key].remove(one)
        witness.saw(source, ABSENT, one.began, f"{who} COPY to {key}")
        return answer
    if answer is not None and answer.status == 200:
        found = ETAG.search(answer.body.decode())
        etag = found[1] if found else "no ETag"
        witness.expect(etag in witness.values, f"COPY of {source}: ETag {etag}")
        one.value, one.copy_of = witness.values.get(etag, etag), None
        witness.saw(source, one.value, one.began, f"{who} COPY to {key}")
    witness.settle(key, one, answer)
    return answer


async def post(
    witness: Witness, client: Client, who: str, key: str, body: bytes
) -> Answered | None:
    """PostObject, as a browser's form."""
    assert witness.tenant is PHOTOS, "the policy is theirs"
    one = witness.begin(key, witness.knows(body), f"{who} POST")
    label = witness.label(one.value)
    policy = make_policy(["starts-with", "$key", ""], ["starts-with", f"${LABEL}", ""])
    answer = await witness.ask(
        client,
        "POST",
        f"/{witness.tenant.bucket}",
        PATIENCE_S,
        one,
        body=make_form([("key", key), label, *sign_v4(policy)], body),
        headers=tuple(form_headers().items()),
        is_signed=False,
    )
    witness.settle(key, one, answer)
    return answer


async def upload(
    witness: Witness,
    client: Client,
    who: str,
    key: str,
    parts: Sequence[bytes],
    *,
    when: When | None = None,
    is_aborted: bool = False,
    stray: bytes = b"",
    pause_s: float = 0.0,
) -> Answered | None:
    """A multipart upload. stray: sent as part 1 first, and then replaced."""
    digests = b"".join(bytes.fromhex(md5_of(part)) for part in parts)
    joined = hashlib.md5(digests, usedforsecurity=False).hexdigest()
    value = witness.knows(b"".join(parts), f"{joined}-{len(parts)}")
    path = witness.path(key)
    answer = await witness.ask(
        client,
        "POST",
        path,
        PATIENCE_S,
        query=(("uploads", ""),),
        headers=(witness.label(value),),
    )
    found = UPLOAD_ID.search(answer.body.decode()) if answer is not None else None
    if answer is None or answer.status != 200 or found is None:
        return answer
    upload_id = ("uploadId", found[1])
    if stray:
        await _send_part(witness, client, path, upload_id, 1, stray)
    for number, part in enumerate(parts, 1):
        await trio.sleep(pause_s)
        for _ in range(TRIES):
            sent = await _send_part(witness, client, path, upload_id, number, part)
            if sent is not None and sent.status in (200, 507):
                break
            await trio.sleep(5)
        if sent is None or sent.status != 200:
            is_aborted = True  # no room, or the providers are down: give up
            break
    if is_aborted:
        return await witness.ask(client, "DELETE", path, PATIENCE_S, query=(upload_id,))
    return await complete(witness, client, who, key, upload_id, parts, value, when)


async def _send_part(
    witness: Witness,
    client: Client,
    path: str,
    upload_id: tuple[str, str],
    number: int,
    part: bytes,
) -> Answered | None:
    query = (("partNumber", str(number)), upload_id)
    return await witness.ask(client, "PUT", path, PATIENCE_S, query=query, body=part)


async def complete(
    witness: Witness,
    client: Client,
    who: str,
    key: str,
    upload_id: tuple[str, str],
    parts: Sequence[bytes],
    value: str,
    when: When | None,
) -> Answered | None:
    """Complete, and again while nobody knows whether it was."""
    manifest = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{md5_of(part)}</ETag></Part>"
        for number, part in enumerate(parts, 1)
    )
    document = f"<CompleteMultipartUpload>{manifest}</CompleteMultipartUpload>"
    one = witness.begin(key, value, f"{who} COMPLETE", when)
    answer, tries = None, 0
    while tries < TRIES:
        tries += 1
        is_repeated = one.was_sent
        one.lost = math.inf  # it is asked for once more
        answer = await witness.ask(
            client,
            "POST",
            witness.path(key),
            PATIENCE_S,
            one,
            query=(upload_id,),
            headers=(when.header,) if when else (),
            body=document.encode(),
        )
        if answer is not None and (answer.status < 500 or answer.status == 507):
            break
        await trio.sleep(10)
    if answer is not None and answer.status == 404:
        # A completion that nobody knows of may have been; else it never was.
        if tries == 1:
            witness.histories[key].remove(one)
        return answer
    if is_repeated and answer is not None and answer.status in REFUSALS:
        return answer  # refused this time; what was asked before may still come true
    witness.settle(key, one, answer)
    return answer


async def trespass(
    witness: Witness, client: Client, key: str, other: Tenant, body: bytes, how: str
) -> None:
    """Ask for another tenant's object; nothing but a refusal is right."""
    path, headers = f"/{other.bucket}/{key}", ()
    if how == "COPY":
        path, headers = witness.path(key), (("x-amz-copy-source", quote(path)),)
    method = "PUT" if how == "COPY" else how
    answer = await witness.ask(
        client,
        method,
        path,
        PATIENCE_S,
        headers=headers,
        body=body if how == "PUT" else b"",
    )
    if answer is not None and answer.status < 500:
        witness.expect(answer.status == 403, f"{how} of another's {key}: {answer}")

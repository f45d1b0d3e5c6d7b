"""aws-chunked framing as clients do it, written apart from the product's encoder."""

import hashlib


def frame_chunks(form, chunks, signer, trailer=None, line_end=b"\r\n"):
    """Return chunks framed in one of the four forms; trailer: (name, value)."""
    out = b""
    for chunk in [*chunks, b""]:
        out += b"%x" % len(chunk)
        if form.is_signed:
            digest = hashlib.sha256(chunk).hexdigest()
            out += b";chunk-signature=" + signer.sign_chunk(digest).encode()
        out += b"\r\n" + (chunk + b"\r\n" if chunk else b"")
    line = b""
    if trailer is not None:
        line = b"%s:%s" % (trailer[0].encode(), trailer[1].encode())
        out += line + line_end
    if form.name == "SIGNED_TRAILER":
        digest = hashlib.sha256(line + b"\n" if line else b"").hexdigest()
        signature = signer.sign_trailer(digest).encode()
        out += b"x-amz-trailer-signature:" + signature + b"\r\n"
    return out + b"\r\n"

"""Error documents, taken apart."""

import re

from tests.behaviour.service import Answer

ELEMENT = re.compile(r"<([A-Za-z0-9]+)>([^<]*)</\1>")


def refusal(answer: Answer) -> dict[str, str]:
    """The elements of an error, with its status; its envelope must be exact.

    Resource, RequestId and HostId are proved here and not returned.
    """
    start = '<?xml version="1.0" encoding="UTF-8"?>\n<Error>'
    assert answer.text.startswith(start), answer.text
    assert answer.text.endswith("</Error>")
    inner = answer.text.removeprefix(start).removesuffix("</Error>")
    found = dict(ELEMENT.findall(inner))
    assert inner == "".join(f"<{name}>{text}</{name}>" for name, text in found.items())
    assert "application/xml" == answer.headers["content-type"]
    assert str(len(answer.body)) == answer.headers["content-length"]
    assert answer.headers["x-amz-request-id"] == found.pop("RequestId")
    assert answer.headers["x-amz-id-2"] == found.pop("HostId")
    assert found.pop("Resource").startswith("/")
    return {"status": str(answer.status), **found}

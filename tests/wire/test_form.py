"""Forms: the same fields however the bytes are split, and one spelling only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.filepost import encode_multipart_formdata

from s3o.model import limits
from s3o.model.errors import FormFieldsTooLarge, InvalidArgument, MalformedForm
from s3o.wire.form import FormReader, is_form, parse_boundary

BOUNDARY = b"b0undary"
NAMES = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


def read(body: bytes, split: int | None = None):
    """Return the head and what is left of the body after it."""
    reader = FormReader(BOUNDARY)
    step = split or max(1, len(body))
    for at in range(0, len(body), step):
        head = reader.feed(body[at : at + step])
        if head is not None:
            return head, reader.rest + body[at + step :]
    raise AssertionError("no file")


def part(head: str, value: bytes = b"v") -> bytes:
    """Return one part."""
    return b"--b0undary\r\n" + head.encode() + b"\r\n\r\n" + value + b"\r\n"


FILE = part('Content-Disposition: form-data; name="file"; filename="a"', b"data")
END = b"--b0undary--\r\n"


@given(st.dictionaries(NAMES, TEXTS, max_size=6), TEXTS, st.integers(1, 40))
def test_what_urllib3_writes_is_read_back(fields, text, split):
    """An independent writer, and every split of its bytes, say the same."""
    fields = {name.lower(): value for name, value in fields.items() if name != "file"}
    sent = [*fields.items(), ("file", ("cat.jpg", text.encode(), "image/jpeg"))]
    body, content_type = encode_multipart_formdata(sent, BOUNDARY.decode())
    if any(b"\r\n--b0undary" in value.encode() for value in fields.values()):
        return

    head, rest = read(body, split)

    assert fields == dict(head.fields)
    assert "cat.jpg" == head.file_name
    assert rest == body[head.file_offset :] == text.encode() + b"\r\n" + END
    assert BOUNDARY == parse_boundary(content_type)


@pytest.mark.parametrize(
    ("disposition", "name", "file_name"),
    [
        ('form-data; name="file"; filename="a b.txt"', "file", "a b.txt"),
        ("form-data; name=file; filename=a.txt", "file", "a.txt"),
        ('form-data;name="File";filename="ä.txt"', "file", "ä.txt"),
        ('FORM-DATA; Name="FILE"; FileName="x"', "file", "x"),
        ('form-data; filename="x"; name="file"', "file", "x"),
        (r'form-data; name="file"; filename="C:\dir\a.txt"', "file", r"C:\dir\a.txt"),
        (r'form-data; name="file"; filename="a\"b"', "file", 'a"b'),
        ('form-data; name="file"; filename="a%22b"', "file", "a%22b"),
        ("form-data; name=file; filename=x; filename*=utf-8''y", "file", "x"),
        ('form-data; name="file"', "file", ""),
        ('form-data; name="file"; filename=""', "file", ""),
        ('form-data; name="file"; filename="a;b=c"', "file", "a;b=c"),
    ],
)
def test_dispositions_that_clients_send(disposition, name, file_name):
    """Browsers, curl, .NET and old Internet Explorers."""
    head, _ = read(part(f"Content-Disposition: {disposition}") + END)

    assert ({}, file_name) == (head.fields, head.file_name)


@pytest.mark.parametrize(
    "head",
    [
        "",
        "Content-Type: text/plain",
        "Content-Disposition: form-data",
        'Content-Disposition: form-data; name=""',
        'Content-Disposition: form-data; name="a"; name="b"',
        'Content-Disposition: form-data; name="a"; NAME="b"',
        'Content-Disposition: attachment; name="a"',
        'Content-Disposition: form-data; name="a',
        'Content-Disposition: form-data; name="a" x',
        'Content-Disposition: form-data; name="a";',
        "Content-Disposition: form-data; =a",
        'Content-Disposition : form-data; name="a"',
        'Content-Disposition: form-data; name="a"\r\n b: c',
        'Content-Disposition: form-data; name="a"\r\nX\r\n',
        'Content-Disposition: form-data; name="a"\nX: y',
        'Content-Disposition: form-data; name="a\x00"',
        'Content-Disposition: form-data; name="a"\r\n'
        'Content-Disposition: form-data; name="b"',
        'Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64',
    ],
)
@pytest.mark.parametrize("split", [None, 1])
def test_a_part_in_another_spelling_is_refused(head, split):
    """Two lenient readers in a row disagree about what a policy covers."""
    with pytest.raises(MalformedForm):
        read(part(head) + FILE + END, split)


@pytest.mark.parametrize(
    "body",
    [
        b"x" + FILE + END,
        b"preamble\r\n" + FILE + END,
        b"--b0undaryX\r\n" + FILE,
        b"--b0undary \r\n" + FILE[12:],
        b"--b0undary\n" + FILE[12:],
        part('Content-Disposition: form-data; name="a"', b"\xff") + FILE,
        part('Content-Disposition: form-data; name="a"')[:-2] + b"\r\n--b0undaryX",
    ],
)
def test_a_body_that_is_framed_otherwise_is_refused(body):
    """What is no boundary must never be taken for one, nor the reverse."""
    with pytest.raises(MalformedForm):
        read(body + b"\r\n" * 20)


def test_an_empty_line_before_the_first_boundary_is_harmless():
    """Some clients begin each part with the end of a line, the first one too."""
    head, rest = read(b"\r\n" + FILE + END, 1)

    assert (b"data\r\n" + END, {}) == (rest, head.fields)
    assert (b"\r\n" + FILE + END)[head.file_offset :] == rest


def test_a_form_without_a_file():
    """AWS's own words."""
    with pytest.raises(InvalidArgument, match="exactly one file"):
        read(part('Content-Disposition: form-data; name="key"') + END)


@pytest.mark.parametrize("names", [("a", "a"), ("Key", "kEY")])
def test_a_field_twice_is_refused(names):
    """The policy would judge one and the object get the other."""
    body = b"".join(
        part(f'Content-Disposition: form-data; name="{name}"') for name in names
    )
    with pytest.raises(InvalidArgument):
        read(body + FILE)


def test_another_scripts_k_is_no_k():
    """lower() turns the Kelvin sign into an ASCII letter."""
    field = part('Content-Disposition: form-data; name="\u212aey"')
    head, _ = read(field + FILE)

    assert {"\u212aey": "v"} == head.fields


@pytest.mark.parametrize(
    "body",
    [
        part('Content-Disposition: form-data; name="a"', b"x" * limits.FORM_HEAD_BYTES),
        part(f'Content-Disposition: form-data; name="{"n" * 30000}"'),
        part(
            'Content-Disposition: form-data; name="a"\r\n' + "X: y\r\n" * 3000 + "Z:z"
        ),
        b"--b0undary\r\n" + b"x" * 30000,
        b"".join(
            part(f'Content-Disposition: form-data; name="{n}"', b"x" * 200)
            for n in range(90)
        ),
    ],
)
@pytest.mark.parametrize("split", [None, 4096])
def test_what_precedes_the_file_is_bounded(body, split):
    """It is read before anybody knows who sends it."""
    with pytest.raises(FormFieldsTooLarge):
        read(body + FILE + END, split)


def test_the_count_of_fields_is_bounded():
    """Each costs the policy a look."""
    body = b"".join(
        part(f'Content-Disposition: form-data; name="{n}"', b"")
        for n in range(limits.FORM_FIELDS + 1)
    )
    with pytest.raises(MalformedForm, match="over 100 fields"):
        read(body + FILE)


def test_the_whole_allowance_may_be_used():
    """One byte less than too much is not too much."""
    lead = 'Content-Disposition: form-data; name="a"'
    used = len(part(lead, b"")) + len(FILE) - len(b"data\r\n")
    body = part(lead, b"x" * (limits.FORM_HEAD_BYTES - used)) + FILE
    head, _ = read(body)

    assert limits.FORM_HEAD_BYTES == head.file_offset
    with pytest.raises(FormFieldsTooLarge):
        read(part(lead, b"x" * (limits.FORM_HEAD_BYTES - used + 1)) + FILE)


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('multipart/form-data; boundary="a b:c"', b"a b:c"),
        ("Multipart/Form-Data; charset=utf-8; BOUNDARY=abc", b"abc"),
        ("multipart/form-data;boundary=a=b/c:d", b"a=b/c:d"),
        ("multipart/form-data; boundary=" + "x" * 70, b"x" * 70),
    ],
)
def test_boundaries(content_type, boundary):
    """Quoted or not, in any company."""
    assert is_form(content_type)
    assert boundary == parse_boundary(content_type)


@pytest.mark.parametrize(
    "rest",
    [
        "",
        ";",
        "; boundary",
        "; boundary=",
        '; boundary=""',
        '; boundary="abc',
        "; boundary=a; boundary=b",
        "; boundary=" + "x" * 71,
        "; boundary=a\u00e9",
        '; boundary="abc "',
        '; boundary="a{b"',
        "; boundary=a b",
    ],
)
def test_boundaries_outside_the_rfc_are_refused(rest):
    """RFC 2046: 1 to 70 of few characters, no blank at the end."""
    with pytest.raises(MalformedForm):
        parse_boundary(f"multipart/form-data{rest}")


def test_other_kinds_are_no_forms():
    """They are refused elsewhere, each with its own answer."""
    assert not is_form("application/x-www-form-urlencoded")
    assert not is_form("multipart/form-data-x; boundary=a")
    assert not is_form("")

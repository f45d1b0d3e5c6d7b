"""Text that is no plain configuration: attacks on the parser, and the environment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.config.document import read_document
from s3o.model import limits
from tests.config.reading import GOOD, problem, problems, read, with_line

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [*{old},*{old},*{old},*{old},*{old},*{old},*{old},*{old},*{old}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (BOMB, "1:10: aliases multiply beyond all bounds"),
        ("a: &a [*a]", "1:4: aliases multiply beyond all bounds"),
        ("a: &a\n  <<: *a\n", "1:4: aliases multiply beyond all bounds"),
        ("[" * 5000, "1:33: nested more than 32 deep"),
        ("{a: " * 5000, "1:126: nested more than 32 deep"),
        ("- " * 5000, "1:65: nested more than 32 deep"),
        ("a: 1\n---\nb: 2\n", "2:1: expected a single document in the stream, but "
         "found another document"),
        ("a: *b", "1:4: an alias of nothing; quote text that begins with *"),
        ("a: [1\nb: 2", "2:2: while parsing a flow sequence, expected ',' or ']', but "
         "got ':'"),
        ("a: b: c", "1:5: mapping values are not allowed here"),
        ("a:\n\t- b", "2:1: while scanning for the next token, found character '\\t' "
         "that cannot start any token"),
        ("a: \x07", "1:4: a character that YAML does not allow"),
        (b"a: 1\nb: \xff", "2:4: not valid UTF-8"),
        ("hello", "1:1: must be a section: keys with values"),
        ("- a\n- b", "1:1: must be a section: keys with values"),
        (b"#" * (limits.CONFIG_BYTES + 1), "1:1: larger than 4 MiB"),
    ],
)  # fmt: skip
def test_hostile_text_is_refused_in_bounds(text, found):
    """A configuration may come from a template, a ticket or a volume of somebody."""
    assert found == problem(text)


@pytest.mark.slow
def test_too_many_values_are_refused():
    """Memory and time stay bounded below the size limit, too."""
    text = "a: [" + "x," * limits.CONFIG_NODES + "]"

    assert f"more than {limits.CONFIG_NODES} values" in problem(text)


@pytest.mark.slow
def test_thousands_of_problems_are_counted_but_not_told():
    """Any other file than ours is wrong in every line."""
    found = problems(GOOD + "".join(f"key{n}: x\n" for n in range(20_000)))

    assert "18:1: key0: unknown key" == found[0]
    assert [201, " and 19800 more problems"] == [len(found), found[-1]]


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system [echo]",
        "!!python/name:os.system ''",
        "!!binary aGk=",
        "!mine x",
        "!!str x",
        "!!set {a}",
    ],
)
def test_tags_are_refused(value):
    """No text can make the loader build anything but text, lists and sections."""
    text = with_line(GOOD, '":9000"', f'":9000"\n  region: {value}')

    assert "3:11: tags are not supported; quote text that begins with !" in problems(
        text
    )


def test_duplicate_keys_are_refused_with_both_lines():
    """The last one would win silently, and it is rarely the one that was meant."""
    text = with_line(GOOD, '":9000"', '":9000"\n  region: a\n  region: b')
    text += "buckets: []\n"

    assert [
        "4:3: server.region: duplicate key (first in line 3)",
        "20:1: buckets: duplicate key (first in line 5)",
    ] == problems(text)


def test_keys_must_be_text():
    """A list as a key is YAML, but never a configuration."""
    assert "18:3: a key must be text" in problems(f"{GOOD}? [a]\n: b\n")


def test_anchors_and_merges_work_within_bounds():
    """Real files use them to say a thing once."""
    text = GOOD.replace(
        "  - name: photos\n    credentials:\n",
        "  - &first\n    name: photos\n    credentials: &shared\n",
    )
    text = with_line(
        text,
        "backends:\n",
        "  - <<: *first\n    name: other\n"
        "    credentials: [{token: t}]\n    max_multipart_uploads: 3\nbackends:\n",
    )

    settings = read(text)
    assert [("photos", 0), ("other", 3)] == [
        (bucket.name, bucket.max_multipart_uploads) for bucket in settings.buckets
    ]


def test_variables_are_expanded_inside_values():
    """Secrets live in the environment; a value can neither break nor add YAML."""
    text = with_line(GOOD, "photossecret", '"pre-${S}-${S}"')
    text = with_line(text, "http://127.0.0.1:9001", "http://${HOST}:9001")

    settings = read(text, S="a: \"b' # c ${S}", HOST="h")
    credential = settings.buckets[0].credentials[0]
    assert "pre-a: \"b' # c ${S}-a: \"b' # c ${S}" == (
        credential.secret_access_key.reveal()
    )
    assert "http://h:9001" == settings.backends[0].endpoint


def test_dollars_that_name_nothing_survive():
    """A bcrypt hash or a password with a $ is not destroyed."""
    literal = "$2b$12$abc$HOME$$x"
    text = with_line(GOOD, "photossecret", literal)

    secret = read(text, HOME="no").buckets[0].credentials[0].secret_access_key
    assert literal == secret.reveal()


def test_doubled_dollar_writes_a_literal_reference():
    """There is a way to write ${ itself."""
    text = with_line(GOOD, "photossecret", "a$${HOME}b")

    secret = read(text, HOME="no").buckets[0].credentials[0].secret_access_key
    assert "a${HOME}b" == secret.reveal()


def test_comments_and_keys_are_not_expanded():
    """A variable named in a comment need not be set."""
    assert read(GOOD + "# ${NOT_SET}\n")
    assert ["18:1: ${KEY}: unknown key"] == problems(GOOD + "${KEY}: 1\n", KEY="server")


def test_unset_variables_are_errors_that_name_them():
    """An empty secret instead of a missing one opens the door."""
    text = with_line(GOOD, "photossecret", "${ONE}${TWO}")
    text = with_line(text, "quota_bytes: 2000", "quota_bytes: ${THREE}")

    assert [
        "7:9: buckets.0.credentials.0.secret_access_key: environment variable ONE is "
        "not set",
        "7:9: buckets.0.credentials.0.secret_access_key: environment variable TWO is "
        "not set",
        "17:5: backends.1.quota_bytes: environment variable THREE is not set",
    ] == problems(text)


@pytest.mark.parametrize("reference", ["${X:-y}", "${}", "${1}", "${X", "${ X }"])
def test_other_syntax_after_a_dollar_brace_is_refused(reference):
    """A default that is silently not applied would be a trap."""
    found = problem(with_line(GOOD, "photossecret", f"'{reference}'"), X="x")

    assert found.endswith("'${' takes a NAME and '}'; write '$${' for '${' itself")


@pytest.mark.parametrize("value", ["${Q}", '"${Q}"', "'${Q}'"])
def test_expanded_values_are_numbers_where_numbers_belong(value):
    """A quota from the environment needs no special spelling."""
    text = with_line(GOOD, "quota_bytes: 2000", f"quota_bytes: {value}")
    text = with_line(text, '":9000"', "':9000'\n  tls: {cert_file: '', key_file: ''}")

    assert 4096 == read(text, Q="4096").backends[1].quota_bytes
    assert "apples" not in problem(text, Q="18 apples")


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(raw):
    """Whatever is in the file, the answer is a document with findings."""
    read_document(raw, {})


@given(st.text(alphabet="a:-[]{}&*!|>'\"%@`#,?$<. \n\t\\", max_size=60))
def test_no_yaml_crashes_the_reader(text):
    """The same with text made of YAML's own characters."""
    read_document(text.encode(), {})

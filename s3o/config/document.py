"""Read YAML into plain values, each with its place in the file, and nothing more.

Only PyYAML's composer is used, never a constructor: there is no tag that could run
code. Rules:

- Scalars stay text (readers.Plain where unquoted); null is None.
- `${NAME}` is replaced inside scalars after parsing, so a value can break no YAML.
  `$${` writes a literal `${`; any other `$` stands for itself (bcrypt hashes survive).
- Refused with their position: tags, duplicate keys, keys that are no text, several
  documents, nesting and sizes over the limits, aliases that multiply beyond them.
- No message repeats a value: a syntax error may stand next to a secret.

Source: YAML 1.1, https://yaml.org/spec/1.1/
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml
from yaml.reader import ReaderError

from s3o.config.problems import Path
from s3o.config.readers import Plain
from s3o.model import limits

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_NULL = f"{_TAG}null"
_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]{0,255})\}|\$\{", re.ASCII)
_QUOTED = re.compile(r"'([^']*)'")
_HARMLESS = re.compile(r".|\\.|<[a-z ]+>")  # a character, or a piece of YAML's grammar

# For a value that is not there: text enough to cause no second problem beside it.
_STAND_IN = "unset"

Mark = tuple[int, int]  # line and column, from 1


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong in the text itself, already with its place."""

    mark: Mark
    path: Path
    message: str


@dataclass(frozen=True, slots=True)
class Document:
    """The values of a file, the place of each, and what was wrong with the text."""

    data: object = field(default_factory=dict)
    marks: Mapping[Path, Mark] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    is_readable: bool = True  # as YAML; else the findings are all there is

    def mark_of(self, path: Path) -> Mark:
        """Return the place of path, or of the nearest thing around it."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path, (1, 1))


class _Refused(Exception):
    def __init__(self, mark: Mark, message: str, path: Path = ()) -> None:
        super().__init__(message)
        self.finding = Finding(mark, path, message)


def read_document(raw: bytes, environ: Mapping[str, str]) -> Document:
    """Return what raw says; a text that is no YAML at all has findings and no data."""
    if len(raw) > limits.CONFIG_BYTES:
        limit = f"larger than {limits.CONFIG_BYTES // limits.MIB} MiB"
        return _unreadable(Finding((1, 1), (), limit))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        mark = _mark_at(raw[: error.start].decode("utf-8", "replace"))
        return _unreadable(Finding(mark, (), "not valid UTF-8"))
    try:
        loader = _BoundedLoader(text)
        builder = _Builder(environ)
        root = loader.get_single_node()
        data = {} if root is None else builder.value(root, (), 0)
    except _Refused as refused:
        return _unreadable(refused.finding)
    except ReaderError as error:
        mark = _mark_at(text[: error.position])
        return _unreadable(Finding(mark, (), "a character that YAML does not allow"))
    except yaml.MarkedYAMLError as error:
        return _unreadable(_syntax_finding(error))
    return Document(data, builder.marks, (*loader.findings, *builder.findings))


def _unreadable(finding: Finding) -> Document:
    return Document(findings=(finding,), is_readable=False)


def _mark_at(before: str) -> Mark:
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _syntax_finding(error: yaml.MarkedYAMLError) -> Finding:
    where = error.problem_mark or error.context_mark
    mark = (where.line + 1, where.column + 1) if where else (1, 1)
    words = ", ".join(filter(None, (error.context, error.problem)))
    return Finding(mark, (), _QUOTED.sub(_cover, words) or "not valid YAML")


def _cover(match: re.Match[str]) -> str:
    return match[0] if _HARMLESS.fullmatch(match[1]) else "'…'"


class _BoundedLoader(yaml.SafeLoader):
    """Composes nodes within the limits; no tags, no alias of something unknown."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.findings: list[Finding] = []
        self._nodes = 0
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        mark = _mark_of(event.start_mark)
        if isinstance(event, yaml.AliasEvent) and event.anchor not in self.anchors:
            raise _Refused(mark, "an alias of nothing; quote text that begins with *")
        self._nodes += 1
        if self._nodes > limits.CONFIG_NODES:
            raise _Refused(mark, f"more than {limits.CONFIG_NODES} values")
        if self._depth >= limits.CONFIG_DEPTH:
            raise _Refused(mark, f"nested more than {limits.CONFIG_DEPTH} deep")
        if getattr(event, "tag", None) not in (None, "!"):
            message = "tags are not supported; quote text that begins with !"
            self.findings.append(Finding(mark, (), message))
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _mark_of(mark: yaml.Mark) -> Mark:
    return mark.line + 1, mark.column + 1


class _Builder:
    """Turns nodes into values, noting where each stands and what is wrong with it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.marks: dict[Path, Mark] = {}
        self.findings: list[Finding] = []
        self._environ = environ
        self._values = 0

    def value(self, node: yaml.Node, path: Path, depth: int) -> object:
        """Return node's value, noting its place unless its key has noted one."""
        self._count(node, path, depth)
        self.marks.setdefault(path, _mark_of(node.start_mark))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [
                self.value(item, (*path, position), depth + 1)
                for position, item in enumerate(node.value)
            ]
        assert isinstance(node, yaml.MappingNode)
        return self._mapping(node, path, depth)

    def _count(self, node: yaml.Node, path: Path, depth: int) -> None:
        # A node counts each time an alias leads to it; a circle ends at the depth.
        self._values += 1
        if self._values > limits.CONFIG_NODES or depth > limits.CONFIG_DEPTH:
            mark = _mark_of(node.start_mark)
            raise _Refused(mark, "aliases multiply beyond all bounds")

    def _find(self, node: yaml.Node, path: Path, message: str) -> None:
        self.findings.append(Finding(_mark_of(node.start_mark), path, message))

    def _mapping(
        self, node: yaml.MappingNode, path: Path, depth: int
    ) -> dict[str, object]:
        values: dict[str, object] = {}
        sources: list[yaml.Node] = []
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                is_list = isinstance(value_node, yaml.SequenceNode)
                sources += value_node.value if is_list else [value_node]
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._find(key_node, path, "a key must be text")
                continue
            at = (*path, key_node.value)
            if key_node.value in values:
                first = self.marks[at][0]
                self._find(key_node, at, f"duplicate key (first in line {first})")
                continue
            self.marks.setdefault(at, _mark_of(key_node.start_mark))
            values[key_node.value] = self.value(value_node, at, depth + 1)
        for source in sources:
            self._merge(values, source, path, depth)
        return values

    def _merge(
        self, values: dict[str, object], source: yaml.Node, path: Path, depth: int
    ) -> None:
        # `<<: *defaults`: a mapping's own keys win, then those merged first.
        self._count(source, path, depth + 1)
        if not isinstance(source, yaml.MappingNode):
            self._find(source, path, "<< takes a section or a list of sections")
            return
        for key, value in self._mapping(source, path, depth + 1).items():
            values.setdefault(key, value)

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> object:
        text: str = node.value
        if node.style is None and node.tag == _NULL:
            return None
        if "${" in text:
            return Plain(self._expand(node, path))
        return Plain(text) if node.style is None else text

    def _expand(self, node: yaml.ScalarNode, path: Path) -> str:
        def replacement(match: re.Match[str]) -> str:
            name: str | None = match[1]
            if match[0] == "$${":
                return "${"
            if name is None:
                message = "'${' takes a NAME and '}'; write '$${' for '${' itself"
            elif name in self._environ:
                return self._environ[name]
            else:
                message = f"environment variable {name} is not set"
            finding = Finding(self.marks[path], path, message)
            if finding not in self.findings[-1:]:
                self.findings.append(finding)
            return _STAND_IN

        return _REFERENCE.sub(replacement, node.value)

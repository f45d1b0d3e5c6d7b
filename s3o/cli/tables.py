"""Text for a terminal: tables, sizes a person reads, and nothing that moves the cursor.

Keys and errors are other people's text, and a terminal obeys escape sequences; so every
character that is not printable is shown as its escape.
"""

from collections.abc import Mapping, Sequence

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def human_bytes(size: object) -> str:
    """Return 0 B, 1023 B, 1.5 KiB, 20 GiB; "-" for what is no size."""
    if type(size) is not int:
        return "-"
    amount, unit = float(size), 0
    while abs(amount) >= 1024 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    if unit == 0:
        return f"{size} B"
    return (
        f"{amount:.1f} {_UNITS[unit]}"
        if amount < 10
        else f"{amount:.0f} {_UNITS[unit]}"
    )


def plain(value: object) -> str:
    """Return a value as one harmless line."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def render_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table; columns of numbers and sizes stand on the right."""
    if not rows:
        return "(none)"
    cells = [[plain(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    is_right = [all(map(_is_number, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, is_right, strict=True)
        ).rstrip()
        for line in (list(headers), *cells)
    ]
    return "\n".join(lines)


def render_pairs(document: Mapping[str, object]) -> str:
    """Return one line per member; members that are documents are indented."""
    lines: list[str] = []
    for name, value in document.items():
        title = name.replace("_", " ")
        if isinstance(value, Mapping):
            inner = render_pairs(value).splitlines()
            lines += [f"{plain(title)}:", *(f"  {line}" for line in inner)]
        else:
            is_size = name.endswith("_bytes") or name.startswith("bytes_")
            shown = human_bytes(value) if is_size else plain(value)
            lines.append(f"{plain(title)}: {shown}")
    return "\n".join(lines)


def _is_number(text: str) -> bool:
    head = text.partition(" ")[0].rstrip("%")
    return text == "-" or head.replace(".", "", 1).isdecimal()

"""docs/admin.md lists what there is."""

import re

from s3o.admin.action import ROOT, Action, Place
from s3o.admin.actions import ACTIONS
from s3o.cli.admin_commands import COMMANDS, AdminCommand, Kind
from tests.house.tower import ROOT as REPOSITORY

PAGE = REPOSITORY / "docs" / "admin.md"


def action_row(action: Action) -> str:
    """One row of the routes' table."""
    texts = []
    for parameter in action.parameters:
        if parameter.place is Place.PATH:
            continue
        mark = "*" if parameter.is_required else ""
        where = " (body)" if parameter.place is Place.BODY else ""
        texts.append(f"`{parameter.name}`{mark}{where}")
    given = ", ".join(texts) or "-"
    job = " (job)" if action.is_job else ""
    return (
        f"| {action.method} | `{ROOT}{action.path}` | {given} | {action.summary}{job} |"
    )


def command_row(command: AdminCommand) -> str:
    """One row of the commands' table."""
    words = list(command.words)
    for flag in command.flags:
        text = f"--{flag.name}"
        if flag.kind is not Kind.SWITCH:
            text += " N" if flag.kind is Kind.COUNT else f" {flag.name.upper()}"
        words.append(text if flag.is_required else f"[{text}]")
    if command.argument:
        words.append(
            f"[{command.argument} ...]" if command.are_ids else command.argument
        )
    return f"| `{' '.join(words)}` | {command.summary} |"


def test_the_page_lists_every_route_and_command() -> None:
    """A route nobody can find is none; python -m tests.admin.test_documented mends."""
    text = PAGE.read_text("utf-8")
    rows = set(re.findall(r"^\|.*\|$", text, re.MULTILINE))
    wanted = {*map(action_row, ACTIONS), *map(command_row, COMMANDS)}
    heads = {row for row in rows if row.startswith(("| Method ", "| Command ", "|---"))}

    assert wanted == rows - heads


def write() -> None:
    """Put the tables of today into the page."""
    text = PAGE.read_text("utf-8")
    for head, rows in (
        ("| Method | Path ", map(action_row, ACTIONS)),
        ("| Command | ", map(command_row, COMMANDS)),
    ):
        pattern = rf"({re.escape(head)}.*\n\|[-|]+\n)(?:\|.*\n|ROWS\n|COMMANDS\n)*"
        table = "\n".join(rows) + "\n"
        text = re.sub(pattern, lambda m, table=table: m[1] + table, text)
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    write()

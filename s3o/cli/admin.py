"""The command `admin`: parse, ask the running service, show the answer.

On a terminal an answer is a table; with --json, or into a pipe, it is the JSON that the
service sent. Exit codes: 0 it was done, 1 it was not and the reason was told, 2 a
command line that makes no sense. A job that takes long is followed to its end, and goes
on if its follower leaves.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import trio

from s3o.cli.admin_client import AdminClient, AdminError, Reply, Trust, make_client
from s3o.cli.admin_commands import COMMANDS, AdminCommand, Flag, Kind, Request
from s3o.cli.admin_views import show_progress
from s3o.cli.tables import plain
from s3o.config import ConfigError, load
from s3o.model.limits import ADMIN_IDS
from s3o.model.numbers import parse_uint

FAILURE = 1
POLL_S = 1.0
ERROR = "error"  # the status of an answer: it was tried, and nothing of it done

Document = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a command line means."""

    command: AdminCommand
    request: Request
    path: str
    query: Mapping[str, str]
    body: Mapping[str, object] | None
    is_json: bool
    is_async: bool


def add_admin_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that all commands share, and the commands."""
    parser.add_argument("-addr", "--addr", metavar="ADDR", default="", help=_ADDR_HELP)
    parser.add_argument(
        "-ca-file", "--ca-file", metavar="FILE", default="", help=_CA_HELP
    )
    parser.add_argument(
        "-insecure",
        "--insecure",
        action="store_true",
        help="do not check whose certificate it is",
    )
    parser.add_argument(
        "-cert", "--cert", metavar="FILE", default="", help="own certificate to show"
    )
    parser.add_argument(
        "-cert-key", "--cert-key", metavar="FILE", default="", help="its private key"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    groups: dict[str, argparse._SubParsersAction[argparse.ArgumentParser]] = {}
    for command in COMMANDS:
        place = commands
        if len(command.words) > 1:
            group = command.words[0]
            if group not in groups:
                found = _sub_parser(commands, group, f"{group}: several commands")
                groups[group] = found.add_subparsers(metavar="COMMAND", required=True)
            place = groups[group]
        _add_command(_sub_parser(place, command.words[-1], command.summary), command)


def run_admin(options: argparse.Namespace) -> int:
    """Carry a command out; return the exit code."""
    try:
        settings = load(str(options.config), os.environ)
    except ConfigError as error:
        print(f"error: config {options.config}: {error}", file=sys.stderr)
        return FAILURE
    trust = Trust(
        ca_file=options.ca_file,
        is_insecure=options.insecure,
        cert_file=options.cert,
        key_file=options.cert_key,
    )
    try:
        asked = _understand(options)
        client = make_client(settings, options.addr, trust)
        return show(asked, trio.run(_ask, client, asked))
    except BrokenPipeError:  # whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except AdminError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILURE
    except KeyboardInterrupt:
        return 130


def show(asked: Asked, reply: Reply) -> int:
    """Print an answer; return the exit code."""
    if reply.status >= 400:
        if asked.is_json:
            print(json.dumps(reply.document, indent=2))
        print(f"error: {_reason(reply)}", file=sys.stderr)
        return FAILURE
    if asked.is_json:
        print(json.dumps(reply.document, indent=2))
    elif asked.request is asked.command.switched:
        print(asked.command.switched_view(reply.document))
    else:
        print(asked.command.view(reply.document))
    sys.stdout.flush()
    if reply.document.get("status") != ERROR:
        return 0
    errors = reply.document.get("errors")
    told = errors if isinstance(errors, list) and errors else ["it could not be done"]
    for error in told:
        print(f"error: {plain(error)}", file=sys.stderr)
    return FAILURE


def read_count(text: str) -> int:
    """Read a flag's whole number."""
    try:
        return parse_uint(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}") from None


_ADDR_HELP = (
    "where the service listens: host:port or a URL (default: server.listen_addr of the "
    "configuration, on this machine)"
)
_CA_HELP = (
    "certificates of the authorities to trust (default: only the certificate that the "
    "configuration names)"
)


def _sub_parser(
    place: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str
) -> argparse.ArgumentParser:
    parser = place.add_parser(
        name, help=text, description=text, add_help=False, allow_abbrev=False
    )
    parser.add_argument(
        "-h", "-help", "--help", action="help", help="show this and exit"
    )
    return parser


def _add_command(parser: argparse.ArgumentParser, command: AdminCommand) -> None:
    parser.set_defaults(command=command)
    for flag in command.flags:
        _add_flag(parser, flag)
    if command.are_ids:
        parser.add_argument(
            "argument", metavar=command.argument, nargs="*", type=read_count
        )
    elif command.argument:
        parser.add_argument("argument", metavar=command.argument)
    parser.add_argument("-json", "--json", action="store_true", help="print JSON")
    requests = (command.request, command.switched)
    if any(request is not None and request.is_job for request in requests):
        parser.add_argument(
            "-async", "--async", dest="is_async", action="store_true", help=_ASYNC_HELP
        )


_ASYNC_HELP = "start it and return; see the command jobs"


def _add_flag(parser: argparse.ArgumentParser, flag: Flag) -> None:
    names = (f"-{flag.name}", f"--{flag.name}")
    into = f"flag_{flag.name}"
    if flag.kind is Kind.SWITCH:
        parser.add_argument(*names, dest=into, action="store_true", help=flag.help)
    else:
        parser.add_argument(
            *names,
            dest=into,
            metavar="N" if flag.kind is Kind.COUNT else flag.name.upper(),
            type=read_count if flag.kind is Kind.COUNT else str,
            required=flag.is_required,
            default=None,
            help=flag.help,
        )


def _understand(options: argparse.Namespace) -> Asked:
    command: AdminCommand = options.command
    given = {
        flag.parameter: (flag, getattr(options, f"flag_{flag.name}"))
        for flag in command.flags
        if getattr(options, f"flag_{flag.name}") not in (None, False)
    }
    names = {flag.name for flag, _ in given.values()}
    is_switched = command.switched is not None and command.switch in names
    request = command.switched if is_switched else command.request
    assert request is not None
    body = {p: v for p, (flag, v) in given.items() if flag.is_in_body}
    argument = getattr(options, "argument", None)
    if command.are_ids and argument:
        if len(argument) > ADMIN_IDS:
            raise AdminError(f"at most {ADMIN_IDS} ids at a time")
        body["ids"] = argument
    path = request.path
    if command.argument and not command.are_ids:
        path = path.replace("{}", quote(str(argument), safe=""))
    query = {
        p: "true" if v is True else str(v)
        for p, (flag, v) in given.items()
        if not flag.is_in_body and flag.parameter
    }
    takes_body = any(flag.is_in_body for flag in command.flags)
    return Asked(
        command=command,
        request=request,
        path=path,
        query=query,
        body=body if takes_body and request.method != "GET" else None,
        is_json=options.json or not sys.stdout.isatty(),
        is_async=getattr(options, "is_async", False),
    )


async def _ask(client: AdminClient, asked: Asked) -> Reply:
    try:
        query = dict(asked.query)
        if asked.is_async:
            query["async"] = "true"
        reply = await client.call(asked.request.method, asked.path, query, asked.body)
        if reply.status == 202 and asked.request.is_job and not asked.is_async:
            reply = await _follow(client, reply)
    finally:
        await client.aclose()
    return reply


async def _follow(client: AdminClient, reply: Reply) -> Reply:
    """Wait for a job's end, telling its progress to a person."""
    job = _mapping(reply.document.get("job"))
    job_id = str(job.get("id"))
    is_watched = sys.stderr.isatty()
    while job.get("state") == "running":
        await trio.sleep(POLL_S)
        found = await client.call("GET", f"/jobs/{quote(job_id, safe='')}")
        if found.status != 200:
            return found
        job = found.document
        if is_watched and (text := show_progress(job)):
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
    if is_watched:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    if job.get("state") == "done":
        return Reply(200, _mapping(job.get("result")))
    return Reply(500, {"error": job.get("error"), "job": job})


def _reason(reply: Reply) -> str:
    told = plain(reply.document.get("error", f"HTTP {reply.status}"))
    if reply.status == 401:
        return f"{told}: the service has another token than the configuration here"
    if reply.status == 404 and told == "not found":
        return "the service has no admin token: reload it once ui.admin_token is set"
    return told


def _mapping(value: object) -> Document:
    return value if isinstance(value, Mapping) else {}

"""The command line: one command, its flags, an exit code.

Flags are written -config or --config, as people of either school do. Rules: serve is
the command when none is named; 0 is success, 1 a failure that was told, 2 a command
line that makes no sense, 130 a person's Ctrl-C. A command imports what it needs when it
runs, so `version` answers without loading the service.
"""

import argparse
import sys
from collections.abc import Sequence

from s3o.cli.commands import COMMANDS, USAGE_ERROR

PROGRAM = "s3-orchestrator"
INTERRUPTED = 130  # as a shell calls a program that ended by SIGINT

_HELP_WORDS = ("help", "-h", "-help", "--help")
_VERSION_WORDS = ("-version", "--version")
_LATER_COMMANDS = ("doctor", "init", "reload")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in _HELP_WORDS:
        return _help(words[1:])
    if words and words[0] in _VERSION_WORDS:
        words[0] = "version"
    if not words or words[0].startswith("-"):
        words.insert(0, "serve")
    name, *flags = words
    if name not in COMMANDS:
        return _refuse(name)
    try:
        options = _parser(name).parse_args(flags)
    except SystemExit as stop:  # argparse has told why, or printed the help asked for
        return stop.code if isinstance(stop.code, int) else USAGE_ERROR
    try:
        return COMMANDS[name].run(options)
    except KeyboardInterrupt:
        return _interrupted()
    except BaseExceptionGroup as group:  # what a command's tasks were interrupted by
        if group.split(KeyboardInterrupt)[1] is not None:
            raise
        return _interrupted()


def _interrupted() -> int:
    print("interrupted", file=sys.stderr)
    return INTERRUPTED


def _parser(name: str) -> argparse.ArgumentParser:
    command = COMMANDS[name]
    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} {name}",
        description=command.summary,
        add_help=False,
        allow_abbrev=False,
    )
    parser.add_argument(
        "-h", "-help", "--help", action="help", help="show this and exit"
    )
    command.add_flags(parser)
    return parser


def _help(words: Sequence[str]) -> int:
    if words and words[0] in COMMANDS:
        _parser(words[0]).print_help()
        return 0
    if words and words[0] != "help":
        return _refuse(words[0])
    print(f"usage: {PROGRAM} [command] [flags]\n\ncommands:")
    for name, command in COMMANDS.items():
        print(f"  {name:<10}{command.summary}")
    print(f"  {'help':<10}show this, or the flags of a command")
    print("\nWithout a command, serve. Flags may be written -flag or --flag.")
    return 0


def _refuse(name: str) -> int:
    if name in _LATER_COMMANDS:
        reason = f"command '{name}' is not in this version"
    else:
        reason = f"unknown command '{name}'{_suggestion(name)}"
    print(f"{PROGRAM}: {reason}; see {PROGRAM} help", file=sys.stderr)
    return USAGE_ERROR


def _suggestion(name: str) -> str:
    import difflib  # only here: the usual command line is a correct one

    close = difflib.get_close_matches(name.lower(), (*COMMANDS, "help"), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""

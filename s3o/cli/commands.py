"""The commands: a summary, flags, and what to run.

Imports stand inside the functions on purpose: the service, its libraries and the models
of the configuration are loaded only by the command that needs them.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

FAILURE = 1
USAGE_ERROR = 2
DEFAULT_CONFIG = "config.yaml"
_MODES = ("api", "worker", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command; run returns the exit code."""

    summary: str
    add_flags: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def _add_config_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-config",
        "--config",
        metavar="FILE",
        default=DEFAULT_CONFIG,
        help="configuration file (default: %(default)s)",
    )


def _add_serve_flags(parser: argparse.ArgumentParser) -> None:
    _add_config_flag(parser)
    parser.add_argument(
        "-mode",
        "--mode",
        type=_read_mode,
        default="all",
        help="what this process does: api, worker or all (default: %(default)s)",
    )


def _read_mode(word: str) -> str:
    if word not in _MODES:
        raise argparse.ArgumentTypeError(
            f'invalid mode "{word}": must be api, worker, or all'
        )
    if word != "all":
        raise argparse.ArgumentTypeError(f"mode {word} is not in this version")
    return word


def _add_demo_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-listen-addr",
        "--listen-addr",
        metavar="ADDR",
        default="127.0.0.1:9000",
        help="where to listen (default: %(default)s)",
    )
    parser.add_argument(
        "-folder",
        "--folder",
        metavar="DIR",
        default=None,
        help="where to keep the data until the end (default: a new temporary folder)",
    )


def _add_no_flags(_parser: argparse.ArgumentParser) -> None:
    pass


def serve(options: argparse.Namespace) -> int:
    """Run the service until it is told to stop."""
    from s3o.config.problems import ConfigError
    from s3o.daemon.run import run_service

    try:
        return run_service(str(options.config))
    except ConfigError as error:
        return _tell_problems(str(options.config), error)


def demo(options: argparse.Namespace) -> int:
    """Run the service on throw-away backends until it is told to stop."""
    from s3o.daemon.demo import run_demo

    return run_demo(options.listen_addr, options.folder)


def validate(options: argparse.Namespace) -> int:
    """Check a configuration file; print a summary, or every problem."""
    import os

    from s3o.config import ConfigError, advise, load
    from s3o.daemon.advice import advise_on_profiles

    path = str(options.config)
    try:
        settings = load(path, os.environ)
    except ConfigError as error:
        return _tell_problems(path, error)
    for advice in (*advise(settings), *advise_on_profiles(settings)):
        print(f"warning: {advice}", file=sys.stderr)
    print(f"config {path}: valid")
    print(f"  backends: {len(settings.backends)}")
    print(f"  buckets:  {len(settings.buckets)}")
    print(f"  routing:  {settings.routing_strategy}")
    return 0


def _add_fsck_flags(parser: argparse.ArgumentParser) -> None:
    from s3o.cli.fsck import add_fsck_flags

    _add_config_flag(parser)
    add_fsck_flags(parser)


def fsck(options: argparse.Namespace) -> int:
    """Compare ledger and backends, and explain every difference."""
    from s3o.cli.fsck import fsck as run_command

    return run_command(options)


def _add_recover_flags(parser: argparse.ArgumentParser) -> None:
    from s3o.cli.recover import add_recover_flags

    _add_config_flag(parser)
    add_recover_flags(parser)


def _add_sync_flags(parser: argparse.ArgumentParser) -> None:
    from s3o.cli.sync import add_sync_flags

    _add_config_flag(parser)
    add_sync_flags(parser)


def sync(options: argparse.Namespace) -> int:
    """Import what lies on a backend already."""
    from s3o.cli.sync import sync as run_command

    return run_command(options)


def recover(options: argparse.Namespace) -> int:
    """Rebuild a lost or stale ledger from configuration and backends."""
    from s3o.cli.recover import recover as run_command

    return run_command(options)


def _add_admin_flags(parser: argparse.ArgumentParser) -> None:
    from s3o.cli.admin import add_admin_flags

    _add_config_flag(parser)
    add_admin_flags(parser)


def admin(options: argparse.Namespace) -> int:
    """Ask a running service for something, and show its answer."""
    from s3o.cli.admin import run_admin

    return run_admin(options)


def version(_options: argparse.Namespace) -> int:
    """Print the versions of the product and of Python, and the platform."""
    import os

    from s3o import __version__

    python = ".".join(map(str, sys.version_info[:3]))
    platform = f"{sys.platform}/{os.uname().machine}"
    print(f"s3-orchestrator v{__version__} python{python} {platform}")
    return 0


def _tell_problems(path: str, error: Exception) -> int:
    problems = str(error).splitlines()
    for problem in problems:
        print(problem, file=sys.stderr)
    noun = "problem" if len(problems) == 1 else "problems"
    print(f"error: config {path}: {len(problems)} {noun}", file=sys.stderr)
    return FAILURE


COMMANDS = {
    "serve": Command(summary="run the service", add_flags=_add_serve_flags, run=serve),
    "demo": Command(
        summary="run a demonstration on throw-away backends",
        add_flags=_add_demo_flags,
        run=demo,
    ),
    "validate": Command(
        summary="check a configuration file", add_flags=_add_config_flag, run=validate
    ),
    "fsck": Command(
        summary="compare ledger and backends, and explain every difference",
        add_flags=_add_fsck_flags,
        run=fsck,
    ),
    "admin": Command(
        summary="ask a running service: admin -h lists what",
        add_flags=_add_admin_flags,
        run=admin,
    ),
    "sync": Command(
        summary="import objects that a backend holds already",
        add_flags=_add_sync_flags,
        run=sync,
    ),
    "recover": Command(
        summary="rebuild a lost or stale ledger from the backends",
        add_flags=_add_recover_flags,
        run=recover,
    ),
    "version": Command(
        summary="show the version", add_flags=_add_no_flags, run=version
    ),
}

"""The command line as people type it."""

import argparse
import subprocess
import sys
from dataclasses import replace

import pytest

from s3o.cli import main
from s3o.cli.commands import COMMANDS

CONFIG = """\
server: {listen_addr: ":9000"}
buckets:
  - name: photos
    credentials: [{token: t}]
routing_strategy: spread
backends:
  - {name: a, type: directory, path: /a, quota_bytes: 1}
  - {name: b, type: directory, path: /b, quota_bytes: 1}
"""


S3_BACKEND = """\
  - {name: c, endpoint: "http://h", bucket: one, access_key_id: a,
     secret_access_key: b, quota_bytes: 1}
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A good config.yaml in the working directory."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    return file


def test_version_is_one_line(capsys):
    """Bug reports begin with it."""
    code = main(["version"])

    python = ".".join(map(str, sys.version_info[:3]))
    first, version, interpreter, platform = capsys.readouterr().out.split()
    assert (0, "s3-orchestrator", "v0.1.0", f"python{python}") == (
        code,
        first,
        version,
        interpreter,
    )
    assert platform.startswith(f"{sys.platform}/")


@pytest.mark.parametrize("word", ["-version", "--version"])
def test_version_is_also_a_flag(word, capsys):
    """Half of the world's programs answer this one."""
    assert 0 == main([word])
    assert capsys.readouterr().out.startswith("s3-orchestrator v")


@pytest.mark.parametrize("command", ["version", "help"])
def test_small_commands_load_no_service(command):
    """Completion and packaging call them often; half a second each would be felt."""
    code = (
        f"import sys; from s3o.cli import main; main(['{command}']);"
        "print(sorted({'trio', 'pydantic', 'yaml', 'ssl', 'difflib'} & "
        "set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert "[]" == done.stdout.splitlines()[-1]


@pytest.mark.parametrize("word", ["help", "-h", "-help", "--help"])
def test_help_lists_every_command(word, capsys):
    """Whoever is lost asks for help in one of four ways."""
    code = main([word])

    out = capsys.readouterr().out
    assert 0 == code
    assert all(f"\n  {name} " in out for name in COMMANDS)


@pytest.mark.parametrize(
    "words", [["validate", "-h"], ["validate", "--help"], ["help", "validate"]]
)
def test_help_of_a_command_lists_its_flags(words, capsys):
    """Both spellings of a flag are told."""
    code = main(words)

    out = capsys.readouterr().out
    assert 0 == code
    # Python 3.13 names the value once, behind both spellings.
    assert "--config FILE" in out
    assert any(line.lstrip().startswith("-config") for line in out.splitlines())


@pytest.mark.parametrize(
    "flags",
    [
        ["-config", "config.yaml"],
        ["--config", "config.yaml"],
        ["-config=config.yaml"],
        ["--config=config.yaml"],
        [],
    ],
)
def test_validate_summarises_a_good_file(flags, config, capsys):
    """The documented four lines, whichever way the flag is written."""
    code = main(["validate", *flags])

    assert 0 == code
    assert (
        "config config.yaml: valid\n  backends: 2\n  buckets:  1\n  routing:  spread\n"
    ) == capsys.readouterr().out


def test_validate_warns_of_what_is_probably_not_meant(config, capsys):
    """A warning is no failure."""
    assert 0 == main(["validate"])
    assert "warning: replication.factor: 1 keeps one copy of every object\n" == (
        capsys.readouterr().err
    )


def test_validate_lists_every_problem(config, capsys):
    """One run, one list, one corrected file."""
    config.write_text(CONFIG.replace("spread", "spraed") + "replicatoin: {}\n")

    code = main(["validate"])

    out, err = capsys.readouterr()
    assert (1, "") == (code, out)
    assert (
        "config.yaml:5:1: routing_strategy: must be 'pack' or 'spread' (did you mean "
        "'spread'?)\n"
        "config.yaml:9:1: replicatoin: unknown key (did you mean 'replication'?)\n"
        "error: config config.yaml: 2 problems\n"
    ) == err


def test_validate_reads_the_environment(config, monkeypatch, capsys):
    """The service will see the same variables."""
    config.write_text(CONFIG.replace("token: t", "token: '${S3O_TEST_TOKEN}'"))

    assert 1 == main(["validate"])
    monkeypatch.setenv("S3O_TEST_TOKEN", "t")
    assert 0 == main(["validate"])
    assert "environment variable S3O_TEST_TOKEN is not set" in capsys.readouterr().err


def test_validate_says_that_a_file_is_absent(capsys):
    """The commonest mistake of all."""
    code = main(["validate", "-config", "/nowhere/config.yaml"])

    assert 1 == code
    assert capsys.readouterr().err.startswith(
        "/nowhere/config.yaml: cannot be read: No such file or directory\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["vaildate"], "unknown command 'vaildate' (did you mean 'validate'?)"),
        (["help", "sevre"], "unknown command 'sevre' (did you mean 'serve'?)"),
        (["frobnicate"], "unknown command 'frobnicate'; see"),
        (["doctor"], "command 'doctor' is not in this version"),
        (["validate", "--confg", "x"], "unrecognized arguments: --confg x"),
        (["validate", "--conf", "x"], "unrecognized arguments: --conf x"),
        (["validate", "stray"], "unrecognized arguments: stray"),
        (["validate", "-config"], "expected one argument"),
        (["-mode", "boss"], 'invalid mode "boss": must be api, worker, or all'),
        (["serve", "--mode", "api"], "mode api is not in this version"),
    ],
)
def test_command_lines_that_make_no_sense_end_with_2(words, message, capsys):
    """Scripts tell a wrong call from a failed one; people get told what they meant."""
    code = main(words)

    out, err = capsys.readouterr()
    assert (2, "") == (code, out)
    assert message in err


def test_validate_names_a_backend_whose_provider_is_unknown(config, capsys):
    """It works, but with whole blobs only."""
    config.write_text(CONFIG + S3_BACKEND)
    code = main(["validate"])

    assert 0 == code
    assert "warning: backends[c].profile is not set" in capsys.readouterr().err


@pytest.mark.parametrize("is_grouped", [True, False])
def test_an_interrupted_command_says_so(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    is_grouped: bool,
) -> None:
    """Ctrl-C beside several tasks arrives in a group; 1 would mean differences."""

    def run(_options: argparse.Namespace) -> int:
        interrupt = KeyboardInterrupt()
        raise BaseExceptionGroup("", [interrupt]) if is_grouped else interrupt

    monkeypatch.setitem(COMMANDS, "fsck", replace(COMMANDS["fsck"], run=run))

    assert 130 == main(["fsck"])
    assert "interrupted\n" == capsys.readouterr().err


def test_a_bug_beside_an_interrupt_is_not_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It keeps its traceback."""

    def run(_options: argparse.Namespace) -> int:
        raise BaseExceptionGroup("", [KeyboardInterrupt(), KeyError("x")])

    monkeypatch.setitem(COMMANDS, "fsck", replace(COMMANDS["fsck"], run=run))

    with pytest.raises(BaseExceptionGroup):
        main(["fsck"])

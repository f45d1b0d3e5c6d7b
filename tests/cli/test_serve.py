"""serve and demo hand over to the service, which is loaded only then."""

import sys
from types import ModuleType

import pytest

from s3o.cli import main
from s3o.config import ConfigError, Problem


@pytest.fixture
def service(monkeypatch):
    """A service that notes how it was called, and returns or raises its outcome."""
    calls = []

    def run_service(path):
        calls.append(path)
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return outcome[0]

    def run_demo(listen_addr, folder):
        calls.append((listen_addr, folder))
        return 0

    outcome = [0]
    for name, function in (("run", run_service), ("demo", run_demo)):
        module = ModuleType(f"s3o.daemon.{name}")
        setattr(module, function.__name__, function)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return calls, outcome


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ([], "config.yaml"),
        (["-config", "/etc/x.yaml"], "/etc/x.yaml"),
        (["--config=/etc/x.yaml", "-mode", "all"], "/etc/x.yaml"),
        (["serve"], "config.yaml"),
        (["serve", "--config", "x"], "x"),
    ],
)
def test_serve_is_the_command_when_none_is_named(words, path, service):
    """Units and images start the service without a word."""
    calls, _ = service

    assert 0 == main(words)
    assert [path] == calls


def test_exit_code_is_the_services(service):
    """The supervisor decides by it."""
    _, outcome = service
    outcome[0] = 3

    assert 3 == main(["serve"])


def test_configuration_that_cannot_be_used_is_told_without_a_traceback(service, capsys):
    """The journal shows what to fix, and where."""
    _, outcome = service
    outcome[0] = ConfigError((Problem(file="f", line=2, column=1, message="bad"),))

    assert 1 == main([])
    assert "f:2:1: bad\nerror: config config.yaml: 1 problem\n" == (
        capsys.readouterr().err
    )


def test_demo_takes_an_address_and_a_folder(service):
    """Port 9000 may be taken."""
    calls, _ = service

    assert 0 == main(["demo"])
    assert 0 == main(["demo", "-listen-addr", ":9100", "--folder", "/tmp/x"])
    assert [("127.0.0.1:9000", None), (":9100", "/tmp/x")] == calls

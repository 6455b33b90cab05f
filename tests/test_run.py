"""run.py: what it says when it can't start, and when it installs nothing."""

import socket
import subprocess
import sys

import pytest

import run


@pytest.fixture
def place(tmp_path, monkeypatch):
    """run.py in an empty folder of its own, and the commands that it would have started."""
    started = []
    for name in ("requirements.txt", "requirements-dev.txt"):
        (tmp_path / name).write_text(f"# {name}\n")
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(run.shutil, "which", lambda name: None)
    monkeypatch.setattr(run.subprocess, "call", lambda c, **_: started.append(c) or 0)
    monkeypatch.setattr(run.subprocess, "check_call", lambda c, **_: started.append(c))
    monkeypatch.setattr(run, "make_environment", lambda uv: install_python(tmp_path))
    monkeypatch.setattr(run, "works", lambda interpreter: interpreter.exists())
    return started


def install_python(folder):
    interpreter = run.python()
    assert interpreter.is_relative_to(folder)
    interpreter.parent.mkdir(parents=True)
    interpreter.write_text("")


def test_an_old_python_is_told_so(monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 10, 4, "final", 0))
    assert run.main([]) == 1
    assert "needs Python 3.11 or newer" in capsys.readouterr().err


def test_a_busy_port_is_named_with_a_way_out(capsys):
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        port = other.getsockname()[1]
        assert run.main(["--port", str(port)]) == 1
    said = capsys.readouterr().err
    assert f"Port {port} is taken" in said and f"--port {port + 1}" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--port", "x"], "--help"), (["--port"], "--help"), (["start"], "--help"),
     (["--port", "0"], "between"), (["--port", "70000"], "between")],
)  # fmt: skip
def test_odd_arguments_are_answered(arguments, said, capsys):
    assert run.main(arguments) == 1
    assert said in capsys.readouterr().err


def test_no_network_is_a_sentence(place, monkeypatch, capsys):
    def fails(command, **_):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(run.subprocess, "check_call", fails)
    assert run.main(["test"]) == 1
    assert "Without a connection" in capsys.readouterr().err


def test_a_folder_that_may_not_be_written_is_a_sentence(place, monkeypatch, capsys):
    def fails(uv):
        raise PermissionError("no")

    monkeypatch.setattr(run, "make_environment", fails)
    assert run.main(["test"]) == 1
    assert "may write to" in capsys.readouterr().err


def test_the_second_start_installs_nothing(place):
    assert run.main(["test", "-x"]) == 0
    assert any("requirements-dev.txt" in part for part in place[0])
    assert place[1][1:] == ["-m", "pytest", "-x"]
    place.clear()
    assert run.main(["test"]) == 0
    assert [command[1:] for command in place] == [["-m", "pytest"]]


def test_the_book_starts_on_what_the_tests_installed(place):
    with socket.socket() as probe:
        probe.bind(("", 0))
        port = str(probe.getsockname()[1])
    run.main(["test"])
    place.clear()
    assert run.main(["--port", port]) == 0
    assert [command[1:4] for command in place] == [["-m", "streamlit", "run"]]
    assert place[0][place[0].index("--server.port") + 1] == port


def test_other_requirements_are_installed_again(place):
    run.main(["test"])
    place.clear()
    (run.ROOT / "requirements.txt").write_text("numpy\n")
    run.main(["test"])
    assert len(place) == 2


def test_help_explains_the_commands(capsys):
    assert run.main(["--help"]) == 0
    assert "python run.py test" in capsys.readouterr().out

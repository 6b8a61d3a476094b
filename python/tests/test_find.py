"""The binary is found where installers put it, or every place is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import everbeat
from everbeat import BinaryNotFound, _find, find_everbeat_bin


def make_binary(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\necho found\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """As if the package were in a folder where nothing else is."""
    monkeypatch.delenv("EVERBEAT_BIN", raising=False)
    monkeypatch.setattr(_find.sysconfig, "get_path", lambda *_, **__: str(tmp_path / "scripts"))
    return tmp_path


@pytest.mark.parametrize(
    ("package", "binary"),
    [
        ("target/everbeat", "target/bin/everbeat"),
        ("prefix/lib/python3.11/site-packages/everbeat", "prefix/bin/everbeat"),
        ("nested/lib64/python3.9/dist-packages/everbeat", "nested/bin/everbeat"),
        ("any/everbeat", "scripts/everbeat"),
    ],
)
def test_found_where_installers_put_it(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, package: str, binary: str
) -> None:
    monkeypatch.setattr(_find, "__file__", str(nowhere / package / "_find.py"))
    made = make_binary(nowhere / binary)
    assert find_everbeat_bin() == made


def test_every_path_that_was_tried_is_listed(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = nowhere / "prefix/lib/python3.11/site-packages/everbeat"
    monkeypatch.setattr(_find, "__file__", str(package / "_find.py"))
    with pytest.raises(BinaryNotFound) as error:
        find_everbeat_bin()
    for place in ("scripts", "prefix/bin", "prefix/lib/python3.11/site-packages/bin"):
        assert str(nowhere / place / "everbeat") in str(error.value)


def test_one_that_is_named_is_the_only_one_tried(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_binary(nowhere / "mine")
    monkeypatch.setenv("EVERBEAT_BIN", made)
    assert find_everbeat_bin() == made
    monkeypatch.setenv("EVERBEAT_BIN", str(nowhere / "absent"))
    with pytest.raises(BinaryNotFound, match="absent"):
        find_everbeat_bin()
    with pytest.raises(BinaryNotFound):
        everbeat.HeartbeatLoop("http://platform", "ws-1").start()


def test_the_module_is_the_binary() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "everbeat", "--version"], capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("everbeat ")


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"EVERBEAT_CONTROL": "/nowhere/c.sock"},
        {"EVERBEAT_STATE_DIR": "/nowhere/state", "CONFIGS_DIR": "/nowhere/configs"},
        {"EVERBEAT_CONFIGS_DIR": "/nowhere/mine", "CONFIGS_DIR": "/nowhere/configs"},
    ],
)
def test_the_socket_is_looked_for_where_the_commands_look(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("EVERBEAT_CONTROL", "EVERBEAT_STATE_DIR", "EVERBEAT_CONFIGS_DIR", "CONFIGS_DIR")
    for variable in names:
        monkeypatch.delenv(variable, raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(everbeat.NoAgent) as error:
        everbeat.find_control()
    asked = subprocess.run([find_everbeat_bin(), "status"], capture_output=True, text=True)
    assert asked.returncode == 4

    def tried(text: str) -> list[str]:
        lines = [line.strip() for line in text.splitlines()]
        return [line for line in lines if line.startswith("/")]

    assert tried(str(error.value)) == tried(asked.stderr)


def test_no_agent_names_what_was_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("EVERBEAT_CONTROL", "EVERBEAT_STATE_DIR", "EVERBEAT_CONFIGS_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("CONFIGS_DIR", str(tmp_path))
    with pytest.raises(everbeat.NoAgent) as error:
        everbeat.find_control()
    path = os.path.join(str(tmp_path), "everbeat", "control.sock")
    assert f"{path}: absent" in str(error.value)
    stale = tmp_path / "stale.sock"
    import socket

    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(stale))
    with pytest.raises(everbeat.NoAgent, match="nobody listens"):
        everbeat.find_control(str(stale))

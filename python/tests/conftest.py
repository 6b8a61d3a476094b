"""A platform to beat to, and a workspace on it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from everbeat import find_everbeat_bin

PATIENCE_S = 40.0


def wait_for(what: str, holds: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """Until it holds; time that a busy machine takes is no failure."""
    end = time.monotonic() + patience_s
    while True:
        found = holds()
        if found:
            return found
        assert time.monotonic() < end, f"not in {patience_s} s: {what}"
        time.sleep(0.02)


class Platform:
    """The platform's model, served over HTTP by the binary."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [find_everbeat_bin(), "platform", "--listen", "127.0.0.1:0", "--admin"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.url = "http://" + line.split("http://")[1].split()[0].rstrip("/")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def seen(self, workspace: str) -> Any:
        return self.ask("GET", "/admin/state")["workspaces"][workspace]

    def beats(self, workspace: str) -> int:
        return int(self.seen(workspace)["beats"]["total"])

    def beat_times_ms(self, workspace: str) -> list[int]:
        return [beat["at_ms"] for beat in self.seen(workspace)["beats"]["newest"]]


class Workspace:
    """One workspace: on the platform, and its files in this environment."""

    def __init__(self, platform: Platform, name: str, folder: Path) -> None:
        self.platform = platform
        self.id = name
        self.configs = folder / "configs"
        self.results = folder / "results.jsonl"
        self.configs.mkdir()
        token = platform.ask("POST", "/admin/workspaces", {"id": name, "turn_ms": 0})["token"]
        (self.configs / ".auth_token").write_text(token)

    def environment(self) -> dict[str, str]:
        return {
            "CONFIGS_DIR": str(self.configs),
            "DELEGATION_RESULTS_FILE": str(self.results),
            "EVERBEAT_DEV_TIMING": "true",
            "EVERBEAT_COOLDOWN": "200ms",
            "WORKSPACE_ID": self.id,
            "PLATFORM_URL": self.platform.url,
        }

    def seen(self) -> Any:
        return self.platform.seen(self.id)

    def beats(self) -> int:
        return self.platform.beats(self.id)

    def wait_for_beats(self, more: int = 1) -> None:
        least = self.beats() + more
        wait_for(f"{more} more beats", lambda: self.beats() >= least)

    def completed(self, delegation: str) -> None:
        new = {"workspace": self.id, "target": "ws-other", "task": "look", "id": delegation}
        self.platform.ask("POST", "/admin/delegations", new)
        finish = {"status": "completed", "text": f"the text of {delegation}"}
        self.platform.ask("POST", f"/admin/delegations/{delegation}/finish", finish)


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    platform = Platform()
    yield platform
    platform.process.terminate()
    platform.process.wait(10)


@pytest.fixture
def workspace(
    platform: Platform,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Workspace:
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:60]
    workspace = Workspace(platform, name, tmp_path)
    for variable in [name for name in os.environ if name.startswith("EVERBEAT_")]:
        if variable != "EVERBEAT_BIN":
            monkeypatch.delenv(variable)
    for variable, value in workspace.environment().items():
        monkeypatch.setenv(variable, value)
    return workspace


def is_running(pid: int) -> bool:
    """Whether there is such a process, a zombie not counted."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"

"""A client of the control socket, on the standard library alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_TIMEOUT_S = 5.0


class NoAgent(ConnectionError):
    """No agent answers at the control socket."""


class ControlError(RuntimeError):
    """The agent refused a request.

    ``kind`` is the last part of the problem's type, such as ``invalid-field``;
    ``field`` is the one to blame, if one is.
    """

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("detail") or problem.get("title") or f"status {status}")
        self.status = status
        self.kind = str(problem.get("type", "")).rpartition(":")[2]
        self.field: str | None = problem.get("field")


class Lease:
    """Results that were handed out: a list, and the right to forget them."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.id: str | None = answer["lease"]
        self.results: list[dict[str, Any]] = answer["results"]
        self.unreadable: list[str] = answer.get("unreadable", [])
        self.redelivered: bool = answer["redelivered"]
        self.expires_in_s: float | None = answer["expires_in_s"]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)


class Control:
    """Talks to a running agent; one connection a request, none kept open.

    Raises:
        NoAgent: if none answers, from every method.
        ControlError: if it refuses, from every method.
    """

    def __init__(self, path: str | None = None, timeout: float = _TIMEOUT_S) -> None:
        """At ``path``, or where :func:`find_control` finds one."""
        self.path = path or find_control()
        self.timeout = timeout

    def status(self) -> dict[str, Any]:
        """All that is known."""
        answer: dict[str, Any] = self._ask("GET", "/v1/status")
        return answer

    def start_task(self, task: str, title: str | None = None, ttl: float | None = None) -> None:
        """A task runs, or runs on; with a ``ttl`` in seconds it ends by itself."""
        self._ask("PUT", f"/v1/tasks/{_segment(task)}", _given(title=title, ttl_s=ttl))

    def end_task(self, task: str) -> None:
        """A task ended, however."""
        self._ask("DELETE", f"/v1/tasks/{_segment(task)}")

    def replace_tasks(self, tasks: list[dict[str, Any]], current_task: str | None = None) -> None:
        """Exactly these tasks run: ``{"id", "title", "ttl_s"}`` each."""
        self._ask("PUT", "/v1/tasks", _given(tasks=tasks, current_task=current_task))

    def success(self, count: int = 1) -> None:
        """Something went well, so many times."""
        self._ask("POST", "/v1/outcomes", {"success": True, "count": count})

    def error(self, message: str, count: int = 1) -> None:
        """Something failed, so many times."""
        self._ask("POST", "/v1/outcomes", {"error": message, "count": count})

    def wedge(self, reason: str) -> None:
        """The agent cannot go on."""
        self._ask("PUT", "/v1/wedge", {"reason": reason})

    def clear_wedge(self) -> None:
        """The agent can go on."""
        self._ask("DELETE", "/v1/wedge")

    def metadata(self, metadata: dict[str, Any]) -> None:
        """What the adapter can do: ``capabilities`` and ``idle_timeout_seconds``."""
        self._ask("PUT", "/v1/metadata", metadata)

    def awaits(self, delegation_id: str) -> None:
        """The agent waits for this delegation."""
        self._ask("PUT", f"/v1/awaits/{_segment(delegation_id)}")

    def awaits_no_more(self, delegation_id: str) -> None:
        """The agent waits for it no more."""
        self._ask("DELETE", f"/v1/awaits/{_segment(delegation_id)}")

    def beat(self) -> None:
        """A beat is due now."""
        self._ask("POST", "/v1/beat")

    def take(self, lease_s: float | None = None) -> Lease:
        """Takes what waits, under a lease; acknowledge it by :meth:`ack`."""
        return Lease(self._ask("POST", "/v1/results/take", _given(lease_s=lease_s)))

    def ack(self, lease: str) -> None:
        """What was handed out under this lease is forgotten."""
        self._ask("POST", "/v1/results/ack", {"lease": lease})

    @contextmanager
    def results(self, lease_s: float | None = None) -> Iterator[Lease]:
        """Takes what waits; forgotten once the block ends without an exception."""
        lease = self.take(lease_s)
        yield lease
        if lease.id is not None:
            self.ack(lease.id)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        # Not before it is needed: an import of this package is to be quick.
        from . import _http

        try:
            status, said = _http.ask(self.path, self.timeout, method, path, body)
        except _http.FAILURES as error:
            raise NoAgent(f"no agent answers at {self.path}: {error}") from error
        if status >= 400:
            raise ControlError(status, said if isinstance(said, dict) else {})
        return said


def find_control(path: str | None = None) -> str:
    """The control socket of the agent beside this process.

    One that is given, here or by ``EVERBEAT_CONTROL``, is the only one tried;
    then those in the state folder and in the configurations' folder.

    Raises:
        NoAgent: with every path that was tried, and what was found there.
    """
    tried = []
    for candidate in _candidates(path):
        problem = _probe(candidate)
        if problem is None:
            return candidate
        tried.append(f"  {candidate}: {problem}\n")
    raise NoAgent("no agent answers; tried:\n" + "".join(tried) + "is `everbeat run` running?")


def _candidates(path: str | None) -> list[str]:
    given = path or os.environ.get("EVERBEAT_CONTROL")
    if given:
        return [given]
    candidates = []
    state = os.environ.get("EVERBEAT_STATE_DIR")
    if state:
        candidates.append(os.path.join(state, "control.sock"))
    configs = os.environ.get("EVERBEAT_CONFIGS_DIR") or os.environ.get("CONFIGS_DIR")
    for folder in (configs, "/configs"):
        if folder:
            candidates.append(os.path.join(folder, "everbeat", "control.sock"))
    return list(dict.fromkeys(candidates))


def _probe(path: str) -> str | None:
    import socket

    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(_TIMEOUT_S)
            probe.connect(path)
    except FileNotFoundError:
        return "absent"
    except PermissionError:
        return "not allowed"
    except ConnectionRefusedError:
        return "nobody listens"
    except OSError as error:
        return str(error)
    return None


def _segment(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}

"""The heartbeat loop, with the surface of the one that it replaces."""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from . import _state
from ._client import Control, ControlError, Lease, NoAgent
from ._find import find_everbeat_bin
from ._results import read_delegation_results

if TYPE_CHECKING:
    from ._child import Child

# What the agent sets is passed on this soon, and merged until then.
_TICK_S = 0.2
# How often the counters are compared with what the platform has accepted, and
# the reference's modules are looked at.
_LOOK_S = 2.0
_RESTART_FIRST_S = 0.5
_RESTART_MOST_S = 30.0
# A child that lived so long starts again at once.
_LIVED_S = 60.0
# A child that was just started listens after some milliseconds.
_LISTENS_SOON_S = 0.05
_TASKS_MAX = 256
_EXIT_USAGE = 2


class HeartbeatLoop:
    """Keeps a workspace alive on its platform, from a process of its own.

    Usable before :meth:`start`; what was set until then goes with the first
    beat. Nothing in here blocks the caller or raises because of the platform:
    a thread passes on what was set, merged.

    Other settings come from the environment, as for ``everbeat run``
    (``CONFIGS_DIR``, ``DELEGATION_RESULTS_FILE``, ``EVERBEAT_...``). ``log``
    is where the child's log goes, as :mod:`subprocess` takes it: by default to
    this process's standard error.
    """

    def __init__(
        self,
        platform_url: str,
        workspace_id: str,
        interval_seconds: float = 30,
        *,
        log: int | IO[Any] | None = None,
    ) -> None:
        self.platform_url = platform_url
        self.workspace_id = workspace_id
        self.start_time = time.time()
        self._interval_s = float(interval_seconds)
        self._child_log = log
        self._active_tasks = 0
        self._current_task = ""
        self._sample_error = ""
        # Since the last beat that was accepted, as far as is known.
        self._requests = 0
        self._errors = 0
        # Of these, what the child has not been told.
        self._requests_untold = 0
        self._errors_untold = 0
        self._sample_error_untold = False
        self._make_threading()
        _loops.add(self)

    def _make_threading(self) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._child: Child | None = None
        self._told = _Told()

    # What the agent says.

    @property
    def active_tasks(self) -> int:
        """How many tasks run."""
        return self._active_tasks

    @active_tasks.setter
    def active_tasks(self, count: int) -> None:
        self._active_tasks = count
        self._wake.set()

    @property
    def current_task(self) -> str:
        """What a person reads about them."""
        return self._current_task

    @current_task.setter
    def current_task(self, title: str) -> None:
        self._current_task = title
        self._wake.set()

    @property
    def sample_error(self) -> str:
        """The last error."""
        return self._sample_error

    @sample_error.setter
    def sample_error(self, message: str) -> None:
        with self._lock:
            self._sample_error = message
            self._sample_error_untold = bool(message)
        self._wake.set()

    def record_error(self, error: str) -> None:
        """A request failed."""
        with self._lock:
            self._requests += 1
            self._errors += 1
            self._requests_untold += 1
            self._errors_untold += 1
            self._sample_error = error
        self._wake.set()

    def record_success(self) -> None:
        """A request went well."""
        with self._lock:
            self._requests += 1
            self._requests_untold += 1
        self._wake.set()

    @property
    def error_count(self) -> int:
        """Errors since the platform last accepted a beat."""
        return self._errors

    @property
    def request_count(self) -> int:
        """Requests since the platform last accepted a beat."""
        return self._requests

    @property
    def error_rate(self) -> float:
        """Errors for each request; 0 without any."""
        with self._lock:
            return self._errors / self._requests if self._requests else 0.0

    def mark_wedged(self, reason: str) -> None:
        """See :func:`everbeat.mark_wedged`."""
        _state.mark_wedged(reason)

    def clear_wedge(self) -> None:
        """See :func:`everbeat.clear_wedge`."""
        _state.clear_wedge()

    def is_wedged(self) -> bool:
        """See :func:`everbeat.is_wedged`."""
        return _state.is_wedged()

    def wedge_reason(self) -> str:
        """See :func:`everbeat.wedge_reason`."""
        return _state.wedge_reason()

    def register_awaited_delegation(self, delegation_id: str) -> None:
        """See :func:`everbeat.register_awaited_delegation`."""
        _state.register_awaited_delegation(delegation_id)

    def set_runtime_metadata(
        self, capabilities: Mapping[str, bool], idle_timeout_seconds: int | None = None
    ) -> None:
        """See :func:`everbeat.set_runtime_metadata`."""
        _state.set_runtime_metadata(capabilities, idle_timeout_seconds)

    def read_delegation_results(self) -> str:
        """See :func:`everbeat.read_delegation_results`."""
        return read_delegation_results()

    @contextmanager
    def take_results(self, lease_s: float | None = None) -> Iterator[Lease]:
        """Results under a lease: forgotten once the block ends without an exception.

        Raises:
            NoAgent: if the loop does not run.
            ControlError: of kind ``conflict`` while somebody else has them.
        """
        with self.control().results(lease_s) as lease:
            yield lease

    # Its life.

    @property
    def pid(self) -> int | None:
        """The child's process id, while there is one."""
        child = self._child
        return child.pid if child else None

    def control(self) -> Control:
        """The child's control socket.

        Raises:
            NoAgent: if the loop does not run.
        """
        child = self._child
        if child is None:
            raise NoAgent("the heartbeat loop does not run: call start() first")
        return child.control

    def start(self) -> None:
        """Begins to beat. Does nothing if it does already.

        Raises:
            BinaryNotFound: if the binary was not installed with this package.
        """
        if self._thread is not None and self._thread.is_alive():
            return
        find_everbeat_bin()
        self._stopping.clear()
        self._told = _Told()
        _state.listen(self._wake.set)
        self._thread = threading.Thread(target=self._run, name="everbeat-heartbeat", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Sends the last state and ends the child, without blocking the event loop."""
        import asyncio

        await asyncio.get_running_loop().run_in_executor(None, self.close)

    def close(self) -> None:
        """The same for callers that have no event loop; takes a few seconds at most."""
        thread = self._thread
        if thread is None:
            return
        self._stopping.set()
        self._wake.set()
        _state.forget(self._wake.set)
        if thread is not threading.current_thread():
            thread.join(10)
        self._thread = None

    def _run(self) -> None:
        pause, began = _RESTART_FIRST_S, time.monotonic()
        looked = 0.0
        try:
            while not self._stopping.is_set():
                if self._child is None:
                    began = time.monotonic()
                    try:
                        self._begin()
                    except OSError as error:
                        _say(
                            "error", "everbeat cannot be started: %s; again in %.1f s", error, pause
                        )
                        self._stopping.wait(pause)
                        pause = min(2 * pause, _RESTART_MOST_S)
                        continue
                elif (code := self._child.exit_code()) is not None:
                    self._child = None
                    lived = time.monotonic() - began
                    pause = _RESTART_FIRST_S if lived > _LIVED_S else pause
                    if code == _EXIT_USAGE:
                        _say("error", "everbeat cannot run as configured; its log says why")
                        return
                    _say(
                        "warning", "everbeat ended with %s; it starts again in %.1f s", code, pause
                    )
                    self._stopping.wait(pause)
                    pause = min(2 * pause, _RESTART_MOST_S)
                    continue
                is_time = time.monotonic() - looked >= _LOOK_S
                looked = time.monotonic() if is_time else looked
                is_heard = self._pass_on(is_time)
                if not is_heard:
                    looked = 0.0
                    self._stopping.wait(_LISTENS_SOON_S)
                    continue
                self._wake.wait(_LOOK_S)
                # Whoever sets several things at once is heard once.
                self._stopping.wait(_TICK_S)
                self._wake.clear()
            self._pass_on(False)
        finally:
            child, self._child = self._child, None
            if child is not None:
                child.stop()

    def _begin(self) -> None:
        # Not before it is needed: an import of this package is to be quick.
        from ._child import Child

        self._child = Child(self._arguments(), self._child_log)
        # It has not heard of anything.
        self._told = _Told()
        with self._lock:
            self._requests_untold, self._errors_untold = self._requests, self._errors

    def _arguments(self) -> list[str]:
        interval_s = self._interval_s
        if "EVERBEAT_DEV_TIMING" not in os.environ:
            interval_s = min(max(interval_s, 5.0), 300.0)
        arguments = ["--workspace-id", self.workspace_id, "--platform-url", self.platform_url]
        return [*arguments, "--interval", f"{round(interval_s * 1000)}ms"]

    def _pass_on(self, is_time: bool) -> bool:
        """Whether the child listens."""
        child = self._child
        if child is None:
            return False
        try:
            self._tell_tasks(child.control)
            self._tell_outcomes(child.control)
            self._tell_process(child.control, is_time)
            if is_time:
                self._take_counts(child.control)
        except NoAgent:
            # It has not begun to listen, or has just ended: next time.
            return False
        except ControlError as error:
            _say("warning", "everbeat refuses a report: %s", error)
        return True

    def _tell_tasks(self, control: Control) -> None:
        count = max(0, min(int(self._active_tasks), _TASKS_MAX))
        now = (count, str(self._current_task))
        if now == self._told.tasks:
            return
        tasks = [{"id": f"task-{number}", "title": now[1]} for number in range(1, count + 1)]
        control.replace_tasks(tasks, current_task=now[1])
        self._told.tasks = now

    def _tell_outcomes(self, control: Control) -> None:
        with self._lock:
            errors = self._errors_untold
            successes = self._requests_untold - errors
            sample = self._sample_error
            sample_alone = self._sample_error_untold and errors == 0
        while errors > 0:
            part = min(errors, 1000)
            control.error(sample or "unknown", part)
            errors -= part
            with self._lock:
                self._errors_untold -= part
                self._requests_untold -= part
                self._sample_error_untold = False
        while successes > 0:
            part = min(successes, 1000)
            control.success(part)
            successes -= part
            # A success clears the wedge: it is told again if it still holds.
            self._told.wedge = None
            with self._lock:
                self._requests_untold -= part
        if sample_alone:
            control.error(sample, 0)
            with self._lock:
                self._sample_error_untold = False

    def _tell_process(self, control: Control, is_time: bool) -> None:
        wedge = _state.current_wedge()
        if wedge != self._told.wedge:
            if self._told.wedge is not None:
                control.clear_wedge()
            if wedge is not None:
                control.wedge(wedge)
            self._told.wedge = wedge
        if is_time or self._told.metadata is None:
            metadata = _state.current_metadata()
            if metadata is not None and metadata != self._told.metadata:
                control.metadata(metadata)
                self._told.metadata = metadata
        awaited = _state.awaited()
        for delegation in awaited:
            if delegation not in self._told.awaited:
                control.awaits(delegation)
                self._told.awaited.add(delegation)
        self._told.awaited.intersection_update(awaited)

    def _take_counts(self, control: Control) -> None:
        vitals = control.status()["vitals"]
        with self._lock:
            self._requests = vitals["requests"] + self._requests_untold
            self._errors = vitals["errors"] + self._errors_untold

    def _after_fork_in_child(self) -> None:
        child = self._child
        self._make_threading()
        if child is not None:
            child.abandon()


def _say(level: str, message: str, *values: object) -> None:
    import logging

    getattr(logging.getLogger("everbeat"), level)(message, *values)


class _Told:
    """What the child was told."""

    def __init__(self) -> None:
        self.tasks: tuple[int, str] = (0, "")
        self.wedge: str | None = None
        self.metadata: dict[str, Any] | None = None
        self.awaited: set[str] = set()


_loops: weakref.WeakSet[HeartbeatLoop] = weakref.WeakSet()


def _close_all() -> None:
    for loop in list(_loops):
        loop.close()


def _after_fork_in_child() -> None:
    _state.after_fork_in_child()
    for loop in list(_loops):
        loop._after_fork_in_child()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_after_fork_in_child)

"""The binary as a child process that ends with this one."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import stat
import subprocess
import tempfile
from typing import IO, Any

from ._client import Control
from ._find import find_everbeat_bin

# The binary itself stops within two seconds.
_STOP_S = 3.0
# A socket is made in a folder of its own beside its path first.
_SOCKET_PATH_MAX = 80
_number = itertools.count(1)


class Child:
    """One run of the binary.

    Its standard input is a pipe that only this process holds open: however
    this process ends, the pipe ends with it, and so does the child.
    """

    def __init__(self, arguments: list[str], log: int | IO[Any] | None) -> None:
        """Starts it. ``log`` is where its log goes, as :mod:`subprocess` takes it."""
        self.socket = _socket_path()
        command = [find_everbeat_bin(), "run", "--control", self.socket, "--exit-with-stdin"]
        self._process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={name: value for name, value in os.environ.items() if name != "EVERBEAT_BIN"},
            # An interrupt from the terminal is for the agent to deal with.
            start_new_session=True,
        )
        self.control = Control(self.socket)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """What it ended with, once it has; it is reaped then."""
        code = self._process.poll()
        if code is not None:
            self._clean_up()
        return code

    def stop(self) -> None:
        """Asks it to end, and sees to it; at most about three seconds."""
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self._process.wait()
        self._clean_up()

    def abandon(self) -> None:
        """In a forked process: it is the other one's child."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        # It cannot be waited for here, and nobody is to be told so.
        self._process.returncode = 0

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(OSError):
            self._process.send_signal(number)

    def _clean_up(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        # One that was killed has left it.
        with contextlib.suppress(OSError):
            os.unlink(self.socket)


def _socket_path() -> str:
    """A name in this user's own folder, which stays: nobody may be left to remove it."""
    folder = os.path.join(tempfile.gettempdir(), f"everbeat-{os.getuid()}")
    path = os.path.join(folder, f"{os.getpid()}-{next(_number)}.sock")
    if len(os.fsencode(path)) > _SOCKET_PATH_MAX:
        # A socket's path must be short.
        folder = f"/tmp/everbeat-{os.getuid()}"
        path = os.path.join(folder, os.path.basename(path))
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} must be a folder that only this user can enter")
    return path

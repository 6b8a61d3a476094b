"""The beat is another process: nothing that this one does delays or outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PATIENCE_S, Workspace, is_running, wait_for

PRELUDE = """
import asyncio, os, sys, time
from everbeat import HeartbeatLoop
loop = HeartbeatLoop(os.environ["PLATFORM_URL"], os.environ["WORKSPACE_ID"], 0.4)
loop.start()
def beating():
    end = time.monotonic() + 40
    while time.monotonic() < end:
        try:
            if loop.control().status()["beat"]["accepted"]:
                print(loop.pid, flush=True)
                return
        except ConnectionError:
            pass
        time.sleep(0.02)
beating()
"""


def program(text: str, **options) -> subprocess.Popen:
    code = PRELUDE + textwrap.dedent(text)
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, **options
    )


def child_of(process: subprocess.Popen) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def assert_beats_go_on(workspace: Workspace, count: int = 10) -> None:
    """So many more beats, none more than a few intervals after the last."""
    workspace.wait_for_beats(count)
    times = workspace.platform.beat_times_ms(workspace.id)[-count:]
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    assert max(gaps) < 2_000, f"beats every 400 ms came {gaps} ms apart"


@pytest.mark.parametrize(
    "busy",
    [
        # In C, with the interpreter's lock held.
        "sum(range(10**12))",
        # In the event loop, which nothing else gets.
        "asyncio.run(asyncio.wait_for(asyncio.to_thread(time.sleep, 600), None))",
        """
        async def blocks():
            time.sleep(600)
        asyncio.run(blocks())
        """,
        "import re; re.match(r'(a+)+$', 'a' * 60 + 'b')",
    ],
    ids=["holds-the-lock", "waits", "blocks-the-event-loop", "regex"],
)
def test_a_program_that_never_yields_delays_no_beat(workspace: Workspace, busy: str) -> None:
    process = program(busy)
    child = child_of(process)
    assert_beats_go_on(workspace)
    process.kill()
    process.wait(PATIENCE_S)
    wait_for("the child is gone with its parent", lambda: not is_running(child))


def test_a_stopped_program_delays_no_beat(workspace: Workspace) -> None:
    process = program("time.sleep(600)")
    child = child_of(process)
    process.send_signal(signal.SIGSTOP)
    assert_beats_go_on(workspace)
    process.send_signal(signal.SIGCONT)
    process.terminate()
    process.wait(PATIENCE_S)
    wait_for("the child is gone with its parent", lambda: not is_running(child))


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("", 0),
        ("sys.exit(7)", 7),
        ("raise RuntimeError", 1),
        ("os._exit(3)", 3),
        ("os.kill(os.getpid(), 9)", -9),
        ("asyncio.run(asyncio.sleep(0))", 0),
        ("asyncio.run(loop.stop()); loop.start(); beating()", 0),
    ],
)
def test_the_child_ends_with_its_parent(workspace: Workspace, ending: str, code: int) -> None:
    process = program(ending, stderr=subprocess.DEVNULL)
    child = child_of(process)
    assert process.wait(PATIENCE_S) == code
    wait_for("the child is gone", lambda: not is_running(child))


def test_a_forked_process_neither_ends_nor_keeps_the_child(workspace: Workspace) -> None:
    process = program(
        """
        forked = os.fork()
        if forked == 0:
            # It ends in the ordinary way: atexit and all.
            sys.exit(0)
        os.waitpid(forked, 0)
        forked = os.fork()
        if forked == 0:
            time.sleep(600)
        print(forked, flush=True)
        loop.current_task = "after the fork"
        time.sleep(600)
        """
    )
    child = child_of(process)
    grandchild = child_of(process)
    wait_for("it is heard", lambda: workspace.seen()["current_task"] == "after the fork")
    assert is_running(child)
    process.kill()
    process.wait(PATIENCE_S)
    wait_for("the child is gone although a fork lives", lambda: not is_running(child))
    assert is_running(grandchild)
    os.kill(grandchild, signal.SIGKILL)


def test_a_forked_process_can_beat_for_itself(workspace: Workspace) -> None:
    code = """
import os, sys
from everbeat import HeartbeatLoop
loop = HeartbeatLoop(os.environ["PLATFORM_URL"], os.environ["WORKSPACE_ID"], 0.4)
forked = os.fork()
if forked == 0:
    loop.start()
    sys.stdin.read()
    sys.exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]))
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    workspace.wait_for_beats(2)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(PATIENCE_S) == 0


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Not pytest's own: a socket's path must be short."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="eb-") as folder:
        yield Path(folder)


def test_no_zombie_and_no_socket_is_left(workspace: Workspace, short_path: Path) -> None:
    process = program(
        """
        loop.close()
        import subprocess
        me = str(os.getpid())
        states = subprocess.run(["ps", "--ppid", me, "-o", "stat=,comm="],
                                capture_output=True, text=True).stdout
        print(0 if "everbeat" not in states else 1, flush=True)
        """,
        env={**os.environ, "TMPDIR": str(short_path)},
    )
    child_of(process)
    assert child_of(process) == 0
    assert process.wait(PATIENCE_S) == 0
    [own] = short_path.iterdir()
    assert list(own.iterdir()) == [] and own.stat().st_mode & 0o777 == 0o700


def test_import_is_quick() -> None:
    """CPU time beside an interpreter that imports nothing, the best of some runs."""

    def best(code: str) -> float:
        times = []
        for _ in range(10):
            before = os.times()
            subprocess.run([sys.executable, "-c", code], check=True)
            after = os.times()
            children = after.children_user + after.children_system
            times.append(children - before.children_user - before.children_system)
        return min(times)

    import_s = best("import everbeat") - best("pass")
    assert import_s < 0.05, f"{1000 * import_s:.0f} ms"

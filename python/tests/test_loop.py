"""The loop's surface is the seed's, and what the agent says arrives."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest
from conftest import Workspace, is_running, wait_for

import everbeat
from everbeat import HeartbeatLoop


def make(workspace: Workspace, interval_s: float = 0.4) -> HeartbeatLoop:
    return HeartbeatLoop(workspace.platform.url, workspace.id, interval_s)


def test_usable_before_start_as_the_one_it_replaces() -> None:
    loop = HeartbeatLoop("http://platform:8080", "ws-1")
    assert (loop.platform_url, loop.workspace_id) == ("http://platform:8080", "ws-1")
    assert abs(loop.start_time - time.time()) < 5
    assert (loop.error_rate, loop.error_count, loop.request_count) == (0.0, 0, 0)
    assert (loop.active_tasks, loop.current_task, loop.sample_error) == (0, "", "")
    loop.record_success()
    loop.record_error("boom")
    loop.active_tasks += 1
    assert (loop.error_rate, loop.error_count, loop.request_count) == (0.5, 1, 2)
    assert loop.sample_error == "boom"
    assert asyncio.run(loop.stop()) is None


def test_reference_style_usage(workspace: Workspace) -> None:
    """As the reference's main and its executors use it, the class swapped."""

    async def main() -> None:
        heartbeat = HeartbeatLoop(
            platform_url=os.environ["PLATFORM_URL"],
            workspace_id=os.environ["WORKSPACE_ID"],
            interval_seconds=0.4,
        )
        heartbeat.start()
        heartbeat.active_tasks += 1
        heartbeat.current_task = "summing up"
        await asyncio.to_thread(
            wait_for,
            "the platform sees the task",
            lambda: workspace.seen()["current_task"] == "summing up",
        )
        assert workspace.seen()["active_tasks"] == 1
        heartbeat.record_success()
        heartbeat.record_error("timeout")
        heartbeat.active_tasks -= 1
        heartbeat.current_task = ""
        await asyncio.to_thread(
            wait_for,
            "the platform sees its end",
            lambda: workspace.seen()["active_tasks"] == 0,
        )
        await asyncio.to_thread(
            wait_for, "an accepted beat resets the counters", lambda: heartbeat.request_count == 0
        )
        await heartbeat.stop()

    asyncio.run(main())
    bodies = [beat["body"] for beat in workspace.seen()["beats"]["newest"]]
    assert any(body["sample_error"] == "timeout" and body["error_rate"] > 0 for body in bodies)


def test_wedge_metadata_and_sample_error_reach_the_platform(workspace: Workspace) -> None:
    loop = make(workspace)
    loop.mark_wedged("the SDK does not answer")
    assert everbeat.is_wedged() and everbeat.wedge_reason() == "the SDK does not answer"
    loop.set_runtime_metadata({"heartbeat": True, "session": False}, 600)
    loop.start()

    def newest() -> dict:
        beats = workspace.seen()["beats"]["newest"]
        return beats[-1] if beats else {}

    wait_for("the wedge", lambda: workspace.seen()["status"] == "degraded")
    loop.record_success()
    workspace.wait_for_beats(3)
    assert workspace.seen()["status"] == "degraded", "a success does not clear what still holds"
    loop.clear_wedge()
    wait_for("the end of the wedge", lambda: workspace.seen()["status"] == "online")
    status = loop.control().status()
    assert status["vitals"]["metadata"]["idle_timeout_seconds"] == 600
    assert status["vitals"]["metadata"]["capabilities"] == {"heartbeat": True, "session": False}
    loop.close()


def test_results_are_read_as_text_and_under_a_lease(workspace: Workspace) -> None:
    loop = make(workspace)
    loop.start()
    workspace.completed("d-1")
    text = wait_for("a result", loop.read_delegation_results)
    assert text.startswith("- [completed] ") and "  Response: the text of d-1" in text
    assert loop.read_delegation_results() == ""

    workspace.completed("d-2")
    wait_for("another", workspace.results.exists)
    with pytest.raises(KeyError), loop.take_results(lease_s=1) as lease:
        assert [result["delegation_id"] for result in lease] == ["d-2"]
        raise KeyError

    def again() -> list[str]:
        try:
            with loop.take_results() as lease:
                return [result["delegation_id"] for result in lease]
        except everbeat.ControlError as error:
            assert error.kind == "conflict"
            return []

    assert wait_for("it is handed out again", again) == ["d-2"]
    with loop.take_results() as lease:
        assert len(lease) == 0
    loop.close()


def test_only_awaited_delegations_are_delivered(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVERBEAT_DELIVER", "awaited")
    loop = make(workspace)
    everbeat.register_awaited_delegation("d-wanted")
    loop.start()
    wait_for("it is told", lambda: loop.pid and workspace.beats() > 1)
    workspace.completed("d-other")
    workspace.completed("d-wanted")
    text = wait_for("a result", loop.read_delegation_results)
    assert "d-wanted" in text and "d-other" not in text
    loop.close()


def test_a_child_that_dies_is_started_again_and_hears_everything(workspace: Workspace) -> None:
    loop = make(workspace)
    loop.active_tasks, loop.current_task = 2, "going on"
    loop.start()
    wait_for("the task", lambda: workspace.seen()["active_tasks"] == 2)
    first = loop.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_for("another child", lambda: loop.pid not in (None, first))
    workspace.wait_for_beats(3)
    assert not is_running(first) and not os.path.exists(f"/proc/{first}"), "it was reaped"
    assert workspace.seen()["active_tasks"] == 2
    assert workspace.seen()["current_task"] == "going on"
    loop.close()


def test_stop_ends_the_child_and_start_begins_again(workspace: Workspace) -> None:
    loop = make(workspace)
    for _ in range(2):
        loop.start()
        loop.start()
        workspace.wait_for_beats(1)
        pid = wait_for("a child", lambda: loop.pid)
        asyncio.run(loop.stop())
        assert loop.pid is None and not os.path.exists(f"/proc/{pid}")


def test_the_reference_s_modules_are_picked_up(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "runtime_wedge.py").write_text(
        "reason = None\ndef is_wedged(): return reason is not None\n"
        "def wedge_reason(): return reason or ''\n"
    )
    (modules / "adapters.py").write_text(
        "class Capabilities:\n    def to_dict(self): return {'scheduler': True}\n"
        "class Adapter:\n    def capabilities(self): return Capabilities()\n"
        "    def idle_timeout_override(self): return True\n"
        "def get_adapter(name): return Adapter\n"
    )
    monkeypatch.syspath_prepend(str(modules))
    import runtime_wedge  # type: ignore[import-not-found]

    monkeypatch.setattr(everbeat._state, "_metadata", None)
    loop = make(workspace)
    loop.start()
    runtime_wedge.reason = "stuck elsewhere"
    wait_for("the wedge", lambda: workspace.seen()["status"] == "degraded")
    runtime_wedge.reason = None
    wait_for("its end", lambda: workspace.seen()["status"] == "online")
    metadata = loop.control().status()["vitals"]["metadata"]
    assert metadata["capabilities"] == {"scheduler": True}
    assert metadata.get("idle_timeout_seconds") is None, "True is no number"
    loop.close()

"""What is known of this process as a whole, whatever loops run in it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

_lock = threading.Lock()
_wedge: str | None = None
_metadata: dict[str, Any] | None = None
_awaited: dict[str, None] = {}
_AWAITED_MAX = 1024
_listeners: list[Callable[[], None]] = []


def mark_wedged(reason: str) -> None:
    """The agent cannot go on. The first reason stays until it is cleared."""
    global _wedge
    with _lock:
        if _wedge is not None:
            return
        _wedge = reason or "wedged"
    _changed()


def clear_wedge() -> None:
    """The agent can go on."""
    global _wedge
    with _lock:
        _wedge = None
    _changed()


def is_wedged() -> bool:
    """Whether the agent was marked, here or in ``runtime_wedge``."""
    return current_wedge() is not None


def wedge_reason() -> str:
    """Why, or an empty text."""
    return current_wedge() or ""


def set_runtime_metadata(
    capabilities: Mapping[str, bool], idle_timeout_seconds: int | None = None
) -> None:
    """What the adapter can do; goes with every beat from now on."""
    global _metadata
    metadata: dict[str, Any] = {
        "capabilities": {str(name): bool(has) for name, has in capabilities.items()}
    }
    if is_positive(idle_timeout_seconds):
        metadata["idle_timeout_seconds"] = idle_timeout_seconds
    with _lock:
        _metadata = metadata
    _changed()


def register_awaited_delegation(delegation_id: str) -> None:
    """The agent waits for this delegation (``EVERBEAT_DELIVER=awaited``)."""
    with _lock:
        _awaited.pop(delegation_id, None)
        _awaited[delegation_id] = None
        while len(_awaited) > _AWAITED_MAX:
            del _awaited[next(iter(_awaited))]
    _changed()


def current_wedge() -> str | None:
    """The reason, if there is one."""
    with _lock:
        own = _wedge
    return own if own is not None else _reference_wedge()


def current_metadata() -> dict[str, Any] | None:
    """What was set, or what the adapter that the environment names says."""
    with _lock:
        own = _metadata
    return own if own is not None else _adapter_metadata()


def awaited() -> list[str]:
    """The newest that are awaited, oldest first."""
    with _lock:
        return list(_awaited)


def listen(listener: Callable[[], None]) -> None:
    """Calls this after each change."""
    with _lock:
        _listeners.append(listener)


def forget(listener: Callable[[], None]) -> None:
    """Calls it no more."""
    with _lock:
        if listener in _listeners:
            _listeners.remove(listener)


def after_fork_in_child() -> None:
    """The lock may have been held by a thread that is not in this process."""
    global _lock
    _lock = threading.Lock()
    _listeners.clear()


def is_positive(number: object) -> bool:
    """Whether it is a whole number above zero; True is none."""
    return isinstance(number, int) and not isinstance(number, bool) and number > 0


def _changed() -> None:
    with _lock:
        listeners = list(_listeners)
    for listener in listeners:
        listener()


def _reference_wedge() -> str | None:
    try:
        import runtime_wedge  # type: ignore[import-not-found]

        return (runtime_wedge.wedge_reason() or "wedged") if runtime_wedge.is_wedged() else None
    except Exception:
        return None


def _adapter_metadata() -> dict[str, Any] | None:
    try:
        from adapters import get_adapter  # type: ignore[import-not-found]

        adapter = get_adapter("")()
        metadata: dict[str, Any] = {"capabilities": adapter.capabilities().to_dict()}
        idle = adapter.idle_timeout_override()
    except Exception:
        return None
    if is_positive(idle):
        metadata["idle_timeout_seconds"] = idle
    return metadata

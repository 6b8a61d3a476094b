"""Everbeat for Python: the heartbeat of an AI agent's workspace.

The beat is another process: whatever this one does, no beat is late. See
:class:`HeartbeatLoop`; :class:`Control` talks to an agent that already runs.
"""

from __future__ import annotations

from ._client import Control, ControlError, Lease, NoAgent, find_control
from ._find import BinaryNotFound, find_everbeat_bin
from ._loop import HeartbeatLoop
from ._results import read_delegation_results, read_delegation_results_raw
from ._state import (
    clear_wedge,
    is_wedged,
    mark_wedged,
    register_awaited_delegation,
    set_runtime_metadata,
    wedge_reason,
)

__all__ = [
    "BinaryNotFound",
    "Control",
    "ControlError",
    "HeartbeatLoop",
    "Lease",
    "NoAgent",
    "clear_wedge",
    "find_control",
    "find_everbeat_bin",
    "is_wedged",
    "mark_wedged",
    "read_delegation_results",
    "read_delegation_results_raw",
    "register_awaited_delegation",
    "set_runtime_metadata",
    "wedge_reason",
]

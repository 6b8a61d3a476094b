"""The results file, taken as its readers take it: by renaming."""

from __future__ import annotations

import contextlib
import os
from typing import Any

_DEFAULT = "/tmp/delegation_results.jsonl"
_PREVIEW_CHARS = 200


def read_delegation_results_raw(path: str | None = None) -> list[dict[str, Any]]:
    """Takes the results that wait, oldest last; an empty list if none do.

    The file (``DELEGATION_RESULTS_FILE`` unless ``path`` is given) is renamed
    away, read and removed. Whoever dies in between has lost what it took: see
    :meth:`HeartbeatLoop.take_results` for taking under a lease.
    """
    import json

    taken = path or results_file()
    consumed = os.path.splitext(taken)[0] + ".consumed"
    try:
        os.rename(taken, consumed)
    except OSError:
        return []
    try:
        with open(consumed, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    finally:
        with contextlib.suppress(OSError):
            os.unlink(consumed)
    results = []
    for line in lines:
        try:
            result = json.loads(line)
        except ValueError:
            continue
        if isinstance(result, dict):
            results.append(result)
    return results


def read_delegation_results(path: str | None = None) -> str:
    """The same as text for a prompt, or an empty text if nothing waits."""
    lines = []
    for result in read_delegation_results_raw(path):
        status, summary = result.get("status") or "unknown", result.get("summary") or ""
        lines.append(f"- [{status}] {summary}")
        preview = result.get("response_preview")
        if preview:
            lines.append(f"  Response: {str(preview)[:_PREVIEW_CHARS]}")
    return "\n".join(lines)


def results_file() -> str:
    """Where the results lie, as the agent decides it."""
    for variable in ("EVERBEAT_RESULTS_FILE", "DELEGATION_RESULTS_FILE"):
        value = os.environ.get(variable)
        if value:
            return value
    return _DEFAULT

"""One HTTP request over a Unix socket."""

from __future__ import annotations

import json
import socket
from http.client import HTTPConnection, HTTPException
from typing import Any

FAILURES = (OSError, HTTPException)


def ask(
    path: str, timeout: float, method: str, target: str, body: dict[str, Any] | None
) -> tuple[int, Any]:
    """Status and body, None if that is empty or no JSON.

    Raises:
        OSError, HTTPException: if there is no answer.
    """
    connection = _UnixConnection(path, timeout)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, target, text, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
    finally:
        connection.close()
    try:
        return answer.status, json.loads(said) if said else None
    except ValueError:
        return answer.status, None


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("everbeat", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)

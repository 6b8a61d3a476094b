"""Where the binary is that came with this package."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator


class BinaryNotFound(FileNotFoundError):
    """The binary is in none of the places where installers put it."""


def find_everbeat_bin() -> str:
    """The path of the ``everbeat`` binary.

    ``EVERBEAT_BIN`` is the only place looked at if it is set. Otherwise those
    where ``pip``, ``uv`` and the like put scripts: of this environment, of the
    one below it, beside this package (``--prefix``, ``--target``), of the user.

    Raises:
        BinaryNotFound: with every path that was tried.
    """
    given = os.environ.get("EVERBEAT_BIN")
    tried = []
    for path in [given] if given else _candidates():
        if path in tried:
            continue
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
        tried.append(path)
    raise BinaryNotFound(
        "the everbeat binary is in none of these places:\n"
        + "".join(f"  {path}\n" for path in tried)
        + "install the package again, or name the binary by EVERBEAT_BIN"
    )


def _candidates() -> Iterator[str]:
    name = "everbeat" + (sysconfig.get_config_var("EXE") or "")
    for folder in _folders():
        if folder:
            yield os.path.join(folder, name)


def _folders() -> Iterator[str | None]:
    yield sysconfig.get_path("scripts")
    # A virtual environment may see the packages of the Python below it.
    yield sysconfig.get_path("scripts", vars={"base": sys.base_prefix})
    package = os.path.dirname(os.path.abspath(__file__))
    packages = os.path.dirname(package)
    # --target puts the scripts into a bin folder beside the packages.
    yield os.path.join(packages, "bin")
    # --prefix, and environments nested in others:
    # <prefix>/lib/python3.x/site-packages/everbeat.
    yield _prefix_bin(packages)
    yield sysconfig.get_path("scripts", scheme=_user_scheme())


def _prefix_bin(packages: str) -> str | None:
    parts = packages.split(os.sep)
    if len(parts) < 4 or parts[-1] not in ("site-packages", "dist-packages"):
        return None
    for depth in (3, 4):
        if len(parts) > depth and parts[-depth] in ("lib", "lib64", "local"):
            return os.sep.join([*parts[:-depth], "bin"])
    return None


def _user_scheme() -> str:
    if sys.version_info >= (3, 10):
        return sysconfig.get_preferred_scheme("user")
    return "posix_user"

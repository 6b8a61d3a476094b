"""``python -m everbeat``: the binary."""

from __future__ import annotations

import os
import sys

from ._find import BinaryNotFound, find_everbeat_bin


def main() -> None:
    """Becomes the binary."""
    try:
        binary = find_everbeat_bin()
    except BinaryNotFound as error:
        sys.exit(str(error))
    os.execv(binary, [binary, *sys.argv[1:]])


if __name__ == "__main__":
    main()

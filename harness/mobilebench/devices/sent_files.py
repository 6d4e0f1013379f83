"""Files that were sent to a device, and which of them are removed to keep to a quota."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

#: Models, data, agents and programs by their hashes, and what was left of a transfer.
_NAME = re.compile(r"(?:[0-9a-f]{64}|outputs-)[A-Za-z0-9._-]{0,100}")
_AT_ONCE = 100


@dataclass(frozen=True)
class Removed:
    """What was removed, and what is left: numbers of files, and bytes."""

    files: int = 0
    size: int = 0
    left: int = 0


@runtime_checkable
class KeepsFiles(Protocol):
    """A device that files travel to, and stay on until they are removed."""

    def clean(self, keep_bytes: int) -> Removed:
        """Removes what runs have sent there, the longest unused first, down to so many bytes.

        To be called by who has the device.

        Raises:
            DeviceError, TrialError: it cannot be reached.
        """


def clean(shell: Callable[[str], str], folder: str, keep_bytes: int) -> Removed:
    """Removes files in a folder on a device; see :class:`KeepsFiles`.

    Args:
        shell: runs a line there and returns what it printed.
        folder: the path there, or one that begins at the user's home.
        keep_bytes: of the files that were used last.
    """
    where = shlex.quote(folder)
    # GNU's, toybox's and busybox's `stat` know these.
    listing = shell(f"cd {where} 2>/dev/null && stat -c '%s %Y %n' -- * 2>/dev/null; true")
    found: list[tuple[int, int, str]] = []
    for line in listing.splitlines():
        words = line.split(" ", 2)
        if len(words) == 3 and all(w.isascii() and w.isdigit() for w in words[:2]):
            size, used, name = int(words[0][:15]), int(words[1][:15]), words[2]
            if _NAME.fullmatch(name):
                found.append((used, size, name))
    kept = 0
    gone: list[tuple[str, int]] = []
    for _, size, name in sorted(found, reverse=True):
        if not gone and kept + size <= keep_bytes:
            kept += size
        else:
            gone.append((name, size))
    for start in range(0, len(gone), _AT_ONCE):
        names = " ".join(shlex.quote(name) for name, _ in gone[start : start + _AT_ONCE])
        shell(f"cd {where} && rm -f -- {names}; true")
    return Removed(len(gone), sum(size for _, size in gone), kept)

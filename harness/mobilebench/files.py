"""Writing files whole, and the disk's errors in one sentence each."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from mobilebench.errors import InvalidRunError


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that a reader sees the old content or the new, never a half.

    Raises:
        InvalidRunError: the disk is full or failing.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with disk_errors(path):
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns what the disk refuses into a sentence about ``path``, and leaves no half file."""
    try:
        yield
    except OSError as error:
        with contextlib.suppress(OSError):
            for leftover in (path.with_suffix(".tmp"), path.with_name(f".{path.name}.tmp")):
                leftover.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InvalidRunError(
                f"the disk is full: could not write {path}; what was finished is kept, "
                "free some space and resume the run"
            ) from error
        raise InvalidRunError(f"could not write {path}: {error.strerror}") from error

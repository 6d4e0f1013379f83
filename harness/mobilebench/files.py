"""Writing files whole, and the disk's errors in one sentence each."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from mobilebench.errors import InvalidRunError

#: How the name of a file ends that is not whole yet.
LEFTOVER = ".tmp"


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that a reader sees the old content or the new, never a half.

    It is on the disk when this returns: a power cut changes nothing of it.

    Raises:
        InvalidRunError: the disk is full or failing.
    """
    with disk_errors(path), replacing(path) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file beside ``path`` to be filled; it takes its place when it is on the disk.

    Its name is nobody else's, so that two writers do not write into one file.

    Raises:
        OSError: the disk is full or failing; there is no half file then.
    """
    temporary = path.with_name(f".{path.name[:100]}.{os.getpid()}-{secrets.token_hex(4)}{LEFTOVER}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Puts on the disk which files a folder has, where the system can."""
    if os.name == "nt":  # it keeps names by itself, and opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Makes a folder if need be, so that it is there after a power cut, too.

    Raises:
        OSError: the disk is full or failing.
    """
    if not folder.is_dir():
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def remove_leftovers(folder: Path) -> None:
    """Removes what a kill left half-written; for who alone may write to the folder."""
    for leftover in folder.rglob(f".*{LEFTOVER}"):
        with contextlib.suppress(OSError):
            leftover.unlink()


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns what the disk refuses into a sentence about ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InvalidRunError(
                f"the disk is full: could not write {path}; what was finished is kept, "
                "free some space and resume the run"
            ) from error
        raise InvalidRunError(f"could not write {path}: {error.strerror}") from error


def sha256_of(file: Path) -> str:
    """The hash of a file's content, in hex.

    Raises:
        OSError: it cannot be read.
    """
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()

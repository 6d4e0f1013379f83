"""Outputs files that agents wrote: fetched, and checked before anybody reads them.

What a device reports of such a file is not trusted: neither where it is, nor how long it is, nor
what is in it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mobilebench.devices.base import TrialError
from mobilebench.files import sha256_of

#: The names below an agent's folder: plain characters, and neither `.` nor `..`.
_NAMES = r"(?:/[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}){1,8}"

_BLOCK_BYTES = 1 << 20


def ensure_plain(path: str, folder: str) -> None:
    """Sees that a path is below the folder where the agent may write.

    Args:
        path: as the device reports it.
        folder: a regular expression of the folder.

    Raises:
        TrialError: ``pull_failed``: it is elsewhere.
    """
    if not re.fullmatch(f"(?:{folder}){_NAMES}", path):
        raise TrialError(
            "pull_failed",
            f"the agent reports its outputs at {path[:200]!r}, where it was not to write",
        )


class Part:
    """A file on its way, no longer than was reported.

    Attributes:
        content: where it is written to.
        length: what has come so far, in bytes.
    """

    def __init__(self, content: BinaryIO, size: int) -> None:
        self.content = content
        self.length = 0
        self._size = size

    def write(self, block: bytes) -> None:
        """Adds a block.

        Raises:
            TrialError: ``pull_failed``: the device sends more than it reported.
        """
        self._set_length(self.length + len(block))
        self.content.write(block)

    def look(self) -> None:
        """Sees what another process has written to it; it raises as :meth:`write` does."""
        self._set_length(os.fstat(self.content.fileno()).st_size)

    def _set_length(self, length: int) -> None:
        self.length = length
        if length > self._size:
            raise TrialError(
                "pull_failed", f"the device sends more outputs than the {self._size} bytes reported"
            )


@contextlib.contextmanager
def receiving(file: Path, sha256: str, size: int) -> Iterator[Part]:
    """A part of a file to be filled; when it is whole and the right one, it takes its place.

    Raises:
        TrialError: ``pull_failed``: it is another file than was reported.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as content:
                part = Part(content, size)
                yield part
            if (part.length, sha256_of(temporary)) != (size, sha256):
                raise TrialError("pull_failed", "the outputs that arrived are not those reported")
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise TrialError(
            "pull_failed", f"the outputs cannot be stored in {file.parent}: {error.strerror}"
        ) from error


class OutputsFolder:
    """Where agents on this machine write: a temporary folder, made when it is first asked for."""

    def __init__(self) -> None:
        self._path = ""

    @property
    def path(self) -> str:
        """The folder; it is removed with this object."""
        if not self._path:
            self._path = tempfile.mkdtemp(prefix="mobilebench-outputs-")
            weakref.finalize(self, shutil.rmtree, self._path, ignore_errors=True)
        return self._path

    def take(self, path: str, sha256: str, size: int, file: Path) -> None:
        """Moves an outputs file out of the folder; see ``mobilebench.devices.base.Device.pull``.

        Raises:
            TrialError: ``pull_failed``.
        """
        ensure_plain(path, re.escape(self.path))
        try:
            # What a link names is no file that the agent wrote.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError as error:
            raise TrialError(
                "pull_failed", f"the outputs at {path} cannot be read: {error.strerror}"
            ) from error
        with os.fdopen(descriptor, "rb") as source:
            Path(path).unlink()
            with receiving(file, sha256, size) as part:
                while block := source.read(_BLOCK_BYTES):
                    part.write(block)

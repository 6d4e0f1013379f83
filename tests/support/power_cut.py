"""A disk that loses, reorders and tears what was not synced, as SQLite's tests have one.

Files are written to a real folder, and what a program asks the system to sync is noted: the content
of a file, the names that a folder has. A power cut at any of these moments, or between them, leaves
an image: what was synced is there, and of everything else something, something old, or nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

#: Chooses one of so many possibilities, from 0.
Choose = Callable[[int], int]


class PowerCut(BaseException):
    """The program is gone: nothing of it may tidy up."""


class Disk:
    """Watches what a program does below a folder.

    Attributes:
        root: the folder.
        moments: how many times the program has asked for something that can be cut short.
        cut_at: the moment at which the power goes; None: it stays.
    """

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.moments = 0
        self.cut_at: int | None = None
        #: By inode, what is on the disk whatever happens.
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        #: Open files, so that the system gives no inode a second time.
        self._kept: dict[int, int] = {}
        self.settle()
        for name in ("fsync", "replace", "unlink", "rmdir", "mkdir", "truncate"):
            monkeypatch.setattr(os, name, self._watched(name, getattr(os, name)))

    def settle(self) -> None:
        """Takes everything that is there as synced."""
        for folder, _, files in os.walk(self.root):
            self._sync(Path(folder))
            for file in files:
                self._sync(Path(folder, file))

    def close(self) -> None:
        """Lets the files go."""
        while self._kept:
            os.close(self._kept.popitem()[1])

    def leave(self, image: Path, choose: Choose) -> None:
        """Makes a folder of what a power cut at this moment leaves."""
        image.mkdir()
        self._leave(self.root, image, choose)

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **settings: Any) -> Any:
            self._moment()
            done = real(*arguments, **settings)
            if name == "fsync":
                self._sync(Path(f"/proc/self/fd/{arguments[0]}").resolve())
            self._moment()
            return done

        return call

    def _moment(self) -> None:
        self.moments += 1
        if self.cut_at is not None and self.moments >= self.cut_at:
            raise PowerCut

    def _sync(self, path: Path) -> None:
        inode = self._inode(path)
        if path.is_dir():
            self._names[inode] = {entry.name: self._inode(entry) for entry in path.iterdir()}
        else:
            self._contents[inode] = path.read_bytes()

    def _inode(self, path: Path) -> int:
        inode = path.stat().st_ino
        if inode not in self._kept:
            self._kept[inode] = os.open(path, os.O_RDONLY)
        return inode

    def _leave(self, folder: Path, image: Path, choose: Choose) -> None:
        now = {entry.name: self._inode(entry) for entry in folder.iterdir()}
        synced = self._names.get(self._inode(folder), {})
        for name in sorted({*now, *synced}):
            versions = list(dict.fromkeys((now.get(name), synced.get(name))))
            inode = versions[choose(len(versions))]
            if inode is None:
                continue
            source = Path(f"/proc/self/fd/{self._kept[inode]}")
            if source.is_dir():
                (image / name).mkdir()
                if now.get(name) == inode:
                    self._leave(folder / name, image / name, choose)
            else:
                (image / name).write_bytes(self._torn(inode, source.read_bytes(), choose))

    def _torn(self, inode: int, now: bytes, choose: Choose) -> bytes:
        synced = self._contents.get(inode, b"")
        if synced == now:
            return now
        if not now.startswith(synced):  # truncated, or written over
            return (synced, now)[choose(2)]
        added = now[len(synced) :]
        part = choose(len(added) + 1)
        return (
            now,
            synced,
            synced + added[:part],
            # The length has come, and some of the blocks.
            synced + added[:part] + bytes(len(added) - part),
            synced + bytes(part) + added[part:],
        )[choose(5)]

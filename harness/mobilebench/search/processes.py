"""The processes that share one search: who is there, and whose turn the device is.

Each holds locks of files in the search's folder, which the system gives back when it ends, however
it ends.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from mobilebench.devices.base import Device
from mobilebench.files import disk_errors
from mobilebench.runs.leases import Leases, OnWait, Patience

_FOLDER = ".processes"
#: A process that has just taken its turn leaves others, which look every 50 ms, time for theirs.
_COURTESY_SECONDS = 0.2
_POLL_SECONDS = 0.5
#: Another process of the search that has the device gives it back after its candidate.
_DEVICE_SECONDS = 6 * 3600.0


class Processes:
    """This process, among those that are at the search of a folder.

    Args:
        folder: of the search.

    Attributes:
        token: names this process in the search's journal.
        claiming: is held while a candidate is chosen and claimed, for a moment.
    """

    def __init__(self, folder: Path) -> None:
        self.token = secrets.token_hex(4)
        self._here = folder / _FOLDER
        with disk_errors(self._here):
            self._here.mkdir(exist_ok=True)
        self.claiming = FileLock(folder / ".claim.lock")
        self._confirming = FileLock(folder / ".confirm.lock")
        self._turn = FileLock(folder / ".turn.lock")
        self._present = FileLock(self._here / f"{self.token}.present")
        self._searching = FileLock(self._here / f"{self.token}.searching")

    @contextlib.contextmanager
    def joined(self) -> Iterator[None]:
        """Is at the search within it."""
        with disk_errors(self._here):
            self._present.acquire()
        try:
            yield
        finally:
            _give_back(self._present)

    @contextlib.contextmanager
    def searching(self) -> Iterator[None]:
        """Tries candidates within it; not while another process confirms what was found."""
        with self._confirming:
            self._searching.acquire()
        try:
            yield
        finally:
            _give_back(self._searching)

    def is_there(self, token: str) -> bool:
        """Whether the process of that token is still at the search."""
        return token == self.token or _is_locked(self._here / f"{token}.present")

    @property
    def others(self) -> bool:
        """Whether other processes are at the search."""
        return self._any("present")

    @contextlib.contextmanager
    def confirmation(self, on_wait: Callable[[], None]) -> Iterator[None]:
        """What was found is confirmed within it: once all have done searching, by one at a time.

        Args:
            on_wait: is called once where others are waited for.
        """
        is_first = True
        while not self._may_confirm():
            if is_first:
                on_wait()
            is_first = False
            time.sleep(_POLL_SECONDS)
        try:
            yield
        finally:
            self._confirming.release()

    @contextlib.contextmanager
    def turn(
        self,
        name: str,
        leases: Leases,
        device: Device | None,
        on_wait: OnWait = lambda _text: None,
    ) -> Iterator[None]:
        """Has the device within it: the processes of a search measure one at a time.

        One that is alone keeps the device's lease in between, too.

        Args:
            name: of the device.
            leases: of this process.
            device: the one to take; None: it is taken within the turn.
            on_wait: is given who has it, while it is waited for.

        Raises:
            TakenError: somebody else has it, who is not at this search; where other processes are
                at it, it is waited for first.
        """
        if self._turn.is_locked:  # by this process: a turn within a turn
            yield
            return
        if self.others:
            leases.release(name)
        with self._turn:
            others = self.others
            # The one that was alone until now gives it back when its candidate has been measured.
            leases.patience = Patience(_DEVICE_SECONDS if others else 0.0)
            if device is not None:
                leases.take(device, on_wait)
            try:
                yield
            finally:
                if others := self.others:
                    leases.release(name)
        if others:
            time.sleep(_COURTESY_SECONDS)

    def _may_confirm(self) -> bool:
        """Takes the lock, if nobody has it or is still trying candidates."""
        try:
            self._confirming.acquire(timeout=0)
        except Timeout:
            return False
        if self._any("searching"):
            self._confirming.release()
            return False
        return True

    def _any(self, kind: str) -> bool:
        files = [f for f in self._here.glob(f"*.{kind}") if f.stem != self.token]
        return any(_is_locked(file) for file in files)


def _is_locked(file: Path) -> bool:
    """Whether a process holds it; one that was killed left the file, and no lock."""
    if not file.exists():
        return False
    try:
        with FileLock(file, timeout=0):
            return False
    except Timeout:
        return True


def _give_back(lock: FileLock) -> None:
    lock.release()
    Path(lock.lock_file).unlink(missing_ok=True)

"""The lease on this machine: a locked file that all its users share, gone with the process."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from mobilebench.devices.lease import Holder, Lease, NoLeaseError, TakenError

_NAME = "mobilebench.lease"
_LONGEST = 4096
#: One that looks who has it locks it, too, for less than that.
_LOOK_SECONDS = 0.3
#: Where Windows locks, which lets nobody read what is locked: far behind the holder's name.
_FAR = 1 << 30


def file() -> Path:
    """The lock's file: in the temporary folder, or the one that ``MOBILEBENCH_LEASES`` names."""
    chosen = os.environ.get("MOBILEBENCH_LEASES")
    return Path(chosen or tempfile.gettempdir()) / _NAME


@dataclass(frozen=True)
class LocalPlace:
    """Where this machine's lease lies; ``name`` is how messages call it."""

    name: str

    @property
    def key(self) -> str:
        """See :class:`mobilebench.devices.lease.Place`."""
        return str(file())

    def take(self, holder: Holder) -> Lease:
        """See :class:`mobilebench.devices.lease.Place`."""
        try:
            descriptor = _open(file())
        except OSError as error:
            raise NoLeaseError(f"{file()} cannot be used: {error.strerror}") from error
        end = time.monotonic() + _LOOK_SECONDS
        while not _lock(descriptor):
            if time.monotonic() > end:
                now = _read(descriptor)
                os.close(descriptor)
                raise TakenError(self.name, now)
            time.sleep(0.05)
        with contextlib.suppress(OSError):  # another user's file
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            # No uptime in the third place: this holder never dies without its lock.
            os.write(descriptor, f"held {os.getpid()} - {holder.line}\n".encode())
        return _LocalLease(descriptor)


def holder() -> Holder | None:
    """Who measures on this machine; None: nobody, or it is not known."""
    try:
        descriptor = os.open(file(), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    try:
        return None if _lock(descriptor, shared=True) else _read(descriptor)
    finally:
        os.close(descriptor)


class _LocalLease:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def ensure(self) -> bool:
        """See :class:`mobilebench.devices.lease.Lease`."""
        return True

    def release(self) -> None:
        """See :class:`mobilebench.devices.lease.Lease`."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1


def _open(path: Path) -> int:
    """The file, for all users: whoever made it, and without following a link that others laid."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, os.O_RDWR | flags)
    except FileNotFoundError:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | flags, 0o666)
        except FileExistsError:
            descriptor = os.open(path, os.O_RDWR | flags)
        else:
            with contextlib.suppress(OSError):
                os.chmod(path, 0o666)  # noqa: S103 (others lock it, too, and write their names)
    except PermissionError:
        descriptor = os.open(path, os.O_RDONLY | flags)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        os.close(descriptor)
        raise OSError(0, "it is no plain file")
    return descriptor


def _read(descriptor: int) -> Holder | None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    words = os.read(descriptor, _LONGEST).decode("utf-8", "replace").split(maxsplit=3)
    if len(words) < 4 or not _is_alive(words[1]):
        return None
    return Holder.read(words[3])


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, shared: bool = False) -> bool:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        if shared:
            os.lseek(descriptor, _FAR, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        return True

    def _is_alive(pid: str) -> bool:  # noqa: ARG001 (to ask is to signal there)
        return True

else:
    import fcntl

    def _lock(descriptor: int, shared: bool = False) -> bool:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _is_alive(pid: str) -> bool:
        """Whether that may be the holder: the name of another user's may not have been written."""
        if not (pid.isascii() and pid.isdigit()) or len(pid) > 9:
            return False
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return False
        except OSError:
            return True
        return True

"""The lease on a machine behind ssh: the lock that a run on that machine itself takes, too."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from mobilebench import processes
from mobilebench.devices.lease import Holder, Lease, UnreachableError
from mobilebench.devices.lease_script import ScriptedLease, hold_script

#: As of :mod:`mobilebench.devices.local.lease` on a Linux machine.
FILE = "/tmp/mobilebench.lease"  # noqa: S108 (nothing is read from it but a name to show)

_LONGEST_LINE = 4096


@dataclass(frozen=True)
class SshPlace:
    """Where the lease of a machine behind ssh lies.

    Args:
        name: how messages call the machine.
        ssh: the command that runs a script there.
        file: the lock there.
    """

    name: str
    ssh: tuple[str, ...]
    file: str = FILE

    @property
    def key(self) -> str:
        """See :class:`mobilebench.devices.lease.Place`."""
        return " ".join(self.ssh)

    def take(self, holder: Holder) -> Lease:
        """See :class:`mobilebench.devices.lease.Place`."""
        return ScriptedLease(self.name, holder, lambda: _Channel(self.ssh, self.file))


class _Channel:
    """The standard streams of a shell there, whose lines a thread reads."""

    def __init__(self, ssh: Sequence[str], file: str) -> None:
        try:
            self._process = subprocess.Popen(
                [*ssh, hold_script(file)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                **processes.apart(),
            )
        except OSError as error:
            raise UnreachableError(f"cannot start {ssh[0]}: {error.strerror}") from error
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            while line := self._process.stdout.readline(_LONGEST_LINE):
                self._lines.put(line)
        self._lines.put(b"")
        self._process.stdout.close()

    def send(self, line: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise UnreachableError("the connection has ended") from error

    def receive(self, seconds: float) -> str:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise UnreachableError(f"no answer within {seconds:g} s") from None
        if not line:
            raise UnreachableError("the connection has ended")
        return line.decode("utf-8", "replace").strip()

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(timeout=5)

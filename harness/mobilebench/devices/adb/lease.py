"""The lease on a phone or board that adb reaches: a lock beside the files that are sent there."""

from __future__ import annotations

from dataclasses import dataclass

from mobilebench.devices.adb.client import AdbDevice, AdbError
from mobilebench.devices.adb.remote_store import FOLDER
from mobilebench.devices.adb.stream import AdbStream, Deadline
from mobilebench.devices.lease import Holder, Lease, UnreachableError
from mobilebench.devices.lease_script import ScriptedLease, hold_script, show_script, shown

FILE = f"{FOLDER}/lease"

_OPEN_SECONDS = 20.0
_SEND_SECONDS = 10.0
_LONGEST_LINE = 4096


@dataclass(frozen=True)
class AdbPlace:
    """Where the lease of a device behind adb lies.

    Args:
        name: how messages call the device.
        device: where it is.
    """

    name: str
    device: AdbDevice

    @property
    def key(self) -> str:
        """See :class:`mobilebench.devices.lease.Place`."""
        return f"adb://{self.device.server.address}/{self.device.serial}"

    def take(self, holder: Holder) -> Lease:
        """See :class:`mobilebench.devices.lease.Place`.

        Raises:
            BadInputError: there is no adb server, and none can be started.
        """
        self.device.server.ensure()
        return ScriptedLease(self.name, holder, self._connect)

    def _connect(self) -> _Channel:
        try:
            deadline = Deadline(_OPEN_SECONDS, f"{self.device.serial}: asking for its lease")
            # Every adbd has `exec`: the shell's plain streams, without packets or a terminal.
            return _Channel(self.device.open(f"exec:{hold_script(FILE)}", deadline))
        except AdbError as error:
            raise UnreachableError(str(error)) from error


def holder_of(device: AdbDevice) -> Holder | None:
    """Who has a device; None: nobody, or it does not say.

    Raises:
        AdbError: it does not answer.
    """
    return shown(device.script(show_script(FILE)).output)


class _Channel:
    def __init__(self, stream: AdbStream) -> None:
        self._stream = stream
        self._unread = b""

    def send(self, line: bytes) -> None:
        try:
            self._stream.send(line, Deadline(_SEND_SECONDS, "the lease"))
        except AdbError as error:
            raise UnreachableError(str(error)) from error

    def receive(self, seconds: float) -> str:
        deadline = Deadline(seconds, "the lease")
        while b"\n" not in self._unread:
            try:
                block = self._stream.some(deadline)
            except AdbError as error:
                raise UnreachableError(str(error)) from error
            self._unread += block
            if not block or len(self._unread) > _LONGEST_LINE:
                raise UnreachableError("the stream that holds its lease has ended")
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode("utf-8", "replace").strip()

    def close(self) -> None:
        self._stream.close()

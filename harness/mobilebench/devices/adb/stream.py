"""One connection to an adb server: requests, streams, and a wall-clock deadline on every byte.

An adb server speaks to its clients in "smart socket" requests: four hexadecimal digits of length,
then a service's name; it answers ``OKAY`` or ``FAIL`` with a reason. After ``host:transport:…``
the same socket becomes a stream to a service on the device. The protocol is described in AOSP,
``packages/modules/adb/OVERVIEW.TXT`` and ``SERVICES.TXT``.

Nothing here starts a server, waits without a limit, or takes an early end for an answer.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import Self

from mobilebench.devices import interrupt

#: The longest text that an adb server answers with: its length has four hexadecimal digits.
_MAX_REQUEST = 0xFFFF
_READ_BYTES = 1 << 18

#: Reasons of the server that mean: there is no device behind that serial at the moment.
_GONE = ("not found", "device offline", "no devices", "device still connecting", "transport")


class AdbError(Exception):
    """The adb server or the device refused something; the message is a sentence."""


class LinkLostError(AdbError):
    """The connection to the device, or to the adb server, is gone."""


class DeadlineError(AdbError):
    """There was no answer in time."""


class UnauthorizedError(AdbError):
    """The device waits for its owner to allow this computer."""


class Deadline:
    """A point in time, and the words for having passed it.

    ``end`` is of ``time.monotonic``.
    """

    def __init__(self, seconds: float, what: str) -> None:
        self.end = time.monotonic() + seconds
        self._seconds = seconds
        self._what = what

    def left(self) -> float:
        """Seconds that are left, more than 0.

        Raises:
            DeadlineError: none are.
        """
        seconds = self.end - time.monotonic()
        if seconds <= 0:
            raise DeadlineError(f"{self._what}: no answer within {self._seconds:g} s")
        return seconds


@dataclass(frozen=True)
class Place:
    """Where an adb server listens: a host and a port, or a socket file of this machine.

    A ``path`` that begins with a zero byte is a name in Linux' abstract namespace.
    """

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if not self.path:
            host = f"[{self.host}]" if ":" in self.host else self.host
            return f"{host}:{self.port}"
        kind = "localabstract" if self.path.startswith("\0") else "localfilesystem"
        return f"{kind}:{self.path.removeprefix(chr(0))}"


def _connected(place: Place, seconds: float) -> socket.socket:
    if not place.path:
        connection = socket.create_connection((place.host, place.port), seconds)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has no such sockets")
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect(place.path)
    except BaseException:
        connection.close()
        raise
    return connection


class AdbStream:
    """A socket to an adb server; close it, or use it in a ``with`` statement.

    Raises:
        LinkLostError: no server listens there.
    """

    def __init__(self, place: Place, deadline: Deadline) -> None:
        try:
            self._socket = _connected(place, deadline.left())
        except OSError as error:
            raise LinkLostError(
                f"no adb server answers at {place} ({error.strerror or error})"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the stream; adbd then ends what it ran for it."""
        self._socket.close()

    def within(self, seconds: float) -> bytes | None:
        """What comes next; None if nothing does within that time, empty at the end."""
        try:
            self._socket.settimeout(seconds)
            return self._socket.recv(_READ_BYTES)
        except TimeoutError:
            return None
        except OSError:
            # A connection that is reset has no more to say than one that is closed.
            return b""

    def request(self, service: str, deadline: Deadline) -> None:
        """Asks for a service and waits until it is granted.

        Raises:
            LinkLostError: the device is not there (any more).
            UnauthorizedError: it does not trust this computer yet.
            AdbError: the server or the device refused, with its reason.
        """
        name = service.encode()
        if len(name) > _MAX_REQUEST:
            raise AdbError(f"a request of {len(name)} bytes is too long for adb")
        self.send(b"%04x%s" % (len(name), name), deadline)
        status = self.exactly(4, deadline)
        if status == b"OKAY":
            return
        if status != b"FAIL":
            raise AdbError(f"the adb server answered {status!r}")
        reason = self.text(deadline)
        if "unauthorized" in reason or "authorizing" in reason:
            raise UnauthorizedError(reason.splitlines()[0])
        if any(word in reason for word in _GONE):
            raise LinkLostError(reason.splitlines()[0])
        raise AdbError(reason.strip() or "the adb server refused without a reason")

    def text(self, deadline: Deadline) -> str:
        """A text with its length before it."""
        digits = self.exactly(4, deadline)
        try:
            length = int(digits, 16)
        except ValueError as error:
            raise AdbError(f"the adb server sent {digits!r} for a length") from error
        return self.exactly(length, deadline).decode("utf-8", "replace")

    def send(self, content: bytes, deadline: Deadline) -> None:
        """Sends all of it."""
        try:
            self._socket.settimeout(deadline.left())
            self._socket.sendall(content)
        except TimeoutError:
            deadline.left()
            raise
        except OSError as error:
            raise LinkLostError(f"the connection broke while sending: {error.strerror}") from error

    def some(self, deadline: Deadline) -> bytes:
        """What comes next; empty at the end of the stream."""
        return self._receive(_READ_BYTES, deadline)

    def exactly(self, count: int, deadline: Deadline) -> bytes:
        """So many bytes.

        Raises:
            LinkLostError: the stream ended before.
        """
        content = bytearray()
        while len(content) < count:
            block = self._receive(min(count - len(content), _READ_BYTES), deadline)
            if not block:
                raise LinkLostError("the connection ended in the middle of an answer")
            content += block
        return bytes(content)

    def _receive(self, count: int, deadline: Deadline) -> bytes:
        while True:
            interrupt.check()
            try:
                self._socket.settimeout(min(deadline.left(), interrupt.STEP_SECONDS))
                return self._socket.recv(count)
            except TimeoutError:
                continue
            except OSError as error:
                raise LinkLostError(f"the connection broke: {error.strerror}") from error

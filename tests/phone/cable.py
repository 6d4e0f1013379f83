"""The cable between the adb server and adbd, and all that can go wrong with it.

It reads ADB's own frames, so that a connection can be cut in the middle of a file, a phone can
wait for its owner's consent, and a link can be slow. Frames: AOSP,
``packages/modules/adb/protocol.txt``.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass

_HEADER = struct.Struct("<6I")
_COMMANDS = {int.from_bytes(n, "little"): n.decode() for n in (b"CNXN", b"AUTH", b"OPEN", b"WRTE")}
_AUTH = int.from_bytes(b"AUTH", "little")
_TOKEN, _SIGNATURE = 1, 2
_PIECE = 8192


@dataclass
class Cut:
    """Ends the connection once so many bytes of payload went to the phone (or came from it).

    ``how``: ``reset`` or ``stall``, which keeps the connection and lets nothing more through.
    ``back_after``: so many seconds after a reset somebody plugs it in again; None: nobody does.
    """

    after: int
    to_phone: bool = True
    how: str = "reset"
    back_after: float | None = None


class Cable:
    """Listens for the adb server on ``port`` of the loopback, and leads to adbd.

    Attributes:
        state: ``device``, ``offline`` or ``unauthorized``; takes effect with the next connection.
        rate: bytes a second, or None for no limit.
        latency: seconds that a frame takes.
        cut: the next cut, or None; it is used up when it happens.
        stalled: set when a ``stall`` has happened.
        refused: connections that found the cable unplugged.
    """

    def __init__(self, adbd_port: int, without: frozenset[str]) -> None:
        self._adbd_port = adbd_port
        self._without = without
        self._plugged = True
        self._allowed = threading.Event()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self.state = "device"
        self.rate: float | None = None
        self.latency = 0.0
        self.cut: Cut | None = None
        self.stalled = threading.Event()
        self.refused = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def unplug(self) -> None:
        """Pulls the plug; what was under way is lost."""
        self._plugged = False
        self.drop()

    def plug(self) -> None:
        """Puts the plug back."""
        self._plugged = True

    def drop(self) -> None:
        """Resets every connection; the adb server may come back at once."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for end in sockets:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def allow(self) -> None:
        """The owner accepts this computer."""
        self.state = "device"
        self._allowed.set()

    def close(self) -> None:
        """Ends it for good."""
        self.unplug()
        # Closing alone would not wake the thread that accepts on it.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                server, _ = self._listener.accept()
            except OSError:
                return
            if self._plugged:
                threading.Thread(target=self._connect, args=(server,), daemon=True).start()
            else:
                self.refused += 1
                server.close()

    def _connect(self, server: socket.socket) -> None:
        self._keep(server)
        with contextlib.suppress(OSError, EOFError):
            greeting = _frame(server)
            if self.state == "offline":
                _frame(server)
            if self.state == "unauthorized":
                self._ask_owner(server)
            phone = socket.create_connection(("127.0.0.1", self._adbd_port))
            self._keep(phone)
            phone.sendall(b"".join(greeting))
            back = threading.Thread(target=self._pump, args=(phone, server, False), daemon=True)
            back.start()
            self._pump(server, phone, True)
        self._forget(server)

    def _ask_owner(self, server: socket.socket) -> None:
        """No signature is good enough; once the computer shows its key, the owner decides."""
        self._allowed.clear()
        token = bytes(20)
        words = (_AUTH, _TOKEN, 0, len(token), sum(token), _AUTH ^ 0xFFFFFFFF)
        kind = _SIGNATURE
        while kind == _SIGNATURE:
            server.sendall(_HEADER.pack(*words) + token)
            header, _ = _frame(server)
            kind = _HEADER.unpack(header)[1]
        self._allowed.wait()

    def _pump(self, source: socket.socket, target: socket.socket, to_phone: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError, EOFError):
            while True:
                header, content = _frame(source)
                name = _COMMANDS.get(_HEADER.unpack(header)[0])
                if name == "CNXN" and not to_phone:
                    header, content = self._older(header, content)
                if self.latency:
                    time.sleep(self.latency)
                if name == "WRTE":
                    passed += len(content)
                cut = self.cut
                if cut and cut.to_phone == to_phone and passed >= cut.after:
                    self.cut = None
                    if cut.how == "stall":
                        self.stalled.set()
                        source.recv(0)
                        threading.Event().wait()
                    self.unplug()
                    if cut.back_after is not None:
                        threading.Timer(cut.back_after, self.plug).start()
                    return
                if self.rate is None:
                    target.sendall(header + content)
                else:
                    target.sendall(header)
                    for start in range(0, len(content), _PIECE):
                        piece = content[start : start + _PIECE]
                        target.sendall(piece)
                        time.sleep(len(piece) / self.rate)
        self._forget(source)
        self._forget(target)

    def _older(self, header: bytes, content: bytes) -> tuple[bytes, bytes]:
        """The phone's greeting, less the features that this phone does not have."""
        words = _HEADER.unpack(header)

        def without(match: re.Match[str]) -> str:
            return "features=" + ",".join(set(match[1].split(",")) - self._without)

        text = re.sub(r"features=([^;]*)", without, content.decode()).encode()
        return _HEADER.pack(*words[:3], len(text), sum(text), words[5]), text

    def _keep(self, end: socket.socket) -> None:
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._sockets.add(end)

    def _forget(self, end: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(end)
        # Closing alone would not wake a thread that reads from it, and so not end the connection.
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


def _frame(source: socket.socket) -> tuple[bytes, bytes]:
    header = _exactly(source, _HEADER.size)
    return header, _exactly(source, _HEADER.unpack(header)[3])


def _exactly(source: socket.socket, count: int) -> bytes:
    content = bytearray()
    while len(content) < count:
        block = source.recv(count - len(content))
        if not block:
            raise EOFError
        content += block
    return bytes(content)

"""adb through a server that is none: what of it must work on every system, phones or not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from mobilebench.devices.adb.client import AdbServer
from mobilebench.devices.adb.stream import AdbStream, Deadline, LinkLostError, Place

ANSWERS = {
    b"host:version": b"0029",
    b"host:devices-l": b"R5CT1234ABC            device product:o1s model:SM_G991B device:o1s\n",
}


@pytest.fixture
def server() -> Iterator[AdbServer]:
    """Answers each request of ``ANSWERS`` once a connection; a service ``echo`` speaks later."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener,), daemon=True).start()
        yield AdbServer("127.0.0.1", listener.getsockname()[1])


def _serve(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # the test is over
            return
        with connection:
            request = _exactly(connection, int(_exactly(connection, 4), 16))
            if request == b"echo":
                connection.sendall(b"OKAY")
                connection.sendall(_exactly(connection, 5))
            elif request in ANSWERS:
                said = ANSWERS[request]
                connection.sendall(b"OKAY%04x%s" % (len(said), said))
            else:
                reason = b"unknown host service"
                connection.sendall(b"FAIL%04x%s" % (len(reason), reason))


def _exactly(connection: socket.socket, count: int) -> bytes:
    content = b""
    while len(content) < count and (block := connection.recv(count - len(content))):
        content += block
    return content


def test_a_server_tells_its_devices(server: AdbServer) -> None:
    server.ensure()
    (device,) = server.devices()
    assert device.serial == "R5CT1234ABC"


def test_a_stream_is_waited_for_and_ends(server: AdbServer) -> None:
    deadline = Deadline(120, "the test")
    with AdbStream(Place(server.host, server.port, ""), deadline) as stream:
        stream.request("echo", deadline)
        assert stream.within(0.05) is None, "nothing has been said yet"
        stream.send(b"hello", deadline)
        heard = b""
        while len(heard) < 5:
            heard += stream.within(30) or pytest.fail("it ended")
        assert heard == b"hello"
        assert stream.within(30) == b""


def test_no_server_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(LinkLostError, match="no adb server answers at"):
        AdbStream(Place("127.0.0.1", port, ""), Deadline(120, "the test"))

"""Android's debug bridge: an adb server, the devices behind it, and what can be asked of them.

The ``adbutils`` package brings the adb program for each system. Its Python side is not used: it
has no deadlines, loses exit codes and reasons, and starts servers by itself. Talking to the
server's socket takes :mod:`mobilebench.devices.adb.stream`; the program does what it does best,
sending large files.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import secrets
import shlex
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import adbutils

from mobilebench.devices import interrupt
from mobilebench.devices.adb import refusal
from mobilebench.devices.adb.device_lines import DeviceLine, parse_device_lines
from mobilebench.devices.adb.stream import (
    AdbError,
    AdbStream,
    Deadline,
    DeadlineError,
    LinkLostError,
    Place,
    UnauthorizedError,
)
from mobilebench.errors import BadInputError

__all__ = [
    "AdbDevice",
    "AdbError",
    "AdbServer",
    "DeadlineError",
    "LinkLostError",
    "ShellResult",
    "UnauthorizedError",
    "adb_program",
    "is_virtual",
    "parse_address",
]

DEFAULT_PORT = 5037

#: The version of the client-server protocol since 2017; adb programs restart a server of another.
_SERVER_VERSION = 41

#: What ``tests/phone`` calls its devices in adbd's greeting.
VIRTUAL = "mobilebench_virtual"

_SHELL_SECONDS = 20.0
_SERVER_SECONDS = 10.0

#: More than any dump that is asked for; a device that never stops talking is cut off here.
_MAX_OUTPUT = 32 << 20

# Packets of the shell protocol, version 2: AOSP, packages/modules/adb/shell_protocol.h.
_PACKET = struct.Struct("<BI")
_STDOUT, _STDERR, _EXIT, _CLOSE_STDIN = 1, 2, 3, 4


@dataclass(frozen=True)
class ShellResult:
    """What a command on the device did: exit code, standard output and standard error."""

    code: int
    output: str
    errors: str = ""

    @property
    def said(self) -> str:
        """Why it refused, for a message: an exception's sentence, or the last line it printed."""
        return refusal.sentence(f"{self.output}\n{self.errors}") or f"exit code {self.code}"


@dataclass(frozen=True)
class AdbServer:
    """An adb server, here or on another machine. It is never started but by :meth:`ensure`.

    ``path`` is a socket file of this machine, in the place of host and port.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    path: str = ""

    @classmethod
    def from_environment(cls) -> AdbServer:
        """The server that the adb program would use.

        As there, ``ADB_SERVER_SOCKET`` goes before ``ANDROID_ADB_SERVER_ADDRESS`` and ``…_PORT``.

        Raises:
            BadInputError: one of them names no server.
        """
        if spec := os.environ.get("ADB_SERVER_SOCKET"):
            return cls._at(spec)
        port = os.environ.get("ANDROID_ADB_SERVER_PORT", str(DEFAULT_PORT))
        if not _is_port(port):
            raise BadInputError(f"ANDROID_ADB_SERVER_PORT is {port!r}, which is no port")
        return cls(os.environ.get("ANDROID_ADB_SERVER_ADDRESS", "127.0.0.1"), int(port))

    @classmethod
    def _at(cls, spec: str) -> AdbServer:
        """The server at a socket in adb's spelling: AOSP, ``socket_spec.cpp``."""
        kind, _, where = spec.partition(":")
        host, _, port = where.rpartition(":")
        if kind == "tcp" and _is_port(port):
            return cls(host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port))
        if kind in ("local", "localfilesystem") and where:
            return cls("", 0, where)
        if kind == "localabstract" and where:
            return cls("", 0, f"\0{where}")
        raise BadInputError(
            f"ADB_SERVER_SOCKET is {spec!r}, which names no adb server: it may be tcp:PORT, "
            "tcp:HOST:PORT, localfilesystem:PATH or localabstract:NAME"
        )

    @property
    def address(self) -> str:
        """Where it listens, for a message."""
        return str(self._place)

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine."""
        if self.path:
            return True
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.host).is_loopback
        return self.host == "localhost"

    @property
    def _place(self) -> Place:
        return Place(self.host, self.port, self.path)

    def ensure(self) -> None:
        """Sees that a server runs, and starts one where that is this machine's business.

        Raises:
            BadInputError: there is none, and none can be started; or one of another version.
        """
        try:
            version = self._version()
        except LinkLostError as error:
            if not self.is_local:
                raise BadInputError(
                    f"{error}; on that machine run: adb -a nodaemon server start"
                ) from error
            self._start()
            version = self._version()
        except AdbError as error:
            raise BadInputError(
                f"what answers at {self.address} is no adb server: {error}"
            ) from error
        if version != _SERVER_VERSION:
            raise BadInputError(
                f"the adb server at {self.address} has version {version}, and this "
                f"program speaks {_SERVER_VERSION}; end it with: adb kill-server"
            )

    def end(self) -> None:
        """Ends the server, whoever started it."""
        deadline = Deadline(_SERVER_SECONDS, "ending the adb server")
        with contextlib.suppress(LinkLostError), self.open(deadline) as stream:
            stream.request("host:kill", deadline)

    def devices(self) -> tuple[DeviceLine, ...]:
        """Every device that the server knows, in whatever state.

        Raises:
            AdbError: the server does not answer, or not in a list of devices.
        """
        return parse_device_lines(self._ask("host:devices-l"))

    def connect(self, address: str) -> str:
        """Connects to a device over the network (``host:port``) and returns the server's words."""
        return self._ask(f"host:connect:{address}", 30.0)

    def disconnect(self, address: str) -> str:
        """Forgets a device on the network."""
        return self._ask(f"host:disconnect:{address}")

    def program(self, *arguments: str) -> list[str]:
        """The adb program's command line for this server."""
        where = ["-L", self.address] if self.path else ["-H", self.host, "-P", str(self.port)]
        return [adb_program(), *where, *arguments]

    def open(self, deadline: Deadline) -> AdbStream:
        """A new connection to the server."""
        return AdbStream(self._place, deadline)

    def _ask(self, service: str, seconds: float = _SERVER_SECONDS) -> str:
        deadline = Deadline(seconds, f"adb server, {service}")
        with self.open(deadline) as stream:
            stream.request(service, deadline)
            return stream.text(deadline)

    def _version(self) -> int:
        text = self._ask("host:version")
        try:
            return int(text, 16)
        except ValueError as error:
            raise AdbError(f"it gave {text!r} for its version") from error

    def _start(self) -> None:
        where = ["-L", self.address] if self.path else ["-P", str(self.port)]
        command = [adb_program(), *where, "start-server"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BadInputError(f"cannot start the adb server: {error}") from error
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise BadInputError(f"cannot start the adb server: {last}")


@dataclass(frozen=True)
class AdbDevice:
    """One device behind a server. Nothing about it is remembered: it may be another tomorrow."""

    server: AdbServer
    serial: str

    def state(self) -> str:
        """``device``, ``offline``, ``unauthorized``, …, or ``absent``."""
        return self.line().state

    def line(self) -> DeviceLine:
        """What the server says of it; state ``absent`` if it says nothing."""
        lines = (line for line in self.server.devices() if line.serial == self.serial)
        return next(lines, DeviceLine(self.serial, "absent"))

    def is_virtual(self) -> bool:
        """Whether it is test equipment of this project: no latency of it is a device's."""
        return is_virtual(self.line())

    def features(self) -> frozenset[str]:
        """What the device's adbd can do, such as ``shell_v2``.

        Raises:
            LinkLostError: it is not there.
        """
        deadline = Deadline(_SERVER_SECONDS, f"{self.serial}: features")
        with self.server.open(deadline) as stream:
            stream.request(f"host-serial:{self.serial}:features", deadline)
            return frozenset(stream.text(deadline).split(","))

    def open(self, service: str, deadline: Deadline) -> AdbStream:
        """A stream to a service on the device, such as ``localabstract:NAME``.

        Raises:
            LinkLostError: the device is not there.
            AdbError: it refused the service.
        """
        stream = self.server.open(deadline)
        try:
            stream.request(f"host:transport:{self.serial}", deadline)
            stream.request(service, deadline)
        except BaseException:
            stream.close()
            raise
        return stream

    def shell(self, *argv: str, seconds: float = _SHELL_SECONDS) -> ShellResult:
        """Runs a command on the device, each argument as it stands.

        Raises:
            LinkLostError: the connection ended before the command did.
            DeadlineError: it did not end in time; adbd ends it when the stream closes.
        """
        return self.script(shlex.join(argv), seconds=seconds)

    def script(self, text: str, *, seconds: float = _SHELL_SECONDS) -> ShellResult:
        """Runs a line of the device's shell. Whoever puts a name into it quotes it."""
        deadline = Deadline(seconds, f"{self.serial}: {text[:60]}")
        if "shell_v2" in self.features():
            return self._shell_v2(text, deadline)
        return self._exec(text, deadline)

    def _shell_v2(self, text: str, deadline: Deadline) -> ShellResult:
        pieces: dict[int, bytearray] = {_STDOUT: bytearray(), _STDERR: bytearray()}
        with self.open(f"shell,v2,raw:{text}", deadline) as stream:
            # A command that reads its input finds it at its end, instead of waiting for ever.
            stream.send(_PACKET.pack(_CLOSE_STDIN, 0), deadline)
            while True:
                kind, length = _PACKET.unpack(stream.exactly(_PACKET.size, deadline))
                _ensure_bounded(length + sum(map(len, pieces.values())))
                content = stream.exactly(length, deadline)
                if kind == _EXIT and length == 1:
                    output, errors = (_text(pieces[k]) for k in (_STDOUT, _STDERR))
                    return ShellResult(content[0], output, errors)
                if kind in pieces:
                    pieces[kind] += content

    def _exec(self, text: str, deadline: Deadline) -> ShellResult:
        """For devices before shell_v2: one stream for everything, and no exit code but by asking.

        The code is printed behind a mark that no output can have by chance; without the mark the
        stream was cut.
        """
        mark = f"exit-{secrets.token_hex(8)}:"
        command = f"( {text}\n) </dev/null 2>&1; code=$?; echo; echo {mark}$code"
        content = bytearray()
        with self.open(f"exec:{command}", deadline) as stream:
            while block := stream.some(deadline):
                content += block
                _ensure_bounded(len(content))
        output, found, code = _text(content).rpartition(mark)
        if not found or not code.strip().isdigit():
            raise LinkLostError(f"{self.serial}: the output was cut off")
        return ShellResult(int(code), output.removesuffix("\n"))

    def run_program(self, *arguments: str, seconds: float) -> ShellResult:
        """Runs the adb program on this device, as in ``adb -s SERIAL push a b``.

        Raises:
            DeadlineError: it did not end in time and was ended.
        """
        command = self.server.program("-s", self.serial, *arguments)
        environment = {k: v for k, v in os.environ.items() if k != "ANDROID_SERIAL"}
        try:
            done = interrupt.communicate(command, seconds, env=environment)
        except subprocess.TimeoutExpired as error:
            raise DeadlineError(
                f"{self.serial}: adb {arguments[0]}: no end within {seconds:g} s"
            ) from error
        return ShellResult(done.returncode, _text(done.stdout), _text(done.stderr))

    def push(self, source: Path, target: str, seconds: float) -> None:
        """Sends one file.

        Raises:
            LinkLostError: the device is gone.
            DeadlineError: it took too long.
            AdbError: it was refused; the message is adb's own reason.
        """
        done = self.run_program("push", "-Z", str(source), target, seconds=seconds)
        if done.code and "file pushed" in done.said:
            # adb counted the file before it heard of the fault, and lost the reason; again it
            # may give it.
            done = self.run_program("push", "-Z", str(source), target, seconds=seconds)
        if done.code == 0:
            return
        if self.state() != "device":
            raise LinkLostError(f"{self.serial} was lost while a file was sent")
        raise AdbError(done.said.removeprefix("adb: ").removeprefix("error: "))

    def read(self, source: str, take: Callable[[bytes], None], seconds: float) -> None:
        """Reads a file on the device; what cannot be read gives nothing.

        The adb program's ``pull`` would store whatever the device sends, without a limit.

        Args:
            source: its path there.
            take: is given one block after the other; it may raise to end it.
            seconds: how long at most.

        Raises:
            LinkLostError: the device is gone. A stream that is cut may also just end.
            DeadlineError: it took too long.
        """
        deadline = Deadline(seconds, f"{self.serial}: reading {source}")
        with self.open(f"exec:cat {shlex.quote(source)} 2>/dev/null", deadline) as stream:
            while block := stream.some(deadline):
                take(block)

    def wait(
        self,
        seconds: float,
        waiting: Callable[[], None] = lambda: None,
        has_started: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Waits until the device is there and answers; says whether it does.

        Args:
            seconds: how long at most.
            waiting: called now and then meanwhile; it may raise.
            has_started: what more is asked of a device that answers.

        A server on this machine that has ended is started again, and a device on the network is
        connected to again.
        """
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(AdbError, BadInputError):
                self.server.ensure()
                state = self.state()
                if state == "device" and self.shell("true", seconds=5).code == 0 and has_started():
                    return True
                if state == "absent" and re.fullmatch(r"\S+:\d+", self.serial):
                    self.server.connect(self.serial)
            if time.monotonic() >= end:
                return False
            waiting()
            interrupt.check()
            time.sleep(0.2)


def is_virtual(line: DeviceLine) -> bool:
    """Whether a listed device is this project's test equipment."""
    return line.properties.get("device") == VIRTUAL


def parse_address(address: str) -> tuple[AdbServer, str]:
    """The server and the serial that ``SERIAL`` or ``adb://HOST[:PORT]/SERIAL`` names.

    Raises:
        BadInputError: it names none.
    """
    if not address.startswith("adb://"):
        return AdbServer.from_environment(), address
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError as error:
        raise BadInputError(f"{address!r}: {error}") from error
    serial = unquote(parts.path.removeprefix("/"))
    if not host or not serial or parts.query or parts.fragment or parts.username:
        raise BadInputError(f"{address!r} is not of the form adb://HOST:PORT/SERIAL")
    return AdbServer(host, port), serial


def adb_program() -> str:
    """The adb program that ``adbutils`` brings, or else the user's own.

    Not the other way round: Debian 12 has one from 2020, which cannot do all that is asked of it
    here. Programs of different ages share one server.

    Raises:
        BadInputError: there is none.
    """
    chosen = os.environ.get("ADBUTILS_ADB_PATH")
    name = "adb.exe" if sys.platform == "win32" else "adb"
    bundled = Path(adbutils.__file__).with_name("binaries") / name
    if not chosen and os.access(bundled, os.X_OK):
        return str(bundled)
    try:
        return str(adbutils.adb_path())
    except adbutils.AdbError as error:
        usual = [place / name for place in _usual_places()]
        if found := next((path for path in usual if os.access(path, os.X_OK)), None):
            return str(found)
        raise BadInputError(
            f"there is no adb program, neither in PATH nor in {' or '.join(map(str, usual))}: "
            "install Android's platform tools, or name theirs in ADBUTILS_ADB_PATH"
        ) from error


def _usual_places() -> list[Path]:
    """Where Android Studio and package managers put adb, whether PATH says so or not."""
    home = Path.home()
    named = (os.environ.get(key) for key in ("ANDROID_HOME", "ANDROID_SDK_ROOT"))
    tools = [Path(sdk) / "platform-tools" for sdk in named if sdk]
    if sys.platform == "darwin":
        # Homebrew's on Apple Silicon, then on Intel.
        brewed = [Path("/opt/homebrew/bin"), Path("/usr/local/bin")]
        return [*tools, *brewed, home / "Library/Android/sdk/platform-tools"]
    if sys.platform == "win32":
        local = Path(os.environ.get("LOCALAPPDATA") or home / "AppData/Local")
        return [*tools, local / "Android/Sdk/platform-tools"]
    return [*tools, home / "Android/Sdk/platform-tools"]


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536


def _ensure_bounded(size: int) -> None:
    if size > _MAX_OUTPUT:
        raise AdbError(f"the device sent more than {_MAX_OUTPUT >> 20} MB for an answer")


def _text(content: bytes | bytearray) -> str:
    return content.decode("utf-8", "replace").replace("\r\n", "\n")

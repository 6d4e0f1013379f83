"""A virtual phone: its folder, its adbd, its cable, and the socket of its model."""

from __future__ import annotations

import array
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tests.phone.cable import Cable
from tests.phone.sandbox import SHELL_UID, walls
from tests.phone.system import System

_PATH = "/product/bin:/apex/com.android.runtime/bin:/system/bin:/system/xbin:/vendor/bin"


@dataclass
class Call:
    """A command that the phone was asked to run: its words, its streams, and a fresh socket.

    ``gone`` is set when the caller has ended: adbd hung up, or the phone is off.
    """

    words: list[str]
    input: BinaryIO
    output: BinaryIO
    errors: BinaryIO
    socket: socket.socket
    gone: threading.Event

    def say(self, text: str) -> None:
        """Prints to standard output."""
        self.output.write(text.encode())
        self.output.flush()

    def complain(self, text: str) -> None:
        """Prints to standard error."""
        self.errors.write(text.encode())
        self.errors.flush()


Command = Callable[[Call], int]


@dataclass(frozen=True)
class Make:
    """What a phone is, apart from its state.

    Attributes:
        properties: of ``getprop``; those of ``ro.product`` also in adbd's greeting.
        without: features that its adbd does not have.
        machine: a Linux board: its shell sees this machine's programs.
        programs: shell scripts in its ``PATH``.
        storage: bytes of ``/data/local/tmp``, which only adbd and the shell then see.
    """

    properties: dict[str, str]
    without: frozenset[str] = frozenset({"abb", "abb_exec"})
    machine: bool = False
    programs: dict[str, str] = field(default_factory=dict)
    storage: int | None = None


class Phone:
    """Built in an empty folder, started, stopped.

    Attributes:
        commands: Android's commands by name; each is asked when it is called.
        cable: the connection to the adb server, with its faults.
        calls: the words of every call so far.
        when_off: called when it is turned off, for what runs on it.
    """

    def __init__(self, folder: Path, system: System, make: Make) -> None:
        self.folder = folder
        self.system = system
        self.make = make
        self.commands: dict[str, Command] = {}
        self.calls: list[list[str]] = []
        self.when_off: list[Callable[[], None]] = []
        self._adbd: subprocess.Popen[bytes] | None = None
        self._build()
        # adbd inherits this socket: by itself it would listen on every interface.
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.cable = Cable(self._listener.getsockname()[1], make.without)

    @property
    def serial(self) -> str:
        """How adb calls it."""
        return f"127.0.0.1:{self.cable.port}"

    @property
    def data(self) -> Path:
        """Its ``/data``."""
        return self.folder / "data"

    def start(self) -> None:
        """Turns it on."""
        (self.folder / "boot_id").write_text(f"{uuid.uuid4()}\n")
        self._model = self._model_socket()
        threading.Thread(target=self._answer, args=(self._model,), daemon=True).start()
        told = {k: v for k, v in self.make.properties.items() if k.startswith("ro.product")}
        told["service.adb.listen_addrs"] = f"acceptfd:{self._listener.fileno()}"
        environment = {
            "PATH": f"/system/bin:{os.environ['PATH']}" if self.make.machine else _PATH,
            "ANDROID_ROOT": "/system",
            "ANDROID_DATA": "/data",
            "HOME": "/data/local/tmp",
            "ADBD_PROPERTIES": ";".join(f"{k}={v}" for k, v in told.items()),
        }
        command = walls(
            self.folder,
            self.system,
            uid=SHELL_UID,
            environment=environment,
            machine=self.make.machine,
            storage=self.make.storage,
        )
        with (self.folder / "adbd.log").open("ab") as log:
            self._adbd = subprocess.Popen(
                command + self.system.adbd(),
                pass_fds=[self._listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> None:
        """Turns it off, with everything that runs on it."""
        for end in self.when_off:
            end()
        if self._adbd is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._adbd.pid, signal.SIGKILL)
            self._adbd.wait()
            self._adbd = None
            stop_listening(self._model)

    def reboot(self) -> None:
        """Off and on again, as another boot; the cable stays where it is."""
        self.cable.drop()
        self.stop()
        self.start()

    def rewire(self) -> None:
        """Unplugs it for good and plugs it in elsewhere: adb knows it by another serial then."""
        self.cable.close()
        self.cable = Cable(self._listener.getsockname()[1], self.make.without)

    def close(self) -> None:
        """Ends it for good."""
        self.cable.close()
        self.stop()
        self._listener.close()

    def _build(self) -> None:
        for name in ("data/local/tmp", "data/media/0", "system/bin", "system/etc", "socket"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "data/local/tmp").chmod(0o771)
        users = [("root", 0), ("system", 1000), ("shell", SHELL_UID)]
        for file, form in (("passwd", "{0}:x:{1}:{1}::/:/bin/sh\n"), ("group", "{0}:x:{1}:\n")):
            text = "".join(form.format(*user) for user in users)
            (self.folder / "system/etc" / file).write_text(text)
        programs = self.folder / "system/bin"
        if not self.make.machine:
            shutil.copy(self.system.root / "usr/bin/mksh-static", programs / "sh")
            shutil.copy(self.system.root / "usr/bin/toybox", programs / "toybox")
            for name in self.system.toybox_commands():
                (programs / name).symlink_to("toybox")
        shutil.copy(self.system.command, programs / "model-command")
        for name, text in self.make.programs.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)

    def answer(self, name: str, command: Command) -> None:
        """Adds an Android command, or replaces one."""
        path = self.folder / "system/bin" / name
        if name not in self.commands:
            path.unlink(missing_ok=True)
            path.symlink_to("model-command")
        self.commands[name] = command

    def _model_socket(self) -> socket.socket:
        path = self.folder / "socket/model"
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # By way of a descriptor: a unix socket's path has 107 bytes, a test's folder more.
        folder = os.open(path.parent, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{folder}/model")
        os.close(folder)
        listener.listen(64)
        return listener

    def _answer(self, listener: socket.socket) -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._call, args=(caller,), daemon=True).start()

    def _call(self, caller: socket.socket) -> None:
        message, control, _, _ = caller.recvmsg(65536, socket.CMSG_SPACE(16))
        descriptors = array.array("i")
        for _, _, content in control:
            descriptors.frombytes(content)
        words = [word.decode() for word in message.split(b"\0")[:-1]]
        words[0] = Path(words[0]).name
        self.calls.append(words)
        gone = threading.Event()

        def watch() -> None:
            with contextlib.suppress(OSError):
                caller.recv(1)
            gone.set()

        threading.Thread(target=watch, daemon=True).start()
        code = 255
        fresh = socket.socket(fileno=descriptors[3])
        streams = [
            os.fdopen(fd, mode) for fd, mode in zip(descriptors, ("rb", "wb", "wb"), strict=False)
        ]
        try:
            call = Call(words, *streams, fresh, gone)
            code = self.commands[words[0]](call)
        except BrokenPipeError:
            code = 141
        finally:
            fresh.close()
            for stream in streams:
                with contextlib.suppress(OSError):
                    stream.close()
            with contextlib.suppress(OSError):
                caller.send(bytes([code & 255]))
                caller.shutdown(socket.SHUT_RDWR)
            caller.close()


def stop_listening(listener: socket.socket) -> None:
    """Closes a listening socket; closing alone would not wake a thread that accepts on it."""
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()

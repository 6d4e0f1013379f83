"""An adb server of the tests' own: its own port, and no device but virtual ones."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

from mobilebench.devices.adb.client import adb_program

#: No USB, no emulators, no network discovery: a developer's own phone is never touched.
QUIET = {"ADB_USB": "0", "ADB_EMU": "0", "ADB_MDNS": "0", "ADB_MDNS_AUTO_CONNECT": "0"}

#: It ends with the tests, however they end.
_MORTAL = ("setpriv", "--pdeathsig", "KILL", "--")
_FOREGROUND = ("server", "nodaemon")


class Server:
    """A real adb server on a free port of the loopback."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.port = 0
        self.start()

    def start(self) -> None:
        """Starts it, or starts it again on the same port; it listens when this returns."""
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        descriptor = listener.fileno()
        with listener, (self._home / "adb-server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_MORTAL, adb_program(), "-L", f"acceptfd:{descriptor}", *_FOREGROUND],
                env={**os.environ, **QUIET, "HOME": str(self._home)},
                pass_fds=[descriptor],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """As a crash would."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Ends it for good."""
        if self._process.poll() is None:
            self.kill()

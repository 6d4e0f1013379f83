"""A machine behind ssh: the user's real ssh client, a real dropbear, and no network at all.

dropbear runs in a sandbox, one process a connection, as ssh's proxy command.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.phone.sandbox import SHELL_UID, walls
from tests.phone.system import System

HOST = "virtual-board"

# ssh takes the connection that this makes: a pair of sockets, the other one dropbear's.
_SERVER = """
import socket, subprocess
with socket.create_server(("127.0.0.1", 0)) as listener:
    ours = socket.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
with open({log!r}, "ab") as log:
    subprocess.Popen({command!r}, stdin=theirs, stdout=theirs, stderr=log, start_new_session=True)
with socket.socket(fileno=1) as ssh:
    socket.send_fds(ssh, [b"x"], [ours.fileno()])
"""


def ssh_program(folder: Path, system: System) -> list[str]:
    """Makes the machine in an empty folder, and returns the ssh command that reaches it."""
    for name in ("data/ssh", "data/local/tmp", "data/home", "system/bin", "socket"):
        (folder / name).mkdir(parents=True)
    (folder / "boot_id").write_text("\n")
    python = folder / "system/bin/python3"
    # dropbear sets a home and a path of its own.
    python.write_text(f'#!/bin/sh\nMOBILEBENCH_VIRTUAL=1 exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    # As nobody else than its only user: changing users takes powers that a sandbox has not.
    (folder / "passwd").write_text(f"board:x:{SHELL_UID}:{SHELL_UID}::/data/home:/bin/sh\n")
    environment = {"PATH": os.environ["PATH"]}
    *inside, end = walls(folder, system, uid=SHELL_UID, environment=environment, machine=True)
    # ssh waits until its proxy command has ended; dropbear ends with the connection.
    inside.remove("--die-with-parent")
    inside += ["--ro-bind", str(folder / "passwd"), "/etc/passwd", end]
    words = ["-t", "ed25519", "-f", "/data/ssh/host"]
    _run([*inside, *system.dropbear("dropbearkey"), *words])
    key = folder / "key"
    _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
    (folder / "data/ssh/authorized_keys").write_text(key.with_suffix(".pub").read_text())
    (folder / "data/ssh").chmod(0o700)
    (folder / "data/ssh/authorized_keys").chmod(0o600)
    options = ["-i", "-E", "-s", "-r", "/data/ssh/host", "-D", "/data/ssh"]
    server = folder / "server.py"
    command = [*inside, *system.dropbear("dropbear"), *options]
    server.write_text(_SERVER.format(command=command, log=str(folder / "log")))
    config = folder / "config"
    config.write_text(
        f"Host {HOST}\n  User board\n  IdentityFile {key}\n  IdentitiesOnly yes\n"
        f"  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n"
        f"  ProxyUseFdpass yes\n  ProxyCommand {sys.executable} {server}\n"
    )
    return ["ssh", "-F", str(config)]


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)

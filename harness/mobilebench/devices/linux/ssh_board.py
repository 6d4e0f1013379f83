"""A Linux machine behind ssh as a device: the agent is copied there and run by its own Python.

The user's own ssh does everything: its configuration, its keys, its jump hosts. Nothing is asked
for on the terminal; a machine that wants a password is not reached.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from mobilebench_agent.contract import Event, Job, Result

from mobilebench.devices import interrupt
from mobilebench.devices.agent import archive as agent_archive
from mobilebench.devices.agent import process as agent_process
from mobilebench.devices.agent.outputs_file import ensure_plain, receiving
from mobilebench.devices.agent.process import AgentDiedError
from mobilebench.devices.base import Cooldown, OnEvent, OnWait, PreflightResult, TrialError
from mobilebench.devices.linux.ssh_lease import SshPlace
from mobilebench.devices.linux.state import StateChecks, script
from mobilebench.devices.sent_files import Removed, clean
from mobilebench.errors import BadInputError, DeviceError
from mobilebench.files import sha256_of
from mobilebench.records.device import DeviceFacts

#: Below the user's home.
_FOLDER = ".cache/mobilebench/device"

#: ssh's own exit code: no connection, or none any more.
_NO_CONNECTION = 255

_GREETING_SECONDS = 60.0
_SHELL_SECONDS = 30.0
_SLOWEST = 1 << 20


class SshLostError(Exception):
    """ssh has no connection; the message is its own."""


class SshBoardDevice:
    """A machine that the user's ssh reaches without asking.

    Args:
        name: how tables call it.
        address: ``ssh://[USER@]HOST[:PORT]``; HOST may be a name of the ssh configuration.
        cache: where the agent's archive is built.
        python: the interpreter there.
        program: the ssh command, with options of its own.
        allowed: checks that may fail; every result says so.

    Raises:
        BadInputError: the address is none.
    """

    #: The same board is reached over adb or over ssh, and its runs can be compared.
    kind = "board"

    def __init__(
        self,
        name: str,
        address: str,
        cache: Path,
        python: str = "python3",
        program: Sequence[str] = ("ssh",),
        allowed: frozenset[str] = frozenset(),
    ) -> None:
        self._name = name
        self._address = address
        self._python = python
        self._agent = agent_archive.archive(cache)
        # `--` so that no name is ever taken for an option.
        options = ["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
        options += ["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"]
        self._ssh = [*program, *options, *destination(address)]
        self._seen: dict[str, str] = {}
        self._folder = f"/{_FOLDER}"
        self._checks = StateChecks(name, self._state, allowed)

    @property
    def name(self) -> str:
        """How tables call it."""
        return self._name

    @property
    def place(self) -> SshPlace:
        """Where its lease lies; see :class:`mobilebench.devices.lease.Leased`."""
        return SshPlace(self._name, tuple(self._ssh))

    def probe(self) -> DeviceFacts:
        """Greets the agent; see :class:`mobilebench.devices.base.Device`."""
        try:
            command = self._command(_GREETING_SECONDS)
            hello = agent_process.greet(command, _GREETING_SECONDS, dict(os.environ))
        except (TrialError, SshLostError) as error:
            raise BadInputError(f"device {self._name!r} ({self._address}): {error}") from error
        return DeviceFacts(
            self._name,
            self.kind,
            hello.agent,
            hello.runtime,
            hello.runtime_version,
            virtual=hello.device.get("virtual") is True,
            info={**hello.device, "serial": self._address},
        )

    def push(self, file: Path, sha256: str) -> str:
        """Copies the file unless it is there; see :class:`mobilebench.devices.base.Device`."""
        try:
            return self._put(file, sha256)
        except SshLostError as error:
            raise self._lost(error) from error

    def discard(self, sha256: str) -> None:
        """Removes the file there; see :class:`mobilebench.devices.base.Device`."""
        path = self._seen.pop(sha256, "")
        if path:
            self._remove(path)

    def clean(self, keep_bytes: int) -> Removed:
        """See :class:`mobilebench.devices.sent_files.KeepsFiles`."""
        self._seen.clear()
        try:
            # A connection begins at the user's home.
            return clean(self._shell, _FOLDER, keep_bytes)
        except SshLostError as error:
            raise self._lost(error) from error

    def outputs_folder(self, job: Job) -> str:  # noqa: ARG002 (the same for each)
        """The folder for files there; see :class:`mobilebench.devices.base.Device`."""
        return self._folder

    def pull(self, path: str, sha256: str, size: int, file: Path) -> None:
        """Copies the file here; see :class:`mobilebench.devices.base.Device`."""
        ensure_plain(path, re.escape(self._folder))
        try:
            try:
                self._fetch(path, sha256, size, file)
            except SshLostError:
                self._fetch(path, sha256, size, file)
        except SshLostError as error:
            raise self._lost(error) from error
        except TrialError:
            self._remove(path)
            raise
        self._remove(path)

    def preflight(self, cooldown: Cooldown, on_wait: OnWait) -> PreflightResult:
        """Checks its state; see :class:`mobilebench.devices.base.Device`."""
        return self._checks.preflight(cooldown, on_wait)

    def cpu_times(self) -> str:
        """See :class:`mobilebench.devices.base.ReportsCpuTimes`."""
        try:
            return self._shell("cat /proc/stat 2>/dev/null; true")
        except SshLostError as error:
            raise self._lost(error) from error

    def run(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:
        """One trial in a fresh process, repeated once if the connection broke in the middle.

        Raises:
            TrialError: see :class:`mobilebench.devices.base.Device`.
            DeviceError: the machine cannot be reached any more.
        """
        return self._checks.validate(self._kept(job, on_event, timeout_seconds))

    def _state(self) -> str:
        try:
            return self._shell(script())
        except SshLostError as error:
            raise self._lost(error) from error

    def _kept(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:
        try:
            return self._run(job, on_event, timeout_seconds)
        except SshLostError:
            on_event(Event(job.trial, "reconnect"))
            self._seen.clear()
        try:
            result = self._run(job, on_event, timeout_seconds)
        except SshLostError as error:
            try:
                self._shell("true")
            except SshLostError as gone:
                raise self._lost(gone) from gone
            raise TrialError("link_lost", f"the connection broke twice: {error}") from error
        note = "the link was lost during this trial, and it was repeated"
        return replace(result, warnings=(*result.warnings, note))

    def _run(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:
        try:
            command = self._command(timeout_seconds)
            return agent_process.converse(command, job, on_event, timeout_seconds, dict(os.environ))
        except AgentDiedError as error:
            if error.exit_code == _NO_CONNECTION:
                raise SshLostError(error.reason) from error
            raise

    def _command(self, seconds: float) -> list[str]:
        file = self._agent.there()
        agent = self._put(file, sha256_of(file))
        # sshd leaves a process without a terminal running when the connection ends, so it has a
        # limit of its own there.
        words = ["env", "PYTHONDONTWRITEBYTECODE=1", "timeout", f"{seconds + 5:.0f}"]
        return [
            *self._ssh,
            f"exec {shlex.join([*words, self._python, agent, agent_archive.ATTACHED])}",
        ]

    def _put(self, file: Path, sha256: str) -> str:
        if sha256 in self._seen:
            return self._seen[sha256]
        suffix = file.suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,10}", file.suffix) else ""
        # Leftovers of an agent that was killed; a younger file may still be written.
        old = "find . -name 'outputs-*' -mmin +60 -exec rm -f {} + 2>/dev/null"
        found = self._shell(
            f"mkdir -p {_FOLDER} && cd {_FOLDER} && pwd && {{ {old}; "
            f"touch -c {sha256}{suffix} 2>/dev/null; "
            f"sha256sum -b {sha256}{suffix} 2>/dev/null || true; }}"
        ).split("\n")
        folder, digest = found[0], found[1].partition(" ")[0] if len(found) > 1 else ""
        if not folder.startswith("/"):
            raise TrialError("push_failed", f"no folder {_FOLDER} can be made there")
        self._folder = folder
        path = f"{folder}/{sha256}{suffix}"
        if digest != sha256:
            self._send(file, sha256, path)
        self._seen[sha256] = path
        return path

    def _send(self, file: Path, sha256: str, path: str) -> None:
        part, whole = shlex.quote(f"{path}.part-{secrets.token_hex(4)}"), shlex.quote(path)
        script = (
            f"umask 022; if cat >{part} && echo {sha256}' *'{part} | sha256sum -c >/dev/null; "
            f"then mv -f {part} {whole}; else rm -f {part}; exit 3; fi"
        )
        seconds = _SHELL_SECONDS + file.stat().st_size / _SLOWEST
        self._shell(script, seconds=seconds, source=file)

    def _fetch(self, path: str, sha256: str, size: int, file: Path) -> None:
        seconds = _SHELL_SECONDS + size / _SLOWEST
        with receiving(file, sha256, size) as part:
            command = [*self._ssh, f"cat {shlex.quote(path)}"]
            try:
                done = interrupt.communicate(
                    command, seconds, stdout=part.content, meanwhile=part.look
                )
            except subprocess.TimeoutExpired as error:
                raise SshLostError(f"no answer within {seconds:g} s") from error
            part.look()
            if done.returncode == _NO_CONNECTION:
                raise SshLostError(_last_words(done))
            if done.returncode:
                raise TrialError(
                    "pull_failed", f"the outputs cannot be read there: {_last_words(done)}"
                )

    def _remove(self, path: str) -> None:
        with contextlib.suppress(SshLostError, TrialError):
            self._shell(f"rm -f {shlex.quote(path)}")

    def _shell(
        self, script: str, seconds: float = _SHELL_SECONDS, source: Path | None = None
    ) -> str:
        with (source or Path(os.devnull)).open("rb") as content:
            try:
                done = interrupt.communicate([*self._ssh, script], seconds, stdin=content)
            except subprocess.TimeoutExpired as error:
                raise SshLostError(f"no answer within {seconds:g} s") from error
            except OSError as error:
                raise BadInputError(f"cannot start {self._ssh[0]}: {error.strerror}") from error
        last = _last_words(done)
        if done.returncode == _NO_CONNECTION:
            raise SshLostError(last)
        if done.returncode:
            code = "storage_full" if "No space left" in last else "push_failed"
            raise TrialError(code, f"cannot send a file to {self._address}: {last}")
        return done.stdout.decode("utf-8", "replace")

    def _lost(self, error: Exception) -> DeviceError:
        return DeviceError(f"device {self._name!r} ({self._address}) was lost: {error}", "lost")


def _last_words(done: subprocess.CompletedProcess[bytes]) -> str:
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return said[-1][:300] if said else f"exit code {done.returncode}"


def destination(address: str) -> list[str]:
    """The arguments of ssh for ``ssh://[USER@]HOST[:PORT]``.

    Raises:
        BadInputError: the address is none.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadInputError(f"{address!r}: {error}") from error
    extra = parts.path or parts.query or parts.fragment or parts.password
    if parts.scheme != "ssh" or not host or extra:
        raise BadInputError(f"{address!r} is not of the form ssh://USER@HOST:PORT")
    where = f"{parts.username}@{host}" if parts.username else host
    return [*(["-p", str(port)] if port else []), "--", where]

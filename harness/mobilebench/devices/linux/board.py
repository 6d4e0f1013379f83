"""A Linux board as a device: the agent is pushed there and run by the board's own Python."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path

from mobilebench_agent.contract import Event, Hello, Job, Result

from mobilebench.devices.adb.client import AdbDevice, AdbError, LinkLostError
from mobilebench.devices.adb.lease import AdbPlace
from mobilebench.devices.adb.link import Link
from mobilebench.devices.adb.remote_store import FOLDER, RemoteStore
from mobilebench.devices.agent import archive as agent_archive
from mobilebench.devices.agent import process as agent_process
from mobilebench.devices.agent.process import AgentDiedError
from mobilebench.devices.base import Cooldown, OnEvent, OnWait, PreflightResult, TrialError
from mobilebench.devices.linux.state import StateChecks, script
from mobilebench.devices.sent_files import Removed
from mobilebench.errors import BadInputError, DeviceError
from mobilebench.files import sha256_of
from mobilebench.records.device import AGENT, DeviceFacts

_GREETING_SECONDS = 60.0
_CUT = 255


class BoardDevice:
    """A board that speaks adb.

    Args:
        name: how tables call it.
        device: where it is.
        cache: where the agent's archive is built.
        python: the interpreter on the board.
        wait_seconds: how long a lost board is waited for.
        allowed: checks that may fail; every result says so.
    """

    kind = "board"
    executor = AGENT

    def __init__(
        self,
        name: str,
        device: AdbDevice,
        cache: Path,
        python: str = "python3",
        wait_seconds: float = 60.0,
        allowed: frozenset[str] = frozenset(),
    ) -> None:
        self._name = name
        self._device = device
        self._python = python
        self._agent = agent_archive.archive(cache)
        self._store = RemoteStore(device)
        self._link = Link(name, device, wait_seconds, self._store.forget)
        self._checks = StateChecks(name, self._state, allowed)

    @property
    def name(self) -> str:
        """How tables call it."""
        return self._name

    @property
    def place(self) -> AdbPlace:
        """Where its lease lies; see :class:`mobilebench.devices.lease.Leased`."""
        return AdbPlace(self._name, self._device)

    def probe(self) -> DeviceFacts:
        """Greets the agent; see :class:`mobilebench.devices.base.Device`."""
        self._link.require()
        try:
            virtual = self._device.is_virtual()
            hello = self._greet()
        except (TrialError, AdbError) as error:
            raise BadInputError(
                f"device {self._name!r} ({self._device.serial}): {error}"
            ) from error
        return DeviceFacts(
            self._name,
            self.kind,
            hello.agent,
            hello.runtime,
            hello.runtime_version,
            virtual=virtual or hello.device.get("virtual") is True,
            info={**hello.device, "serial": self._device.serial},
            executor=self.executor,
        )

    def push(self, file: Path, sha256: str) -> str:
        """Sends the file unless it is there; see :class:`mobilebench.devices.base.Device`."""
        return self._link.keep(lambda: self._store.put(file, sha256))

    def discard(self, sha256: str) -> None:
        """Removes the file there; see :class:`mobilebench.devices.base.Device`."""
        self._store.discard(sha256)

    def clean(self, keep_bytes: int) -> Removed:
        """See :class:`mobilebench.devices.sent_files.KeepsFiles`."""
        try:
            return self._store.clean(keep_bytes)
        except AdbError as error:
            raise DeviceError(f"device {self._name!r} was lost: {error}", "lost") from error

    def outputs_folder(self, job: Job) -> str:  # noqa: ARG002 (the same for each)
        """The store's folder; see :class:`mobilebench.devices.base.Device`."""
        return FOLDER

    def pull(self, path: str, sha256: str, size: int, file: Path) -> None:
        """Fetches the file; see :class:`mobilebench.devices.base.Device`."""
        self._link.keep(lambda: self._store.pull(path, sha256, size, file))
        # They would be the next trial's.
        self._link.notes()

    def preflight(self, cooldown: Cooldown, on_wait: OnWait) -> PreflightResult:
        """Checks its state; see :class:`mobilebench.devices.base.Device`."""
        return self._checks.preflight(cooldown, on_wait)

    def cpu_times(self) -> str:
        """See :class:`mobilebench.devices.base.ReportsCpuTimes`."""
        return self._link.keep(lambda: self._device.shell("cat", "/proc/stat").output)

    def run(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:
        """One trial in a fresh process; see :class:`mobilebench.devices.base.Device`."""
        result = self._link.keep(
            lambda: self._measure(job, on_event, timeout_seconds),
            lambda: on_event(Event(job.trial, "reconnect")),
        )
        result = replace(result, warnings=result.warnings + self._link.notes())
        return self._checks.validate(result)

    def _state(self) -> str:
        return self._link.keep(lambda: self._device.script(script()).output)

    def _greet(self) -> Hello:
        return agent_process.greet(self._command(), _GREETING_SECONDS, dict(os.environ))

    def _measure(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:
        command = self._command()
        try:
            return agent_process.converse(command, job, on_event, timeout_seconds, dict(os.environ))
        except AgentDiedError as error:
            # adb's own code for a stream that ended without the command's code.
            if error.exit_code == _CUT:
                raise LinkLostError(f"{self._device.serial}: the agent's stream was cut") from error
            self._link.ensure_alive()
            raise
        except TrialError as error:
            if error.code in ("protocol_violation", "timeout"):
                self._link.ensure_alive()
            raise

    def _command(self) -> list[str]:
        file = self._agent.there()
        agent = self._store.put(file, sha256_of(file))
        # When the stream closes, adbd hangs up on the process that it started: that must be the
        # agent, not a shell around it that leaves it running and in the next trial's way.
        words = ["env", "PYTHONDONTWRITEBYTECODE=1", self._python, agent, agent_archive.ATTACHED]
        remote = f"exec {shlex.join(words)}"
        # Without a terminal, so that nothing but the agent's own bytes come through.
        return self._device.server.program("-s", self._device.serial, "shell", "-T", remote)

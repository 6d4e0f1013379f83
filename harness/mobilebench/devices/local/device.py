"""This machine as a device: the agent in a process of its own."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from mobilebench_agent import system_files
from mobilebench_agent.contract import Job, Metric, Result

from mobilebench.devices.agent import archive as agent_archive
from mobilebench.devices.agent import process as agent_process
from mobilebench.devices.agent.outputs_file import OutputsFolder
from mobilebench.devices.base import Cooldown, OnEvent, OnWait, PreflightResult, TrialError
from mobilebench.devices.linux.state import StateChecks, read_here
from mobilebench.devices.local.lease import LocalPlace
from mobilebench.errors import BadInputError
from mobilebench.records.device import DeviceFacts

_GREETING_SECONDS = 60.0


class LocalDevice:
    """Runs the agent with a Python interpreter of this machine, by default the host's own."""

    kind = "local"

    def __init__(
        self,
        name: str,
        python: str | None,
        cache: Path,
        allowed: frozenset[str] = frozenset(),
    ) -> None:
        self._name = name
        self._python = python or sys.executable
        self._agent = agent_archive.archive(cache)
        # Byte code of the agent or its runtime must not be written while something is measured.
        self._checks = StateChecks(name, _state, allowed, "--device local")
        self._outputs = OutputsFolder()
        self._environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}

    @property
    def name(self) -> str:
        """How tables call it."""
        return self._name

    @property
    def place(self) -> LocalPlace:
        """Where its lease lies; see :class:`mobilebench.devices.lease.Leased`."""
        return LocalPlace(self._name)

    def probe(self) -> DeviceFacts:
        """Greets the agent; see :class:`mobilebench.devices.base.Device`."""
        try:
            hello = agent_process.greet(self._command(), _GREETING_SECONDS, self._environment)
        except TrialError as error:
            raise BadInputError(
                f"device {self._name!r} ({self._python}): {error.reason}"
            ) from error
        return DeviceFacts(
            self._name,
            self.kind,
            hello.agent,
            hello.runtime,
            hello.runtime_version,
            virtual=hello.device.get("virtual") is True,
            info=hello.device,
        )

    def push(self, file: Path, sha256: str) -> str:  # noqa: ARG002 (the file is here already)
        """The file's own path: nothing has to travel."""
        return str(file.resolve())

    def discard(self, sha256: str) -> None:
        """Nothing: what did not travel stays where it is."""

    def outputs_folder(self, job: Job) -> str:  # noqa: ARG002 (the same for each)
        """A temporary folder; see :class:`mobilebench.devices.base.Device`."""
        return self._outputs.path

    def pull(self, path: str, sha256: str, size: int, file: Path) -> None:
        """Moves the file; see :class:`mobilebench.devices.base.Device`."""
        self._outputs.take(path, sha256, size, file)

    def preflight(self, cooldown: Cooldown, on_wait: OnWait) -> PreflightResult:
        """Checks its state; see :class:`mobilebench.devices.base.Device`."""
        return self._checks.preflight(cooldown, on_wait)

    def cpu_times(self) -> str:
        """This machine's; see :class:`mobilebench.devices.base.ReportsCpuTimes`."""
        try:
            return system_files.text(system_files.root() / "proc/stat")
        except system_files.UnreadableError:
            return ""

    def run(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:
        """One trial in a fresh process; see :class:`mobilebench.devices.base.Device`."""
        began, busy = time.monotonic(), time.process_time()
        result = agent_process.converse(
            self._command(), job, on_event, timeout_seconds, self._environment
        )
        # To the agent this process is one of the others, and it is no load that a user could end.
        share = (time.process_time() - busy) / max(time.monotonic() - began, 1e-9)
        own = Metric("cpu_load_host", "CPUs", "process_time of the host's process", share, n=2)
        return self._checks.validate(replace(result, metrics=(*result.metrics, own)))

    def _command(self) -> tuple[str, ...]:
        return self._python, str(self._agent.there()), agent_archive.ATTACHED


def _state() -> str:
    return read_here(system_files.root())  # where the agent looks, too

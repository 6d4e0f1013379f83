"""TensorFlow's ``benchmark_model`` on a device, in our agent's place.

For cross-checks: its results stand apart. A native program in a shell runs in another environment
than an app, and both can differ by a factor of two (TensorFlow issues 53179 and 63111).
"""

from __future__ import annotations

from pathlib import Path

from mobilebench_agent.contract import PROTOCOL_VERSION, Event, Hello, Job, Result

from mobilebench.devices.adb.client import AdbDevice, AdbError
from mobilebench.devices.adb.remote_store import RemoteStore
from mobilebench.devices.base import OnEvent, TrialError
from mobilebench.devices.benchmark_model.output import arguments, result_of
from mobilebench.devices.benchmark_model.profile import NodeProfile, parse_profile
from mobilebench.errors import BadInputError
from mobilebench.files import sha256_of
from mobilebench.records.device import BENCHMARK_MODEL

#: A shell's codes for a program that it cannot run: no permission or no such format, not there.
_NO_PROGRAM = (126, 127)


class Program:
    """The program on a device, one process a trial."""

    def __init__(self, device: AdbDevice, store: RemoteStore, binary: Path) -> None:
        if not binary.is_file():
            raise BadInputError(f"there is no file {binary}")
        self._device = device
        self._store = store
        self._binary = binary
        self._sha256 = sha256_of(binary)

    def greet(self) -> Hello:
        """What stands for an agent's greeting; the program reports no version."""
        done = self._device.shell(self._path(), "--help")
        # It knows no --help and may fail for want of a model, but it must start.
        if done.code in _NO_PROGRAM or done.code > 128:
            raise TrialError(
                "runtime_missing", f"{self._binary.name} does not run there: {done.said}"
            )
        version = f"sha256:{self._sha256[:16]}"
        return Hello(PROTOCOL_VERSION, BENCHMARK_MODEL, BENCHMARK_MODEL, version)

    def measure(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:
        """One trial.

        Raises:
            TrialError: it failed, or its output is not that of a finished measurement.
            LinkLostError, DeadlineError: the device is gone, or too slow.
        """
        on_event(Event(job.trial, "measure"))
        return result_of(job, self._run(arguments(job), timeout_seconds))

    def profile(self, job: Job, timeout_seconds: float) -> tuple[NodeProfile, ...]:
        """The operators of a model, by the program's own profiler.

        Raises:
            TrialError: it failed, or printed no profile.
        """
        try:
            words = (*arguments(job), "--enable_op_profiling=true")
            return parse_profile(self._run(words, timeout_seconds))
        except AdbError as error:
            raise TrialError("adb_failed", str(error)) from error

    def _run(self, words: tuple[str, ...], timeout_seconds: float) -> str:
        """What it prints."""
        done = self._device.shell(self._path(), *words, seconds=timeout_seconds)
        if done.code:
            raise TrialError(
                "agent_died", f"{BENCHMARK_MODEL} ended with exit code {done.code}: {done.said}"
            )
        return f"{done.output}\n{done.errors}"

    def _path(self) -> str:
        return self._store.put(self._binary, self._sha256, executable=True)

"""Boards on which TensorFlow's ``benchmark_model`` measures in the agent's place."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mobilebench_agent.contract import Hello, Job, Result

from mobilebench.devices.adb.client import AdbDevice
from mobilebench.devices.base import OnEvent
from mobilebench.devices.benchmark_model.profile import NodeProfile
from mobilebench.devices.benchmark_model.program import Program
from mobilebench.devices.linux.board import BoardDevice
from mobilebench.records.device import BENCHMARK_MODEL


class BenchmarkModelBoard(BoardDevice):
    """A board that speaks adb, with the program in place of the agent.

    Args:
        name: how tables call it.
        device: where it is.
        binary: ``benchmark_model``, built for it.
        cache: as of :class:`BoardDevice`.
        allowed: checks that may fail; every result says so.

    Raises:
        BadInputError: there is no such file.
    """

    executor = BENCHMARK_MODEL

    def __init__(
        self,
        name: str,
        device: AdbDevice,
        binary: str | Path,
        cache: Path,
        allowed: Iterable[str] = (),
    ) -> None:
        super().__init__(name, device, cache, allowed=frozenset(allowed))
        self._program = Program(device, self._store, Path(binary))

    def _greet(self) -> Hello:
        return self._program.greet()

    def _measure(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:
        return self._program.measure(job, on_event, timeout_seconds)

    def profile(self, job: Job, timeout_seconds: float) -> tuple[NodeProfile, ...]:
        """See :class:`mobilebench.devices.benchmark_model.profile.Profiler`."""
        return self._program.profile(job, timeout_seconds)

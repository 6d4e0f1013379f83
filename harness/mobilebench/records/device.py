"""What a device is, and who measures on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mobilebench.errors import BadInputError
from mobilebench.records.battery_current import CurrentProfile

#: Who measures: the app or the agent of this project, or TensorFlow's own program.
AGENT, BENCHMARK_MODEL = "agent", "benchmark_model"


@dataclass(frozen=True)
class DeviceFacts:
    """What a device is: recorded with every run, so that unlike things are never compared.

    Attributes:
        name: as the suite calls it.
        kind: ``local``, ``android``, ``board``.
        agent: the version of who measures on it.
        runtime: the inference library, and ``runtime_version`` that library's version.
        virtual: an emulator or the like: its times are not a phone's latency.
        emulated: its processor is emulated, too: only its answers count, and nothing else is
            measured.
        info: what the device reports of itself.
        executor: who measures: ``agent`` or ``benchmark_model``.
        battery_current: how it reports its battery's current, as the suite says or as an earlier
            run has shown; None: not known.
        power_counter: the counter that energy is to be read from; empty: the best there is.
    """

    name: str
    kind: str
    agent: str
    runtime: str
    runtime_version: str
    virtual: bool = False
    emulated: bool = False
    info: dict[str, Any] = field(default_factory=dict)
    executor: str = AGENT
    battery_current: CurrentProfile | None = None
    power_counter: str = ""

    @property
    def library(self) -> str:
        """The inference library with its version; empty where neither is known."""
        return f"{self.runtime} {self.runtime_version}".strip()

    @property
    def caution(self) -> str:
        """What must not be read into its numbers, in a sentence; empty for a real device."""
        if self.emulated:
            return (
                f"The processor of {self.name} is emulated: only its answers count, and nothing "
                "else is measured there."
            )
        if self.virtual:
            return f"{self.name} is virtual: its times are not a phone's latency."
        pages, built_for = self.info.get("page_size"), self.info.get("library_alignment")
        if isinstance(pages, int) and isinstance(built_for, int) and pages > built_for:
            return (
                f"{self.name} has memory pages of {pages // 1024} KB and runs the app, whose "
                f"runtime is built for {built_for // 1024} KB, in Android's mode for such apps: "
                "its time and memory are not those of an app that is built for its pages."
            )
        return ""

    def ensure_timed(self) -> None:
        """Raises BadInputError where times mean nothing, because the processor is emulated."""
        if self.emulated:
            raise BadInputError(
                f"the processor of device {self.name!r} is emulated, so its times mean nothing: "
                "take a real device"
            )

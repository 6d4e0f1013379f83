"""What every device can do, and how a trial on it can fail."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from mobilebench_agent.contract import Event, Job, Metric, Result

from mobilebench.records.device import DeviceFacts

#: Reasons that the host adds to the agent's own (``mobilebench_agent.contract.ERROR_CODES``).
HOST_CODES = (
    "timeout",  # no answer within the trial's time
    "agent_died",  # the process ended without a result
    "protocol_violation",  # a message that is malformed, or of another trial
    "link_lost",  # the device went away in the middle, and again when it was repeated
    "adb_failed",  # adb or the device refused something, with its reason
    "push_failed",  # a file could not be sent
    "pull_failed",  # an outputs file could not be fetched, or is not the one that was reported
    "storage_full",  # no space for it on the device
    "start_failed",  # the app did not start
    "app_crashed",  # it ended by an exception or a signal
    "app_hung",  # Android says that it does not respond
    "skipped",  # not started: earlier trials of the same variant failed
)

#: Why a trial that has a result, or was about to have one, does not count.
INVALID_CODES = (
    "throttled",  # heat, the power supply or a CPU quota slowed the device down meanwhile
    "capped",  # its processor's frequency was limited
    "plug_changed",  # it was plugged in or unplugged meanwhile
    "disturbed",  # the app did not stay in front
    "taken",  # somebody else measured on it meanwhile
    "too_hot",  # it did not cool down in time, and the trial was not started
    "device_unfit",  # battery low, locked, … after the trial
)

#: Called with each event, and once in a while with the latest one again: it may raise to end the
#: trial.
OnEvent = Callable[[Event], None]


class TrialError(Exception):
    """One trial has no result: a code and a sentence. Other trials go on."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class InvalidTrialError(TrialError):
    """The trial does not count, because of the device's state: one of ``INVALID_CODES``.

    ``result`` is what was measured all the same; None if the trial was not started. ``heat``: it
    is nothing but heat, or what the device did against it.
    """

    def __init__(
        self, code: str, reason: str, result: Result | None = None, heat: bool = False
    ) -> None:
        super().__init__(code, reason)
        self.result = result
        self.heat = heat


@dataclass(frozen=True)
class Cooldown:
    """How cool a device must be before a trial.

    Attributes:
        celsius: at most so many degrees; None: no more than that it is not throttled, and on
            phones the battery's own limit.
        seconds: how long that is waited for.
    """

    celsius: float | None = None
    seconds: float = 600.0


@dataclass(frozen=True)
class PreflightProblem:
    """A check that failed, before or after a trial: its name, and a sentence.

    ``passes``: it may pass by waiting, as heat does; ``short`` then says what is waited for.
    """

    check: str
    sentence: str
    passes: bool = False
    short: str = ""

    @property
    def code(self) -> str:
        """Why a trial with it is invalid: one of ``INVALID_CODES``."""
        codes = {
            "thermal": "throttled",
            "cpu-quota": "throttled",
            "frequency": "capped",
            "plug": "plug_changed",
        }
        return codes.get(self.check, "device_unfit")


@dataclass(frozen=True)
class PreflightResult:
    """What the checks before a trial found: it goes to the trial's record."""

    metrics: tuple[Metric, ...] = ()
    warnings: tuple[str, ...] = ()


#: Called with a few words on what is waited for; it may raise to end the waiting.
OnWait = Callable[[str], None]


class Device(Protocol):
    """Somewhere a model can run."""

    @property
    def name(self) -> str:
        """How tables call it."""

    def probe(self) -> DeviceFacts:
        """Greets the agent.

        Raises:
            BadInputError: there is no such device, or no runtime on it.
        """

    def push(self, file: Path, sha256: str) -> str:
        """Puts a file where the device's agent can read it and returns its path there."""

    def discard(self, sha256: str) -> None:
        """Removes a file that was pushed; on this machine, where nothing travels, it stays."""

    def outputs_folder(self, job: Job) -> str:
        """Where the agent is to write the outputs file of this job; empty: where it chooses."""

    def pull(self, path: str, sha256: str, size: int, file: Path) -> None:
        """Fetches an outputs file that the agent wrote, and removes it from the device.

        Args:
            path: on the device, as the agent reports it.
            sha256: of its content.
            size: in bytes; no more are taken.
            file: where it goes on this machine.

        Raises:
            TrialError: ``pull_failed``: it is not where the agent was to write, cannot be read, or
                is not the file that was reported; or the link's own. There is no file here then.
        """

    def preflight(self, cooldown: Cooldown, on_wait: OnWait) -> PreflightResult:
        """Checks before a trial that nothing disturbs it, and waits until the device is cool.

        Raises:
            InvalidTrialError: ``too_hot``: it did not cool down in time.
            InvalidRunError: a check failed, and waiting does not change that.
        """

    def run(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:
        """Carries out one trial in a fresh process.

        Raises:
            InvalidTrialError: there is a result, and it does not count.
            TrialError: there is no valid result, whatever the reason.
        """


@runtime_checkable
class ReportsCpuTimes(Protocol):
    """A device whose load can be seen while nothing is measured on it."""

    def cpu_times(self) -> str:
        """What its ``/proc/stat`` says now; empty where it has none, or does not let it be read."""


def ensure_preflight(device: Device) -> None:
    """Runs a device's preflight before a run; each trial waits for heat by itself.

    Raises:
        InvalidRunError: a check failed, and waiting does not change that.
    """
    with contextlib.suppress(InvalidTrialError):
        device.preflight(Cooldown(seconds=0), lambda _: None)

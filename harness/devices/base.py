"""What every device can do, and how a trial on it can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from device_agent.contract import Event, Job, Result

#: Reasons that the host adds to the agent's own (``device_agent.contract.ERROR_CODES``).
HOST_CODES = (
    "timeout",  # no answer within the trial's time
    "agent_died",  # the process ended without a result
    "protocol_violation",  # what it said is no message of ours, or of another trial
    "link_lost",  # the device went away in the middle, and again when it was repeated
    "adb_failed",  # adb or the device refused something, with its reason
    "push_failed",  # a file could not be sent
    "storage_full",  # no space for it on the device
    "start_failed",  # the app did not start
    "app_crashed",  # it ended by an exception or a signal
    "app_hung",  # Android says that it does not respond
    "device_unfit",  # too hot, too low, locked, … after the trial, so that it does not count
    "skipped",  # not started: earlier trials of the same variant failed
)

#: Told of each event, and once in a while of the latest one again: it may raise to end the trial.
OnEvent = Callable[[Event], None]


class TrialError(Exception):
    """One trial has no result: a code and a sentence. Other trials go on."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class DeviceFacts:
    """What a device is: recorded with every run, so that unlike things are never compared."""

    name: str
    kind: str
    agent: str
    runtime: str
    runtime_version: str
    virtual: bool = False
    info: dict[str, Any] = field(default_factory=dict)


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

    def run(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:
        """Carries out one trial in a fresh process.

        Raises:
            TrialError: there is no valid result, whatever the reason.
        """

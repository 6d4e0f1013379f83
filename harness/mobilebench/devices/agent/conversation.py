"""A conversation with one agent: hello, job, events, and one result or error.

The same over a process's standard streams and over a socket to an app: a :class:`Wire` is what
differs. The agent is not trusted to answer, to answer in time, or to answer our question.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

from mobilebench_agent import contract
from mobilebench_agent.contract import Error, Event, Hello, Job, Result

from mobilebench.devices import interrupt
from mobilebench.devices.base import OnEvent, TrialError
from mobilebench.records import reported
from mobilebench.text import plain

#: A line longer than this is no message: a result of ten million samples has about 100 MB.
_MAX_LINE_BYTES = 256 << 20

#: How long nothing may happen before the caller is asked whether it still waits.
_PATIENCE_SECONDS = 0.5


class Wire(Protocol):
    """The two directions to an agent, and how to find out why they ended."""

    def receive(self, seconds: float) -> bytes | None:
        """What comes next; None if nothing does within that time, empty at the end."""

    def send(self, line: bytes) -> None:
        """Sends a line; it is the last.

        Raises:
            OSError: the agent no longer reads.
        """

    def died(self) -> TrialError:
        """Why the agent's messages ended too early."""


#: Of a job: what is asked of an accelerator.
ACCELERATOR_OPTIONS = ("precision", "preference", "serialization")


class Conversation:
    """One agent's messages in order, all of them within one time limit."""

    def __init__(self, wire: Wire, timeout_seconds: float) -> None:
        self._wire = wire
        self._deadline = time.monotonic() + timeout_seconds
        self._limit = timeout_seconds
        self._buffer = bytearray()
        self._scanned = 0
        self._shows_trial = False
        self._takes_options = False

    def greet(self) -> Hello:
        """The agent's greeting.

        Raises:
            TrialError: it did not greet; ``runtime_missing`` if it cannot run models.
        """
        message = self._message()
        if isinstance(message, Error):
            raise _failure(message)
        if not isinstance(message, Hello):
            raise TrialError("protocol_violation", f"expected hello, got {message.type}")
        if message.protocol != contract.PROTOCOL_VERSION:
            raise TrialError(
                "protocol_violation",
                f"the agent speaks protocol {message.protocol}, this host "
                f"{contract.PROTOCOL_VERSION}: update the older of the two",
            )
        if not message.runtime:
            raise _failure(self._message())
        self._shows_trial = message.device.get("shows_trial") is True
        self._takes_options = message.device.get("accelerator_options") is True
        known = ("shows_trial", "accelerator_options")
        described = {name: value for name, value in message.device.items() if name not in known}
        return replace(message, device=described)

    def carry_out(self, job: Job, on_event: OnEvent) -> Result:
        """Sends the job and waits for its result.

        Raises:
            TrialError: anything but a whole valid result of this very trial.
        """
        if not self._shows_trial:
            job = replace(job, shown_model="", shown_recipe="", shown_trial=0, shown_trials=0)
        options = [name for name in ACCELERATOR_OPTIONS if getattr(job, name)]
        if options and not self._takes_options:
            raise TrialError(
                "accelerator_unavailable",
                f"the agent takes no {', no '.join(options)}: it has no accelerator with options, "
                "or is older than this host",
            )
        # If it no longer reads, its last message, or how it ended, says why.
        with contextlib.suppress(OSError):
            self._wire.send(contract.encode(job).encode())
        latest = Event(job.trial, "start")
        while True:
            message = self._message(partial(on_event, latest))
            if isinstance(message, Error):
                raise _failure(message)
            if not isinstance(message, Event | Result) or message.trial != job.trial:
                raise TrialError(
                    "protocol_violation",
                    f"expected an answer to trial {job.trial}, got {message.type} of "
                    f"{getattr(message, 'trial', 'no trial')!r}",
                )
            if isinstance(message, Result):
                return _checked(message, job)
            latest = message
            on_event(message)

    def _message(self, idle: Callable[[], None] = lambda: None) -> contract.Message:
        try:
            return contract.decode(self._line(idle))
        except contract.ContractError as error:
            raise TrialError("protocol_violation", str(error)) from error

    def _line(self, idle: Callable[[], None]) -> bytes:
        while True:
            end = self._buffer.find(b"\n", self._scanned)
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                self._scanned = 0
                return line
            self._scanned = len(self._buffer)
            if self._scanned > _MAX_LINE_BYTES:
                raise TrialError("protocol_violation", "the agent sent a line without an end")
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TrialError("timeout", f"no answer within {self._limit:g} s")
            block = self._wire.receive(min(left, _PATIENCE_SECONDS))
            if block is None:
                idle()
                interrupt.check()
                continue
            if not block:
                raise self._wire.died()
            self._buffer += block


def _checked(result: Result, job: Job) -> Result:
    if result.kind != job.kind:
        raise TrialError("protocol_violation", f"asked for {job.kind}, got {result.kind}")
    if job.kind == "latency" and not result.samples_ns:
        raise TrialError("protocol_violation", "the latency result has no samples")
    if any(sample <= 0 for sample in result.samples_ns):
        raise TrialError("protocol_violation", "a sample is not a positive time")
    if wrong := reported.fault(result.metrics):
        raise TrialError("protocol_violation", wrong)
    return result


def _failure(message: contract.Message) -> TrialError:
    if isinstance(message, Error):
        return TrialError(message.code, plain(message.message))
    return TrialError("protocol_violation", f"expected an error, got {message.type}")

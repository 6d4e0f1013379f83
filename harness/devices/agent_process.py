"""A conversation with one agent process over its standard streams.

The same for an agent on this machine and for one behind a remote shell: the command differs.
The agent is not trusted to answer, to answer in time, or to answer our question.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

from device_agent import contract
from device_agent.contract import Error, Event, Hello, Job, Result
from harness.devices.base import OnEvent, TrialError

#: A line longer than this is no message: a result of ten million samples has about 100 MB.
_MAX_LINE_BYTES = 256 << 20
_READ_BYTES = 1 << 20


def greet(command: Sequence[str], timeout_seconds: float, env: Mapping[str, str]) -> Hello:
    """Starts the agent, reads its greeting, and ends it.

    Raises:
        TrialError: it did not greet; ``runtime_missing`` if it has nothing to run models with.
    """
    with _agent(command, timeout_seconds, env) as agent:
        hello = agent.hello()
        if not hello.runtime:
            raise _failure(agent.next_message())
        return hello


def converse(
    command: Sequence[str],
    job: Job,
    on_event: OnEvent,
    timeout_seconds: float,
    env: Mapping[str, str],
) -> Result:
    """One job, one fresh process, one result.

    Raises:
        TrialError: anything but a whole valid result of this very trial.
    """
    with _agent(command, timeout_seconds, env) as agent:
        if not agent.hello().runtime:
            raise _failure(agent.next_message())
        agent.send(job)
        while True:
            message = agent.next_message()
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
            on_event(message)


def _checked(result: Result, job: Job) -> Result:
    if result.kind != job.kind:
        raise TrialError("protocol_violation", f"asked for {job.kind}, got {result.kind}")
    if job.kind == "latency" and not result.samples_ns:
        raise TrialError("protocol_violation", "the latency result has no samples")
    if any(sample <= 0 for sample in result.samples_ns):
        raise TrialError("protocol_violation", "a sample is not a positive time")
    return result


def _failure(message: contract.Message) -> TrialError:
    if isinstance(message, Error):
        return TrialError(message.code, message.message)
    return TrialError("protocol_violation", f"expected an error, got {message.type}")


class _Agent:
    def __init__(
        self, process: subprocess.Popen[bytes], errors: IO[bytes], deadline: float, limit: float
    ) -> None:
        self._process = process
        self._errors = errors
        self._deadline = deadline
        self._limit = limit
        self._buffer = bytearray()
        self._scanned = 0
        self._selector = selectors.DefaultSelector()
        assert process.stdout is not None
        self._output = process.stdout.fileno()
        self._selector.register(self._output, selectors.EVENT_READ)

    def send(self, job: Job) -> None:
        assert self._process.stdin is not None
        # If it no longer listens, what it said last, or its death, tells why.
        with contextlib.suppress(OSError):
            self._process.stdin.write(contract.encode(job).encode())
            self._process.stdin.close()

    def hello(self) -> Hello:
        message = self.next_message()
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
        return message

    def next_message(self) -> contract.Message:
        try:
            return contract.decode(self._line())
        except contract.ContractError as error:
            raise TrialError("protocol_violation", str(error)) from error

    def _line(self) -> bytes:
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
            if left <= 0 or not self._selector.select(left):
                raise TrialError("timeout", f"no answer within {self._limit:g} s")
            block = os.read(self._output, _READ_BYTES)
            if not block:
                raise self._died()
            self._buffer += block

    def _died(self) -> TrialError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        code = self._process.returncode
        if code is not None and code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
            if -code == signal.SIGKILL:
                how += " (out of memory?)"
        else:
            how = f"ended with exit code {code}"
        last = self._last_words()
        return TrialError("agent_died", f"the agent {how}{': ' + last if last else ''}")

    def _last_words(self) -> str:
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - 2000))
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")[:300]


@contextlib.contextmanager
def _agent(
    command: Sequence[str], timeout_seconds: float, env: Mapping[str, str]
) -> Iterator[_Agent]:
    with tempfile.TemporaryFile() as errors:
        try:
            # A session of its own: Ctrl-C is for the host, which then ends the agent itself.
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(env),
                start_new_session=True,
            )
        except OSError as error:
            raise TrialError(
                "agent_died", f"cannot start the agent with {command[0]}: {error.strerror}"
            ) from error
        try:
            yield _Agent(process, errors, time.monotonic() + timeout_seconds, timeout_seconds)
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    try:
        # It has said its last message, or we have lost patience: a moment to leave by itself.
        process.wait(timeout=0.5)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

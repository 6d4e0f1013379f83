"""An agent in a process of its own, spoken to over its standard streams.

The same for an agent on this machine and for one behind a remote shell: the command differs.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

from mobilebench_agent.contract import Hello, Job, Result

from mobilebench import processes
from mobilebench.devices.agent.conversation import Conversation
from mobilebench.devices.base import OnEvent, TrialError
from mobilebench.errors import InvalidRunError

_READ_BYTES = 1 << 20
#: What is read before the host asks for it.
_MOST_BLOCKS = 64
_STEP_SECONDS = 0.25


def greet(command: Sequence[str], timeout_seconds: float, env: Mapping[str, str]) -> Hello:
    """Starts the agent, reads its greeting, and ends it.

    Raises:
        TrialError: it did not greet; ``runtime_missing`` if it has nothing to run models with.
    """
    with _agent(command, env) as agent:
        return Conversation(agent, timeout_seconds).greet()


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
        InvalidRunError: this machine cannot start the command: no fault of the model's.
    """
    try:
        with _agent(command, env) as agent:
            conversation = Conversation(agent, timeout_seconds)
            conversation.greet()
            return conversation.carry_out(job, on_event)
    except CannotStartError as error:
        raise InvalidRunError(error.reason) from error


class CannotStartError(TrialError):
    """There is no process: the command on this machine is missing, or it may not run it."""

    def __init__(self, reason: str) -> None:
        super().__init__("agent_died", reason)


class AgentDiedError(TrialError):
    """The process ended without an answer; ``exit_code`` is negative for a signal."""

    def __init__(self, reason: str, exit_code: int | None) -> None:
        super().__init__("agent_died", reason)
        self.exit_code = exit_code


class _Agent:
    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self._process = process
        self._errors = errors
        # A thread reads: no selector takes pipes on Windows.
        self._blocks: queue.Queue[bytes] = queue.Queue(_MOST_BLOCKS)
        self._over = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while True:
            try:
                block = os.read(descriptor, _READ_BYTES)
            except OSError:
                block = b""
            while not self._over.is_set():
                with contextlib.suppress(queue.Full):
                    self._blocks.put(block, timeout=_STEP_SECONDS)
                    break
            if not block:
                return

    def receive(self, seconds: float) -> bytes | None:
        with contextlib.suppress(queue.Empty):
            return self._blocks.get(timeout=seconds)
        return None

    def end(self) -> None:
        """Ends the process, with all that it started, unless it ends by itself at once."""
        self._over.set()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            # Its last message has come, or its time is over: a moment to leave by itself.
            self._process.wait(timeout=0.5)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            processes.kill_tree(self._process)
            self._process.wait()
        self._reader.join(timeout=_STEP_SECONDS)
        # Somebody else may hold the other end: then the thread still reads, and whose descriptor
        # that number would be next is not known.
        if not self._reader.is_alive():
            self._process.stdout.close()

    def send(self, line: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        # It stays open while this host lives, and the agent ends when it closes: by no host's
        # death is a device kept busy.
        self._process.stdin.flush()

    def died(self) -> TrialError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        code = self._process.returncode
        if code is not None and code < 0:
            how = f"was killed by {_signal_name(-code)}"
            if _signal_name(-code) == "SIGKILL":
                how += " (out of memory?)"
        else:
            how = f"ended with exit code {code}"
        last = self._last_words()
        return AgentDiedError(f"the agent {how}{': ' + last if last else ''}", code)

    def _last_words(self) -> str:
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - 2000))
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")[:300]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has a number only
        return f"signal {number}"


@contextlib.contextmanager
def _agent(command: Sequence[str], env: Mapping[str, str]) -> Iterator[_Agent]:
    with tempfile.TemporaryFile() as errors:
        try:
            # A session of its own: Ctrl-C is for the host, which then ends the agent itself.
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(env),
                **processes.apart(),
            )
        except OSError as error:
            raise CannotStartError(
                f"cannot start the agent with {command[0]}: {error.strerror}"
            ) from error
        agent = _Agent(process, errors)
        try:
            yield agent
        finally:
            agent.end()

"""Ctrl-C for the threads that devices are measured in.

Python interrupts the main thread alone. Whatever waits for a device looks here now and then, so
that a run ends within a second, whatever its phones are doing or not doing.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import IO

from mobilebench import processes

#: How often those who wait should look.
STEP_SECONDS = 0.25


class _Stop:
    def __init__(self, event: threading.Event) -> None:
        self.event = event
        self.is_raised = False


_stop: ContextVar[_Stop | None] = ContextVar("stop", default=None)


@contextlib.contextmanager
def heeding(event: threading.Event) -> Iterator[None]:
    """Within it, this thread is interrupted as soon as the event is set and it waits."""
    token = _stop.set(_Stop(event))
    try:
        yield
    finally:
        _stop.reset(token)


def check() -> None:
    """Interrupts this thread once, so that it can still put a device in order.

    Raises:
        KeyboardInterrupt: the thread is to stop.
    """
    stop = _stop.get()
    if stop is not None and not stop.is_raised and stop.event.is_set():
        stop.is_raised = True
        raise KeyboardInterrupt


def communicate(
    command: Sequence[str],
    seconds: float,
    *,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
    env: dict[str, str] | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> subprocess.CompletedProcess[bytes]:
    """As ``subprocess.run``, but for an interrupt or the time limit it ends the whole group.

    ``meanwhile`` is called every ``STEP_SECONDS``; it may raise to end the program.

    Raises:
        OSError: there is no such program.
        subprocess.TimeoutExpired: it did not end in time.
        KeyboardInterrupt: see :func:`check`.
    """
    end = time.monotonic() + seconds
    process = subprocess.Popen(
        command,
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=env,
        **processes.apart(),
    )
    try:
        while True:
            check()
            meanwhile()
            left = end - time.monotonic()
            try:
                output, errors = process.communicate(timeout=max(0.0, min(left, STEP_SECONDS)))
            except subprocess.TimeoutExpired:
                if left <= 0:
                    raise subprocess.TimeoutExpired(command, seconds) from None
            else:
                return subprocess.CompletedProcess(command, process.returncode, output, errors)
    except BaseException:
        processes.kill_tree(process)
        process.communicate()
        raise

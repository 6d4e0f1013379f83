"""Waiting for a device to cool down: in small steps, so that Ctrl-C is noticed, and reported."""

from __future__ import annotations

import time
from collections.abc import Callable

from mobilebench.devices import interrupt
from mobilebench.devices.base import OnWait

_STEP_SECONDS = 0.25


def pause(seconds: float, waiting: Callable[[], None]) -> None:
    """Sleeps; ``waiting`` is called meanwhile and may raise to end it."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        interrupt.check()
        waiting()
        time.sleep(min(left, _STEP_SECONDS))


def report(on_wait: OnWait, what: str, end: float) -> None:
    """Reports what is waited for, and how long at most (``end`` on the monotonic clock)."""
    on_wait(f"cooling: {what}, {max(0.0, end - time.monotonic()):.0f} s left")

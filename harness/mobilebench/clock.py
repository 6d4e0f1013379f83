"""Points in time that stay in order when somebody sets the computer's clock.

The wall clock is read once; from there on the monotonic clock counts.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class SteadyClock:
    """UTC as it was when the clock was made, and the time that has passed since."""

    def __init__(self) -> None:
        self._start = datetime.now(UTC)
        self._begin = time.monotonic()

    def now(self) -> datetime:
        """The present, UTC."""
        return self._start + timedelta(seconds=time.monotonic() - self._begin)


_CLOCK = SteadyClock()


def moment() -> datetime:
    """The present, UTC; never earlier than what it said before."""
    return _CLOCK.now()


def now(timespec: str = "milliseconds") -> str:
    """The present as ISO 8601."""
    return moment().isoformat(timespec=timespec)

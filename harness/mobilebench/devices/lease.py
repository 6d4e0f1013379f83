"""Who has a device: one run at a time, whichever computer it comes from.

A lease is a lock on the device itself, so that it also holds against somebody with another cable,
another adb server, or another program of scheduling. Where a lock lies is a device's ``place``.
"""

from __future__ import annotations

import getpass
import os
import platform
import secrets
from dataclasses import dataclass, field
from typing import Protocol, Self, runtime_checkable
from urllib.parse import quote, unquote

import psutil

from mobilebench import clock
from mobilebench.errors import DeviceError
from mobilebench.text import plain

_LONGEST_WORD = 100

#: Tokens of leases that this process has done with and could not give back: the device was gone.
_left_behind: set[str] = set()


@dataclass(frozen=True)
class Holder:
    """Who has a device.

    Attributes:
        user, host: their name, and their computer's.
        pid: of the process there.
        since: UTC.
        token: distinguishes this lease from every other one.
    """

    user: str
    host: str
    pid: str
    since: str
    token: str = field(repr=False)

    @classmethod
    def here(cls) -> Self:
        """This process."""
        try:
            user = getpass.getuser()
        except (OSError, KeyError):  # no such user, as in some containers
            user = "somebody"
        host = platform.node() or "a computer"
        return cls(user, host, str(os.getpid()), clock.now("seconds"), secrets.token_hex(8))

    @classmethod
    def read(cls, line: str) -> Holder | None:
        """Of a line that a device keeps; None where it is of another form."""
        words = [plain(unquote(word))[:_LONGEST_WORD] for word in line[:4096].split()]
        if len(words) != 5:
            return None
        token, user, host, pid, since = words
        return cls(user, host, pid, since, token)

    @property
    def line(self) -> str:
        """As a device keeps it: five words without a space, a quote or a backslash."""
        words = (self.token, self.user, self.host, self.pid, self.since)
        return " ".join(quote(word[:_LONGEST_WORD], safe=":") or "-" for word in words)

    def left_behind(self) -> None:
        """Notes that this process has done with a lease that the device may still keep."""
        _left_behind.add(self.token)

    @property
    def has_ended(self) -> bool:
        """Whether it is a process of this computer that has ended, or has done with it."""
        if self.token in _left_behind:
            return True
        is_here = self.host == (platform.node() or "a computer")
        return is_here and self.pid.isdecimal() and not psutil.pid_exists(int(self.pid[:9]))

    def __str__(self) -> str:
        """For a person."""
        return f"{self.user}@{self.host} (process {self.pid}, since {self.since})"


class TakenError(DeviceError):
    """Somebody else has the device; ``holder`` is None where it is not known who."""

    def __init__(self, name: str, holder: Holder | None) -> None:
        who = holder or "somebody whose name it does not give"
        super().__init__(
            f"device {name!r} is taken by {who}: measure later, or wait for it with --wait MINUTES",
            "taken",
        )
        self.holder = holder


class UnreachableError(Exception):
    """The device cannot be asked for its lease; the message says why."""


class NoLeaseError(Exception):
    """The device has nothing to lock with; the message says what is missing."""


class Lease(Protocol):
    """A device that this process has until it releases it, or ends."""

    def ensure(self) -> bool:
        """Sees that the device is still this process's, and takes it again if it was lost.

        Returns:
            Whether nobody else had it meanwhile.

        Raises:
            TakenError: somebody else has it now.
            UnreachableError: it does not answer.
        """

    def release(self) -> None:
        """Gives it back; twice is once."""


class Place(Protocol):
    """Where a device's lease lies."""

    @property
    def key(self) -> str:
        """Alike for two devices of one run that are one."""

    def take(self, holder: Holder) -> Lease:
        """Takes the device, without waiting.

        Raises:
            TakenError: somebody else has it.
            NoLeaseError: it has nothing to lock with.
            UnreachableError: it is not there.
        """


@runtime_checkable
class Leased(Protocol):
    """A device that can be had by one run at a time."""

    @property
    def place(self) -> Place:
        """Where its lease lies."""

"""The leases of one run: each device is its own from the first look to the end of its lane."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from mobilebench.devices import interrupt
from mobilebench.devices.base import Device, TrialError
from mobilebench.devices.lease import (
    Holder,
    Lease,
    Leased,
    NoLeaseError,
    Place,
    TakenError,
    UnreachableError,
)
from mobilebench.devices.sent_files import KeepsFiles
from mobilebench.errors import DeviceError
from mobilebench.text import size_in

#: The variable that lets files stay on devices, for runs that use the same ones again.
LIMIT = "MOBILEBENCH_DEVICE_LIMIT"

#: How often a device that somebody else has is asked for: each time a process starts there, beside
#: what the other measures.
_POLL_SECONDS = 10.0
#: So often, and for so long, where it was a process of this computer that has ended.
_LEFT_POLL_SECONDS = 1.0
_LEFT_SECONDS = 90.0
_STEP_SECONDS = 0.25


@dataclass(frozen=True)
class Patience:
    """How long a run waits for what others do.

    Attributes:
        device_seconds: for a device that somebody else measures on.
        quiet_seconds: for a device that other processes keep busy.
    """

    device_seconds: float = 0.0
    quiet_seconds: float = 0.0


#: Is given a few words on what is waited for; it may raise to end the waiting.
OnWait = Callable[[str], None]


class Leases:
    """The devices that a run has; all are given back at the end of a ``with`` statement.

    Of several such statements, one within another, that is the outermost: two runs of one gate keep
    the devices between them.

    Args:
        patience: how long a device is waited for that somebody else has.
        leaves_files: whether what was sent to a device stays there; else it is removed when the
            device is given back, but for the size that ``MOBILEBENCH_DEVICE_LIMIT`` names.
    """

    def __init__(self, patience: Patience | None = None, leaves_files: bool = False) -> None:
        self.patience = patience or Patience()
        self._leaves_files = leaves_files
        self._keep_bytes = size_in(LIMIT) or 0
        self._lock = threading.Lock()
        self._taking: dict[str, threading.Lock] = {}
        self._held: dict[str, Lease] = {}
        self._devices: dict[str, Device] = {}
        self._names: dict[str, set[str]] = {}
        self._without: dict[str, str] = {}
        self._unlocked: dict[str, Device] = {}
        self._depth = 0

    def __enter__(self) -> Self:
        self._depth += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._depth -= 1
        if not self._depth:
            names = {name for names in self._names.values() for name in names}
            with contextlib.ExitStack() as each:  # whatever one comes to, all are given back
                for name in {*names, *self._unlocked}:
                    each.callback(self._release, name)

    def take(self, device: Device, on_wait: OnWait = lambda _text: None) -> None:
        """Takes a device; nothing happens where it is this run's already.

        Args:
            device: which.
            on_wait: is given who has it, while it is waited for.

        Raises:
            TakenError: somebody else has it, and did not end in time.
            BadInputError: it is not there; the sentence is the device's own.
            DeviceError: it does not answer when asked for its lease.
        """
        if not isinstance(device, Leased):
            return
        place = device.place
        with self._lock:
            taking = self._taking.setdefault(place.key, threading.Lock())
        with taking:  # two names of one device are not each other's rivals
            if place.key not in self._held:
                try:
                    lease = self._taken(device, place, on_wait)
                except NoLeaseError as error:
                    self._without[device.name] = str(error)
                    self._unlocked[device.name] = device
                    return
                with self._lock:
                    self._held[place.key] = lease
                    self._devices[place.key] = device
            with self._lock:
                self._names.setdefault(place.key, set()).add(device.name)

    def ensure(self, device: Device) -> bool:
        """Sees that a device is still this run's; says whether nobody else had it meanwhile.

        Raises:
            TakenError: somebody else has it.
            DeviceError: it does not answer.
        """
        lease = self._held.get(device.place.key) if isinstance(device, Leased) else None
        if lease is None:
            return True
        try:
            return lease.ensure()
        except UnreachableError as error:
            raise _lost(device, error) from error

    def release(self, name: str) -> None:
        """Gives a device back, by its name, unless somebody around this run keeps it.

        Another name of the same device keeps it, too.
        """
        if self._depth <= 1:
            self._release(name)

    def warnings(self) -> list[str]:
        """What to know of devices that somebody else may use at the same time."""
        return [
            f"device {name!r} could be used by others meanwhile: {why}"
            for name, why in self._without.items()
        ]

    def _release(self, name: str) -> None:
        with self._lock:
            leases = []
            for key, names in self._names.items():
                names.discard(name)
                if not names and key in self._held:
                    leases.append((self._held.pop(key), self._devices.pop(key)))
            devices = [device for _, device in leases]
            if name in self._unlocked:
                devices.append(self._unlocked.pop(name))
        with contextlib.ExitStack() as last:  # cleaned, then released, whatever one comes to
            for lease, _ in leases:
                last.callback(lease.release)
            if not self._leaves_files:
                for device in devices:
                    last.callback(_clean, device, self._keep_bytes)

    def _taken(self, device: Device, place: Place, on_wait: OnWait) -> Lease:
        holder = Holder.here()
        begin = time.monotonic()
        while True:
            try:
                try:
                    return place.take(holder)
                except UnreachableError:
                    # What is wrong with it, and what to do, the device says better.
                    device.probe()
                    return place.take(holder)
            except UnreachableError as error:
                raise _lost(device, error) from error
            except TakenError as error:
                # A device finds by itself that who had it is no longer there.
                is_left = error.holder is not None and error.holder.has_ended
                patience = max(self.patience.device_seconds, _LEFT_SECONDS if is_left else 0.0)
                if time.monotonic() >= begin + patience:
                    raise
                poll = _LEFT_POLL_SECONDS if is_left else _POLL_SECONDS
                _wait(device, error, begin + patience, poll, on_wait)


@contextlib.contextmanager
def leased(device: Device, patience: Patience | None = None) -> Iterator[None]:
    """Has one device within it.

    Raises:
        TakenError, BadInputError, DeviceError: as :meth:`Leases.take`.
    """
    with Leases(patience) as leases:
        leases.take(device)
        yield


def _clean(device: Device, keep_bytes: int) -> None:
    """Leaves nobody's model on a device that others will have; one that is gone keeps it."""
    if isinstance(device, KeepsFiles):
        with contextlib.suppress(DeviceError, TrialError):
            device.clean(keep_bytes)


def _lost(device: Device, error: UnreachableError) -> DeviceError:
    return DeviceError(
        f"device {device.name!r} does not answer when it is asked for its lease: {error}", "lost"
    )


def _wait(device: Device, taken: TakenError, end: float, poll: float, on_wait: OnWait) -> None:
    who = taken.holder or "somebody"
    until = min(end, time.monotonic() + poll)
    while (now := time.monotonic()) < until:
        left = round((end - now) / 60)
        on_wait(f"waiting for {device.name}, which {who} has; {left} min left")
        interrupt.check()
        time.sleep(max(0.0, min(_STEP_SECONDS, until - now)))

"""What a kind of device is: how its devices are found, opened and looked over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mobilebench.devices.base import Device
from mobilebench.devices.found import Found
from mobilebench.devices.spec import DeviceSpec


@dataclass(frozen=True)
class Check:
    """One thing that ``mobilebench doctor`` looked at.

    Attributes:
        name: of the check, as ``allowed`` names it where it is one of a trial's.
        ok: whether it is as it should be.
        sentence: what was found.
        repair: what to do about it; empty if it is well.
        can_repair: whether ``--repair`` does it.
    """

    name: str
    ok: bool
    sentence: str
    repair: str = ""
    can_repair: bool = False


class Patient(Protocol):
    """A device that ``mobilebench doctor`` looks over."""

    @property
    def name(self) -> str:
        """What it is called."""

    def examine(self) -> tuple[Check, ...]:
        """Looks, and changes nothing."""

    def repair(self) -> tuple[Check, ...]:
        """Does what can be done without the device's owner, and looks again."""

    def record(self, folder: Path) -> tuple[Path, ...]:
        """Saves what the device prints as test data; returns the files."""


#: Finds every connected device; it raises BadInputError where it cannot look.
Discover = Callable[[], Sequence[Found]]


@dataclass(frozen=True)
class DeviceKind:
    """A kind of device: what ``kind = "NAME"`` of a suite and ``--device`` can mean.

    Attributes:
        name: as a suite writes it.
        help: what it is, in a few words.
        open: makes a device of what a suite says; it does not speak to it yet. Raises
            BadInputError: the settings name no device.
        discover: finds the devices that are connected; several kinds may share one function, which
            is called once. None: only an address leads to a device of this kind.
        locate: what is found at an address; None: the address is of another form than this kind's.
            Raises BadInputError: nothing can be reached there.
        found_again: of an address and what a device is known by wherever it is connected, its
            present address; the same address where it is not found elsewhere.
        takes: which optional keys of a suite's device it heeds: ``address``, ``python``,
            ``binary``, ``unplugged``; others are refused.
        measured_alone: it shares this machine's processor. Its trials wait for those of all other
            devices, and ``--device all`` leaves it out.
        doctor: what looks over a device of this kind for ``mobilebench doctor``; it returns None
            for a device of another kind.
    """

    name: str
    help: str
    open: Callable[[DeviceSpec], Device]
    discover: Discover | None = None
    locate: Callable[[str], Found | None] = lambda _: None
    found_again: Callable[[str, str], str] = lambda address, _: address
    takes: frozenset[str] = frozenset()
    measured_alone: bool = False
    doctor: Callable[[Found], Patient | None] | None = None

"""A run's lanes: one a device, looked at and measured side by side, and failing alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TypeVar

from mobilebench.devices import interrupt, kinds
from mobilebench.devices.base import Device, ensure_preflight
from mobilebench.devices.spec import DeviceSpec
from mobilebench.errors import BadInputError, DeviceError, MobileBenchError
from mobilebench.records.device import DeviceFacts
from mobilebench.records.run import MissingDevice
from mobilebench.runs.leases import Leases, OnWait

#: Refuses a device that is another one than it was: BadInputError.
Check = Callable[[DeviceFacts], None]


Entry = TypeVar("Entry")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Lane:
    """A device that was greeted and is fit."""

    spec: DeviceSpec
    device: Device
    facts: DeviceFacts


def look(
    specs: Sequence[DeviceSpec],
    open_device: Callable[[DeviceSpec], Device],
    leases: Leases,
    on_wait: OnWait = lambda _: None,
    check: Check = lambda _: None,
) -> tuple[tuple[Lane, ...], dict[str, MobileBenchError]]:
    """Takes and greets every device and looks whether it is fit, all at the same time.

    Returns:
        The lanes, in the devices' order; and why each other device, by name, has none.
    """

    def one(spec: DeviceSpec) -> Lane:
        device = open_device(spec)
        leases.take(device, on_wait)
        try:
            facts = device.probe()
            check(facts)
            ensure_preflight(device)
        except BaseException:
            leases.release(device.name)
            raise
        return Lane(spec, device, facts)

    found, errors = side_by_side(
        one, {spec.name: spec for spec in specs}, frozenset(), threading.Event()
    )
    for error in errors.values():
        if not isinstance(error, MobileBenchError):
            raise error
    problems = {name: e for name, e in errors.items() if isinstance(e, MobileBenchError)}
    return tuple(found[spec.name] for spec in specs if spec.name in found), problems


def refusal(problems: Mapping[str, MobileBenchError]) -> MobileBenchError:
    """One error for devices that cannot be measured: why each of them cannot."""
    errors = list(problems.values())
    if len(errors) == 1:
        return errors[0]
    text = "; ".join(map(str, errors))
    unfit = next((error for error in errors if isinstance(error, DeviceError)), None)
    return BadInputError(text) if unfit is None else DeviceError(text, unfit.code)


def missing(problems: Mapping[str, MobileBenchError]) -> tuple[MissingDevice, ...]:
    """What a run keeps of the devices that have no lane, or whose lane has broken off."""
    return tuple(
        MissingDevice(
            device=name,
            code=error.code if isinstance(error, DeviceError) else "unavailable",
            reason=str(error),
        )
        for name, error in problems.items()
    )


def alone(specs: Sequence[DeviceSpec]) -> frozenset[str]:
    """The names of devices that share this machine's processor."""
    return frozenset(spec.name for spec in specs if kinds.get(spec.kind).measured_alone)


def side_by_side(
    lane: Callable[[Entry], Outcome],
    entries: Mapping[str, Entry],
    alone: Set[str],
    stop: threading.Event,
) -> tuple[dict[str, Outcome], dict[str, BaseException]]:
    """Every device at the same time, each in a thread; what one suffers is not the others' loss.

    Devices whose names are in ``alone`` share this machine's processor: they are measured one by
    one, after the others, whose lanes would be load to them.

    Args:
        lane: what is done with each.
        entries: by the device's name.
        alone: names.
        stop: is set to end every lane within a second.

    Returns:
        What each lane came to, and what each other lane raised, by name.

    Raises:
        KeyboardInterrupt: Ctrl-C; every lane has ended.
    """

    def heeding(entry: Entry) -> Outcome:
        with interrupt.heeding(stop):
            return lane(entry)

    groups = [[name for name in entries if name not in alone]]
    groups += [[name] for name in entries if name in alone]
    outcomes: dict[str, Outcome] = {}
    errors: dict[str, BaseException] = {}
    with ThreadPoolExecutor(max_workers=max(1, len(groups[0]))) as pool:
        try:
            for group in groups:
                futures = {name: pool.submit(heeding, entries[name]) for name in group}
                wait(futures.values())
                for name, future in futures.items():
                    if error := future.exception():
                        errors[name] = error
                    else:
                        outcomes[name] = future.result()
        except BaseException:
            stop.set()
            raise
    return outcomes, errors

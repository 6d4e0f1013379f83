"""Which devices there are, and which of them an ID means: every kind is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from mobilebench.devices import kinds
from mobilebench.devices.found import ALL, Found, choose
from mobilebench.devices.kind import DeviceKind, Discover
from mobilebench.errors import BadInputError


def discover(asked: Iterable[DeviceKind]) -> tuple[tuple[Found, ...], tuple[str, ...]]:
    """Every device that these kinds find, and a sentence for each kind that could not look."""
    found: list[Found] = []
    notes: list[str] = []
    for search, names in _searches(asked).items():
        try:
            found += search()
        except BadInputError as error:
            notes.append(f"no {' or '.join(names)} device was looked for: {error}")
    return tuple(found), tuple(notes)


def locate(selection: Sequence[str]) -> tuple[Found, ...]:
    """The devices that IDs mean, in their order and each once.

    Args:
        selection: serials, addresses of any kind, or ``all``: every device that is connected and
            ready, without those that share this machine's processor.

    Raises:
        BadInputError: one is not there or not ready; the message says what to do.
    """
    known, problems = kinds.every()
    located = {address: _at(address, known) for address in dict.fromkeys(selection)}
    if all(located.values()):
        return tuple(found for found in located.values() if found)
    found, notes = discover(kind for kind in known if not kind.measured_alone)
    serials = {serial for entry in found for serial in (entry.serial, *entry.also)}
    others: tuple[Found, ...] = ()
    if any(at is None and address not in (ALL, *serials) for address, at in located.items()):
        # What shares this machine is asked last: it takes a moment, and `all` does not mean it.
        others, more = discover(kind for kind in known if kind.measured_alone)
        notes += more
    chosen: list[Found] = []
    for address, at in located.items():
        try:
            among = found if address == ALL else (*found, *others)
            chosen += [at] if at else choose([address], among)
        except BadInputError as error:
            raise BadInputError("; ".join((str(error), *problems, *notes))) from error
    return tuple({entry.address or entry.serial: entry for entry in chosen}.values())


def plugged(
    search: Callable[[], Sequence[Found]],
    poll_seconds: float = 2.0,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Found]:
    """Each device as it becomes ready; one that went away and came back, again.

    Raises:
        BadInputError: the search cannot look any more.
    """
    present: set[str] = set()
    while not stopped():
        found = {entry.identity or entry.serial: entry for entry in search()}
        ready = {key: entry for key, entry in found.items() if entry.ready}
        present &= set(ready)
        for key, entry in ready.items():
            if key not in present:
                present.add(key)
                yield entry
        time.sleep(poll_seconds)


def connected() -> tuple[Found, ...]:
    """Every device but those that share this machine's processor.

    Raises:
        BadInputError: no kind can look for its devices.
    """
    known = [kind for kind in kinds.every()[0] if not kind.measured_alone]
    found, notes = discover(known)
    if len(notes) == len(_searches(known)):
        raise BadInputError("; ".join(notes))
    return found


def _at(address: str, known: Iterable[DeviceKind]) -> Found | None:
    locates = dict.fromkeys(kind.locate for kind in known)
    return next(filter(None, (locate(address) for locate in locates)), None)


def _searches(asked: Iterable[DeviceKind]) -> dict[Discover, list[str]]:
    """Each way to look for devices, with the kinds that share it."""
    searches: dict[Discover, list[str]] = {}
    for kind in asked:
        if kind.discover is not None:
            searches.setdefault(kind.discover, []).append(kind.name)
    return searches

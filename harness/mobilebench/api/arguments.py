"""What callers give: paths, one or several of a thing, devices by name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilebench.errors import BadInputError

if TYPE_CHECKING:
    from mobilebench.devices.checks import DeviceCheck
    from mobilebench.devices.spec import DeviceSpec
    from mobilebench.runs.leases import Patience
    from mobilebench.suite.policy import Policy

#: A path as text or as an object, such as ``pathlib.Path`` or ``mobilebench.Run``.
StrPath = str | os.PathLike[str]
#: In minutes: a month.
_LONGEST_WAIT = 30 * 24 * 60

#: Shapes of inputs, by name; or that of the only one.
InputShapes = Mapping[str, Sequence[int]] | Sequence[int]


def texts(given: StrPath | Sequence[StrPath]) -> list[str]:
    """One text or path, or a sequence of them: a text is one, not its letters."""
    if isinstance(given, str | os.PathLike):
        return [os.fspath(given)]
    return [os.fspath(text) for text in given]


def path_or_none(given: StrPath | None) -> Path | None:
    """The path, if there is one."""
    return None if given is None else Path(given)


def text_or_none(given: StrPath | None) -> str | None:
    """The path as text, if there is one."""
    return None if given is None else os.fspath(given)


def shapes_by_input(given: InputShapes) -> dict[str, Sequence[int]]:
    """By the input's name; empty for the only one."""
    if isinstance(given, Mapping):
        return dict(given)
    return {"": given} if given else {}


def without_none(**given: Any) -> dict[str, Any]:
    """What was given."""
    return {name: value for name, value in given.items() if value is not None}


def require_alone(kind: str, /, **others: object) -> None:
    """Raises BadInputError if something is given beside ``resume``, whose run has its own."""
    given = [
        name
        for name, value in others.items()
        if not (value is None or (isinstance(value, Sequence | Mapping) and not value))
    ]
    if given:
        raise BadInputError(
            f"resume goes on with the {kind} as it was begun: leave {', '.join(given)} out"
        )


def patience_of(wait_minutes: float, wait_quiet_minutes: float) -> Patience:
    """How long others are waited for.

    Raises:
        BadInputError: one is no length of time.
    """
    from mobilebench.runs.leases import Patience

    for what, minutes in (("wait", wait_minutes), ("wait-quiet", wait_quiet_minutes)):
        if not 0 <= minutes <= _LONGEST_WAIT:
            raise BadInputError(
                f"{what} is {minutes:g}; it is given in minutes, from 0 to {_LONGEST_WAIT}"
            )
    return Patience(wait_minutes * 60, wait_quiet_minutes * 60)


def device_specs(
    devices: str | DeviceSpec | Sequence[str | DeviceSpec],
    allow: Sequence[DeviceCheck] = (),
    binary: Path | None = None,
    unplugged: bool = False,
) -> tuple[DeviceSpec, ...]:
    """The devices that are meant; none: the suite's own.

    Args:
        devices: ``"local"``, serials, ``adb://HOST:PORT/SERIAL``, ``"all"``, or specifications,
            which are taken as they are.
        allow: checks that those named by a text may fail.
        binary: ``benchmark_model``, if that is to measure.
        unplugged: phones named by a text must run on their battery.

    Raises:
        BadInputError: one is not connected or not ready.
    """
    from mobilebench.devices.spec import DeviceSpec
    from mobilebench.runs import selection

    given = (devices,) if isinstance(devices, str | DeviceSpec) else tuple(devices)
    specs = [device for device in given if isinstance(device, DeviceSpec)]
    names = [device for device in given if not isinstance(device, DeviceSpec)]
    if specs and not names:
        return tuple(specs)
    return (*specs, *selection.choose_devices(names, allow, binary, unplugged))


def policy_of(given: StrPath | Mapping[str, Any] | Policy | None) -> Policy:
    """The policy: a file's, a mapping's, one that is ready, or the default one.

    Raises:
        BadInputError: it is none; the message says what would be.
    """
    from mobilebench.suite import policy

    if isinstance(given, policy.Policy):
        return given
    if isinstance(given, Mapping):
        return policy.validate(given, "the policy")
    return policy.read_policy(path_or_none(given))

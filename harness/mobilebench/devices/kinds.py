"""The registry of device kinds: the built-in ones and those of plug-ins.

A plug-in names its kind in the entry-point group ``mobilebench.devices``, under the kind's name. It
is imported when a suite or a command asks for that kind or for every kind, and not before.
"""

from __future__ import annotations

from importlib import metadata

from mobilebench.devices.builtin.android import ANDROID
from mobilebench.devices.builtin.linux import BOARD, SSH
from mobilebench.devices.builtin.local import LOCAL
from mobilebench.devices.kind import DeviceKind
from mobilebench.devices.spec import DeviceSpec
from mobilebench.errors import BadInputError, nearest

GROUP = "mobilebench.devices"

_BUILT_IN = {kind.name: kind for kind in (LOCAL, ANDROID, BOARD, SSH)}

#: What a kind heeds or refuses: these keys of a suite's device.
_OPTIONAL = ("address", "python", "binary", "unplugged")


def names() -> tuple[str, ...]:
    """The names of all kinds, the built-in ones first; no plug-in is imported."""
    return tuple(dict.fromkeys((*_BUILT_IN, *_plugins())))


def get(name: str) -> DeviceKind:
    """The kind of that name.

    Raises:
        BadInputError: there is none, there are two, or its plug-in cannot be loaded.
    """
    entries = _plugins().get(name, ())
    if name not in _BUILT_IN and not entries:
        known = names()
        near = nearest(name, known)
        hint = f", did you mean {near!r}?" if near else "."
        raise BadInputError(
            f"unknown kind of device {name!r}{hint} Known kinds are {', '.join(known)}"
        )
    if name in _BUILT_IN and not entries:
        return _BUILT_IN[name]
    origins = [entry.value for entry in entries]
    if name in _BUILT_IN or len(origins) > 1:
        others = "MobileBench itself" if name in _BUILT_IN else origins.pop()
        raise BadInputError(
            f"the kind of device {name!r} is defined by {', '.join(origins)} and by {others}: "
            "uninstall one of them"
        )
    return _loaded(entries[0])


def every() -> tuple[tuple[DeviceKind, ...], tuple[str, ...]]:
    """All kinds that can be loaded, and a sentence for each that cannot."""
    found, problems = [], []
    for name in names():
        try:
            found.append(get(name))
        except BadInputError as error:
            problems.append(str(error))
    return tuple(found), tuple(problems)


def checked(spec: DeviceSpec) -> DeviceSpec:
    """The device of a suite, if its kind exists and heeds all its settings.

    Raises:
        ValueError: what is wrong with it.
    """
    try:
        ensure_heeded(spec)
    except BadInputError as error:
        raise ValueError(str(error)) from error
    return spec


def ensure_heeded(spec: DeviceSpec) -> None:
    """Refuses a device with a setting that its kind would ignore.

    Raises:
        BadInputError: its kind does not exist, or has no such setting.
    """
    kind = get(spec.kind)
    for key in _OPTIONAL:
        if getattr(spec, key) and key not in kind.takes:
            others = ", ".join(other.name for other in every()[0] if key in other.takes)
            raise BadInputError(
                f"device {spec.name!r} is of kind {kind.name!r} ({kind.help}), which has no "
                f"{key!r}; these kinds have it: {others}"
            )


def _plugins() -> dict[str, tuple[metadata.EntryPoint, ...]]:
    found: dict[str, tuple[metadata.EntryPoint, ...]] = {}
    for entry in sorted(metadata.entry_points(group=GROUP), key=lambda entry: entry.name):
        found[entry.name] = (*found.get(entry.name, ()), entry)
    return found


def _loaded(entry: metadata.EntryPoint) -> DeviceKind:
    try:
        kind = entry.load()
    except Exception as error:
        raise BadInputError(
            f"the plug-in {entry.value} of the group {GROUP} cannot be loaded: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(kind, DeviceKind):
        raise BadInputError(
            f"the plug-in {entry.value} of the group {GROUP} is not a DeviceKind: it is of type "
            f"{type(kind).__name__}"
        )
    if kind.name != entry.name:
        raise BadInputError(
            f"the plug-in {entry.value} of the group {GROUP} is registered as {entry.name!r} and "
            f"calls its kind {kind.name!r}: both must be the same"
        )
    return kind

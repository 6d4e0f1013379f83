"""Which stored runs may be set beside each other: all but the models must agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mobilebench.records.device import DeviceFacts
    from mobilebench.records.protocol import MeasuringProtocol
    from mobilebench.records.runtime import Runtime

#: What of a device must agree, and how it is called.
_DEVICE = {
    "kind": "kind of device",
    "virtual": "virtual or real device",
    "runtime": "runtime",
    "runtime_version": "runtime version",
    "agent": "agent version",
}
#: What of the facts that a device reports of itself; a name is not enough, and a serial too much.
_FACTS = {
    "model": "phone model",
    "soc": "processor",
    "android": "Android version",
    "build": "Android build",
    "cpu": "processor",
    "cores": "number of cores",
    "machine": "architecture",
    "system": "operating system",
}
#: How often a variant was run changes its interval, not what it is an interval of.
_NOT_PROTOCOL = ("blocks", "timeout_seconds", "cooldown_seconds", "sustained_minutes", "parity_db")


@dataclass(frozen=True)
class Refusal:
    """What of a run is not compared, and why."""

    run: str
    what: str
    reason: str


def setting(device: DeviceFacts, runtime: Runtime, protocol: MeasuringProtocol) -> dict[str, Any]:
    """All that must agree, by the name that a person reads."""
    info = device.info
    minutes = protocol.sustained_minutes
    return {
        "mode": f"sustained, {minutes:g} min" if minutes else "burst",
        "executor": device.executor,
        **{title: getattr(device, key) for key, title in _DEVICE.items()},
        **{title: info[key] for key, title in _FACTS.items() if info.get(key) is not None},
        # No CPUs asked for is what runs had before they could be.
        **{
            f"runtime's {key}": value
            for key, value in runtime.model_dump().items()
            if key != "name" and (key != "cpus" or value)
        },
        **{
            f"protocol's {key}": value
            for key, value in protocol.model_dump().items()
            if key not in _NOT_PROTOCOL
        },
    }


def library(agreed: Mapping[str, Any]) -> str:
    """The inference library of a setting, with its version."""
    return f"{agreed.get('runtime') or ''} {agreed.get('runtime version') or ''}".strip()


def differences(base: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """In what two settings differ, a phrase each; empty where they may be compared.

    A run that is older than a setting had it switched off.
    """
    if base is other:
        return []
    return [
        f"another {name} ({other.get(name) or 'none'}, not {base.get(name) or 'none'})"
        for name in dict.fromkeys((*base, *other))
        if (base.get(name) or None) != (other.get(name) or None)
    ]

"""The kind ``local``: this machine.

What measures on it is imported inside the functions: a suite is read, and models are compressed,
without it.
"""

from __future__ import annotations

from collections.abc import Sequence

from mobilebench.devices.base import Device
from mobilebench.devices.found import Found
from mobilebench.devices.kind import DeviceKind
from mobilebench.devices.spec import DeviceSpec

_NAME = "local"


def _open(spec: DeviceSpec) -> Device:
    from mobilebench.cache import cache_folder
    from mobilebench.devices.local.device import LocalDevice

    return LocalDevice(spec.name, spec.python, cache_folder(), frozenset(spec.allow))


def _discover() -> Sequence[Found]:
    from mobilebench_agent import power, system_files

    from mobilebench.devices.local import lease

    facts = _open(DeviceSpec(name=_NAME)).probe()
    counters, reasons = power.find(system_files.root())
    processor = facts.info.get("cpu") or facts.info.get("machine")
    return [
        Found(
            _NAME,
            kind=_NAME,
            model=f"{processor}, {facts.info.get('cores')} cores, "
            f"{facts.runtime} {facts.runtime_version}",
            power=", ".join(power.sources(counters)) or "; ".join(("no power counter", *reasons)),
            virtual=facts.virtual,
            holder=str(lease.holder() or ""),
            info={
                **facts.info,
                "agent": facts.agent,
                "runtime": facts.runtime,
                "runtime_version": facts.runtime_version,
            },
        )
    ]


def _locate(address: str) -> Found | None:
    return Found(_NAME, kind=_NAME, model=_NAME) if address == _NAME else None


LOCAL = DeviceKind(
    _NAME,
    "this machine",
    _open,
    discover=_discover,
    locate=_locate,
    takes=frozenset({"python"}),
    measured_alone=True,
)

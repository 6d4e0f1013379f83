"""The kind ``android``: phones with the benchmark app, reached over adb.

What speaks adb is imported inside the functions: a suite for this machine needs none of it.
"""

from __future__ import annotations

from mobilebench.devices import adb_reach
from mobilebench.devices.base import Device
from mobilebench.devices.found import Found
from mobilebench.devices.kind import DeviceKind, Patient
from mobilebench.devices.spec import DeviceSpec


def _open(spec: DeviceSpec) -> Device:
    device = adb_reach.opened(spec.address, ANDROID.name)
    if spec.binary is not None:
        from mobilebench.devices.android.benchmark_model import BenchmarkModelPhone

        return BenchmarkModelPhone(spec.name, device, spec.binary, spec.allow)
    from mobilebench.devices.android import device as phone
    from mobilebench.devices.android.app import Apk

    return phone.AndroidDevice(
        spec.name,
        device,
        Apk.described(),
        allowed=frozenset(spec.allow),
        unplugged=spec.unplugged,
    )


def _doctor(found: Found) -> Patient | None:
    # Of a device that is not ready adb does not say what it is: most are phones.
    if found.kind not in (ANDROID.name, ""):
        return None
    from mobilebench.devices.adb.client import AdbDevice, parse_address
    from mobilebench.devices.android.app import Apk
    from mobilebench.devices.android.doctor import Phone

    return Phone(AdbDevice(*parse_address(found.address or found.serial)), Apk.described())


ANDROID = DeviceKind(
    "android",
    "a phone with the benchmark app",
    _open,
    discover=adb_reach.connected,
    locate=adb_reach.located,
    found_again=adb_reach.found_again,
    takes=frozenset({"address", "binary", "unplugged"}),
    doctor=_doctor,
)

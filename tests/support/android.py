"""What the tests of phones share: a device on a virtual phone, a job for it, the app's own core."""

from __future__ import annotations

import time
from pathlib import Path

from mobilebench.devices.adb.client import AdbDevice
from mobilebench.devices.android.device import AndroidDevice
from mobilebench_agent.contract import PROTOCOL_VERSION, Job

from app_build.errors import BuildError
from tests.phone import apps, needs
from tests.phone.android import PACKAGE, Android, Package
from tests.phone.fixtures import Connect
from tests.phone.phone import Phone
from tests.support.models import sha256


def make(
    android: Android, connect: Connect, *, wait: float = 120, cool: float = 0
) -> AndroidDevice:
    """A device on a phone that has the app already."""
    android.installed[PACKAGE] = Package(1)
    device = connect(android.phone)
    return AndroidDevice("phone", device, None, wait_seconds=wait, cool_seconds=cool)


def plan(device: AndroidDevice, model: Path, kind: str = "latency", seconds: float = 0.05) -> Job:
    """A short job; its model is on the phone."""
    return Job(
        PROTOCOL_VERSION,
        "run.phone.00001",
        kind,
        device.push(model, sha256(model)),
        sha256(model),
        warmup_seconds=0,
        runs=10,
        seconds=seconds,
    )


def app_core(phone: Phone) -> list[str]:
    """The app's own core on a JVM; the test is skipped where that cannot be had."""
    try:
        return apps.desktop(phone)
    except BuildError as error:
        needs.judge(error)


def core_of_its_abi(phone: Phone) -> list[str]:
    """The app's own core with the library for the phone's processor, likewise."""
    try:
        return apps.of_its_abi(phone)
    except BuildError as error:
        needs.judge(error)


def wait_for_state(device: AdbDevice, state: str) -> None:
    """Waits until adb says that the device is in that state."""
    end = time.monotonic() + 120
    while device.state() != state:
        assert time.monotonic() < end, device.state()
        time.sleep(0.02)

"""Who a virtual phone can be: a current Pixel, a Samsung, an old Android 8, a Linux board.

The dumps follow recordings of such devices as far as the labels in ``tests/devices/dumps`` say.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mobilebench.devices.adb.client import VIRTUAL

from tests.phone.android import Android, State
from tests.phone.apps import App
from tests.phone.phone import Make, Phone
from tests.phone.system import System

# Debian's adbd cannot do these, and says that it could.
_NOT_HERE = frozenset({"abb", "abb_exec"})

_PIXEL = {
    "ro.product.manufacturer": "Google",
    "ro.product.model": "Pixel 7 Pro",
    "ro.product.name": "cheetah",
    "ro.product.device": VIRTUAL,
    "ro.build.version.release": "14",
    "ro.build.version.sdk": "34",
    "ro.build.type": "user",
    "ro.debuggable": "0",
    "ro.build.fingerprint": "google/cheetah/cheetah:14/UQ1A.240205.002/11224170:user/release-keys",
    "ro.product.cpu.abi": "arm64-v8a",
    "ro.product.cpu.abilist": "arm64-v8a",
    "ro.soc.manufacturer": "Google",
    "ro.soc.model": "Tensor G2",
    "ro.hardware": "cheetah",
    "ro.serialno": "28301FDH3000AB",
    "sys.boot_completed": "1",
}
_SAMSUNG = _PIXEL | {
    "ro.product.manufacturer": "samsung",
    "ro.product.model": "SM-S911B",
    "ro.product.name": "dm1qxxx",
    "ro.product.device": VIRTUAL,
    "ro.build.fingerprint": "samsung/dm1qxxx/dm1q:14/UP1A.231005.007/S911BXXU3BXB2:user/"
    "release-keys",
    "ro.soc.manufacturer": "QTI",
    "ro.soc.model": "SM8550",
    "ro.hardware": "qcom",
    "ro.serialno": "R5CW1234ABC",
}
_CHROMEBOOK = _PIXEL | {
    "ro.product.model": "Chromebook",
    "ro.product.name": "brya",
    "ro.product.device": VIRTUAL,
    "ro.build.fingerprint": "google/brya/brya_cheets:14/R130-16033.0.0/12345678:user/release-keys",
    "ro.product.cpu.abi": "x86_64",
    "ro.product.cpu.abilist": "x86_64",
    "ro.soc.manufacturer": "Intel",
    "ro.soc.model": "i5-1245U",
    "ro.hardware": "brya",
    "ro.serialno": "5CD1234XYZ",
}
_OLD = {
    "ro.product.manufacturer": "Xiaomi",
    "ro.product.model": "Mi A1",
    "ro.product.name": "tissot",
    "ro.product.device": VIRTUAL,
    "ro.build.version.release": "8.0.0",
    "ro.build.version.sdk": "26",
    "ro.build.type": "user",
    "ro.debuggable": "0",
    "ro.build.fingerprint": "xiaomi/tissot/tissot_sprout:8.0.0/OPR1.170623.026/8.1.10:user/"
    "release-keys",
    "ro.product.cpu.abi": "arm64-v8a",
    "ro.board.platform": "msm8953",
    "ro.hardware": "qcom",
    "ro.serialno": "0123456789ab",
    "sys.boot_completed": "1",
}

#: As AOSP's BatteryService prints what its hardware gives where nothing is fitted.
_NO_BATTERY = (
    "Current Battery Service state:\n"
    "  AC powered: true\n"
    "  USB powered: false\n"
    "  Wireless powered: false\n"
    "  Dock powered: false\n"
    "  Charge counter: 0\n"
    "  status: 1\n"
    "  health: 1\n"
    "  present: false\n"
    "  level: 0\n"
    "  scale: 100\n"
    "  voltage: 0\n"
    "  temperature: 0\n"
    "  technology: \n"
)


def pixel(folder: Path, system: System, app: App, storage: int | None = None) -> Android:
    """A Pixel 7 Pro with Android 14."""
    phone = Phone(folder, system, Make(dict(_PIXEL), _NOT_HERE, storage=storage))
    return Android(phone, app(phone), _battery, _thermal, _policy)


def samsung(folder: Path, system: System, app: App) -> Android:
    """A Galaxy S23 with Android 14, whose battery dump repeats itself in lower case."""
    phone = Phone(folder, system, Make(dict(_SAMSUNG), _NOT_HERE))
    return Android(phone, app(phone), _samsung_battery, _thermal, _policy)


def chromebook(folder: Path, system: System, app: App) -> Android:
    """An x86-64 machine with Android 14, such as a Chromebook."""
    phone = Phone(folder, system, Make(dict(_CHROMEBOOK), _NOT_HERE))
    return Android(phone, app(phone), _battery, _thermal, _policy)


def old_phone(folder: Path, system: System, app: App) -> Android:
    """An Android 8 phone: no shell protocol 2, no thermal service, no exit history."""
    without = _NOT_HERE | {"shell_v2", "cmd", "stat_v2", "ls_v2", "apex", "fixed_push_mkdir"}
    without |= {"sendrecv_v2", "sendrecv_v2_brotli", "sendrecv_v2_lz4", "sendrecv_v2_zstd"}
    phone = Phone(folder, system, Make(dict(_OLD), without))
    return Android(
        phone,
        app(phone),
        _battery,
        lambda _: "Can't find service: thermalservice\n",
        _old_policy,
        has_exit_info=False,
        launch_state="",
    )


def board(folder: Path, system: System) -> Phone:
    """A Linux board: this machine's programs, and the Python that runs the tests."""
    script = f'#!/bin/sh\nexec {sys.executable} "$@"\n'
    properties = {
        "ro.product.name": "board",
        "ro.product.model": "Board",
        "ro.product.device": VIRTUAL,
    }
    make = Make(properties, _NOT_HERE, machine=True, programs={"python3": script})
    return Phone(folder, system, make)


def _battery(state: State) -> str:
    if not state.has_battery:
        return _NO_BATTERY
    faked = "  (UPDATES STOPPED -- use 'reset' to restart)\n" if state.faked else ""
    return (
        "Current Battery Service state:\n"
        f"{faked}"
        "  AC powered: false\n"
        f"  USB powered: {str(state.plugged).lower()}\n"
        "  Wireless powered: false\n"
        "  Dock powered: false\n"
        "  Max charging current: 500000\n"
        "  Max charging voltage: 5000000\n"
        f"  Charge counter: {state.level * 39000}\n"
        "  status: 2\n"
        "  health: 2\n"
        "  present: true\n"
        f"  level: {state.level}\n"
        "  scale: 100\n"
        "  voltage: 4063\n"
        f"  temperature: {state.temperature}\n"
        "  technology: Li-ion\n"
    )


def _samsung_battery(state: State) -> str:
    return (
        _battery(state)
        + "  batteryMiscEvent: 0\n"
        + "  batteryCurrentEvent: 0\n"
        + "  mSecPlugTypeSummary: 2\n"
        + "  LED Charging: false\n"
        + "  current now: 412\n"
        + "  charge counter: 1\n"
        + "  LLB CAL: 20230221\n"
        + "  mSavedBatteryAsoc: 98\n"
        + "  mSavedBatteryUsage: 21530\n"
        + "  BatteryInfoBackUp\n"
        + "    level:72, temperature:451, voltage:3901\n"
    )


def _thermal(state: State) -> str:
    return (
        "IsStatusOverride: false\n"
        "ThermalEventListeners:\n\tcallbacks: 3\n\tkilled: false\n\tbroadcasts count: -1\n"
        "ThermalStatusListeners:\n\tcallbacks: 4\n\tkilled: false\n\tbroadcasts count: -1\n"
        f"Thermal Status: {state.thermal_status}\n"
        "Cached temperatures:\n"
        "\tTemperature{mValue=54.6, mType=0, mName=BIG, mStatus=0}\n"
        f"HAL Ready: {str(state.hal_ready).lower()}\n"
        "HAL connection:\n\tThermalHAL AIDL 1  connected: yes\n"
        "Current temperatures from HAL:\n"
        "\tTemperature{mValue=33.9, mType=0, mName=BIG, mStatus=0}\n"
        f"\tTemperature{{mValue={state.skin}, mType=3, mName=VIRTUAL-SKIN, "
        f"mStatus={state.thermal_status}}}\n"
        "\tTemperature{mValue=0.0, mType=2, mName=SUBBAT, mStatus=0}\n"
        "Current cooling devices from HAL:\n"
        "\tCoolingDevice{mValue=0, mType=2, mName=thermal-cpufreq-0}\n"
    )


def _policy(state: State) -> str:
    locked = str(state.locked).lower()
    return (
        "WINDOW MANAGER POLICY STATE (dumpsys window policy)\n"
        "    mSafeMode=false mSystemReady=true mSystemBooted=true\n"
        "    KeyguardServiceDelegate\n"
        f"      showing={locked}\n"
        f"      inputRestricted={locked}\n"
        "      occluded=false\n"
        "      secure=true\n"
    )


def _old_policy(state: State) -> str:
    locked = str(state.locked).lower()
    return (
        "WINDOW MANAGER POLICY STATE (dumpsys window policy)\n"
        "    mSafeMode=false mSystemReady=true mSystemBooted=true\n"
        f"    mShowingLockscreen={locked} mShowingDream=false mDreamingLockscreen={locked}\n"
    )

"""Memory pages of 16 KB, and Android's mode for apps whose libraries are built for smaller ones.

Android 15 may have such pages, and cannot load libraries that are built for 4 KB. Android 16 runs
such an app in a compatibility mode, unless it was switched off for all apps by a system property,
or for this one in its settings. The flags are those of AOSP's ``ApplicationInfo``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mobilebench.devices.adb.client import AdbDevice
from mobilebench.devices.android.app import PACKAGE, Apk
from mobilebench.devices.kind import Check

_FIRST_WITH_16_KB, _FIRST_WITH_COMPATIBILITY = 35, 36

#: ``PAGE_SIZE_APP_COMPAT_FLAG_``: ``SETTINGS_OVERRIDE_DISABLED``, ``MANIFEST_OVERRIDE_DISABLED``.
_OFF_IN_SETTINGS, _OFF_IN_MANIFEST = 16, 64


def check(
    device: AdbDevice, sdk: int, properties: Mapping[str, str], apk: Apk | None
) -> Iterator[Check]:
    """Whether the app's libraries fit the phone's memory pages; nothing where all have 4 KB.

    Raises:
        LinkLostError, DeadlineError: the phone does not answer.
    """
    size = parse_size(device.script("getconf PAGE_SIZE 2>/dev/null").output)
    if size is None:
        if sdk >= _FIRST_WITH_16_KB:
            sentence = "it does not report the size of its memory pages"
            yield Check("page-size", False, sentence, "see docs/phone.md on pages of 16 KB")
        return
    sentence = f"its memory pages have {size // 1024} KB"
    if apk is None or size <= apk.alignment:
        yield Check("page-size", True, sentence)
        return
    sentence += f", and the app's runtime is built for {apk.alignment // 1024} KB"
    if sdk < _FIRST_WITH_COMPATIBILITY:
        advice = (
            "choose pages of 4 KB in the developer options, or build the app with a newer runtime"
        )
        yield Check("page-size", False, sentence, advice)
        return
    dump = device.script(f"dumpsys package {PACKAGE}").output
    advice = why_off(properties, dump)
    if advice:
        sentence += ", and Android's mode for such apps is off"
    else:
        sentence += ": Android runs it in a mode for such apps, and reports say so"
    yield Check("page-size", not advice, sentence, advice)


def parse_size(text: str) -> int | None:
    """Bytes, as ``getconf PAGE_SIZE`` prints them; None for what no page size can be."""
    match = re.fullmatch(r"\s*(\d{4,7})\s*", text, re.ASCII)
    size = int(match[1]) if match else 0
    return size if size >= 4096 and size & (size - 1) == 0 else None


def why_off(properties: Mapping[str, str], package_dump: str) -> str:
    """What to do where the compatibility mode is switched off; empty where it is not."""
    if properties.get("pm.16kb.app_compat.disabled", "").lower() in ("1", "true", "y", "yes", "on"):
        return "switch it on for all apps: adb shell setprop pm.16kb.app_compat.disabled false"
    if properties.get("bionic.linker.16kb.app_compat.enabled") == "fatal":
        return (
            "let the linker load such libraries: adb shell setprop "
            "bionic.linker.16kb.app_compat.enabled true"
        )
    flags = re.search(r"^[ \t]+pageSizeCompat=(\d{1,6})[ \t]*$", package_dump, re.MULTILINE)
    if flags and int(flags[1]) & _OFF_IN_SETTINGS:
        return (
            "switch it on for the app on the phone: Settings, Apps, MobileBench, Advanced, “Run "
            "app with page size compat mode”"
        )
    if flags and int(flags[1]) & _OFF_IN_MANIFEST:
        return "install the app that MobileBench brings: mobilebench doctor --repair"
    return ""

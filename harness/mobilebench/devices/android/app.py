"""The benchmark app on a phone: which version is there, and installing the right one."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from mobilebench.devices.adb.client import AdbDevice
from mobilebench.devices.adb.parse import parse_app_version, parse_install
from mobilebench.devices.android import shipped_apk as android_apk
from mobilebench.errors import BadInputError

PACKAGE = "io.mobilebench.agent"
ACTIVITY = f"{PACKAGE}/.BenchmarkActivity"

#: Android's external files folder of the app, as it and the shell may call it: a pattern.
FILES = (
    r"/(?:sdcard|storage/emulated/\d{1,4}|storage/self/primary)/Android/data/"
    rf"{re.escape(PACKAGE)}/files"
)

_INSTALL_SECONDS = 180.0

#: What the owner of the phone can do about Android's reasons.
_ADVICE = {
    "INSTALL_FAILED_UPDATE_INCOMPATIBLE": "the app on it was signed with another key; remove it "
    f"with: adb uninstall {PACKAGE}",
    "INSTALL_FAILED_VERSION_DOWNGRADE": "the app on it is newer; remove it with: "
    f"adb uninstall {PACKAGE}",
    "INSTALL_FAILED_INSUFFICIENT_STORAGE": "its storage is full; make some space",
    "INSTALL_FAILED_USER_RESTRICTED": "it asks its owner, or forbids it: allow “Install via USB” "
    "in the developer options, and confirm on the screen",
    "INSTALL_FAILED_NO_MATCHING_ABIS": "the app has no code for its processor",
    "INSTALL_FAILED_OLDER_SDK": "its Android is too old: 8.0 is needed",
    "INSTALL_FAILED_VERIFICATION_FAILURE": "Play Protect refused it; allow it on the screen",
}


@dataclass(frozen=True)
class Apk:
    """The app's file, Android's version code of it, and its hash."""

    path: Path
    version: int
    sha256: str

    @classmethod
    def described(cls, path: Path = android_apk.APK) -> Apk:
        """An APK with its description beside it: by default the one in this package.

        Raises:
            BadInputError: it is not there; a checkout may not have built it yet.
        """
        info = android_apk.info(path)
        if not path.is_file():
            raise BadInputError(
                f"there is no app to put on a phone at {path}: build it with "
                f"`{android_apk.BUILD}` in a checkout of MobileBench"
            )
        return cls(path, info.version_code, info.sha256)


def installed_version(device: AdbDevice) -> int | None:
    """The version on the phone; None if there is none.

    Raises:
        LinkLostError, DeadlineError: the phone does not answer.
    """
    return parse_app_version(device.shell("dumpsys", "package", PACKAGE).output)


def is_same_file(device: AdbDevice, apk: Apk) -> bool | None:
    """Whether the installed file is this one; None if the phone does not show it."""
    lines = device.shell("pm", "path", PACKAGE).output.splitlines()
    paths = [line.removeprefix("package:") for line in lines if line.endswith("base.apk")]
    if len(paths) != 1:
        return None
    words = device.script(f"sha256sum -b {shlex.quote(paths[0])} 2>/dev/null").output.split()
    return words[0] == apk.sha256 if words else None


def ensure_installed(device: AdbDevice, apk: Apk) -> bool:
    """Sees that the phone has exactly this app; says whether it had to be installed.

    Raises:
        BadInputError: the phone has a newer one, or refuses; the message says what to do.
    """
    version = installed_version(device)
    if version is not None and version > apk.version:
        raise BadInputError(
            f"the app on the phone has version {version}, and this MobileBench brings "
            f"{apk.version}: update MobileBench, or remove the app with: adb uninstall {PACKAGE}"
        )
    if version == apk.version and is_same_file(device, apk) is not False:
        return False
    install(device, apk)
    return True


def install(device: AdbDevice, apk: Apk) -> None:
    """Installs the app, or updates it.

    Raises:
        BadInputError: the phone refuses; the message says what to do.
    """
    done = device.run_program("install", "-r", str(apk.path), seconds=_INSTALL_SECONDS)
    result = parse_install(f"{done.output}\n{done.errors}")
    if done.code == 0 and not result.code:
        return
    advice = _ADVICE.get(result.code, result.reason or "no reason given")
    raise BadInputError(f"the phone refuses the app ({result.code}): {advice}")


def uninstall(device: AdbDevice) -> None:
    """Removes the app, whoever signed it."""
    device.run_program("uninstall", PACKAGE, seconds=_INSTALL_SECONDS)

"""The benchmark app on a phone: which version is there, and installing the right one."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from mobilebench.devices.adb import refusal
from mobilebench.devices.adb.client import AdbDevice
from mobilebench.devices.adb.parse import parse_app_version, parse_install
from mobilebench.devices.android import makers
from mobilebench.devices.android import shipped_apk as android_apk
from mobilebench.devices.android.install_advice import advice
from mobilebench.errors import BadInputError

PACKAGE = "io.mobilebench.agent"
ACTIVITY = f"{PACKAGE}/.BenchmarkActivity"

#: Android's external files folder of the app, as it and the shell may call it: a pattern.
FILES = (
    r"/(?:sdcard|storage/emulated/\d{1,4}|storage/self/primary)/Android/data/"
    rf"{re.escape(PACKAGE)}/files"
)

_INSTALL_SECONDS = 180.0


@dataclass(frozen=True)
class Apk:
    """The app's file, Android's version code of it, and its hash.

    ``alignment``: for memory pages of how many bytes its libraries are built, at most.
    """

    path: Path
    version: int
    sha256: str
    alignment: int = 16384

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
        return cls(path, info.version_code, info.sha256, info.library_alignment)


@dataclass(frozen=True)
class Installation:
    """The app on a phone, which may have several users, and profiles for work.

    Attributes:
        version: Android's version code of it; None: no user has it.
        user: whose screen it is; None: the phone does not say.
        here: whether that user has it.
        refused: why Android does not let adb see that; empty if it does.
    """

    version: int | None
    user: int | None = None
    here: bool = False
    refused: str = ""


# The user whose screen it is; the app, if that user has it; what is known of it. A constant.
_LOOK = (
    'u=$(am get-current-user 2>/dev/null); echo "user $u"; '
    'case "$u" in \'\'|*[!0-9]*) s=;; *) s="--user $u";; esac; '
    f"pm list packages $s {PACKAGE} 2>&1; dumpsys package {PACKAGE}"
)


def installation(device: AdbDevice) -> Installation:
    """What of the app is on the phone, and for whom.

    Raises:
        LinkLostError, DeadlineError: the phone does not answer.
    """
    text = device.script(_LOOK).output
    user = re.search(r"^user (\d{1,5})$", text, re.MULTILINE)
    here = re.search(rf"^package:{re.escape(PACKAGE)}$", text, re.MULTILINE)
    version = parse_app_version(text)
    listed, _, _ = text.partition("\nPackages:")
    refused = "" if here or not makers.is_refusal(listed) else refusal.sentence(listed)
    whose = int(user[1]) if user else None
    return Installation(version, whose, version is not None and bool(here), refused)


def installed_version(device: AdbDevice) -> int | None:
    """The version that the phone's present user has; None if there is none.

    Raises:
        LinkLostError, DeadlineError: the phone does not answer.
    """
    found = installation(device)
    return found.version if found.here else None


def is_same_file(device: AdbDevice, apk: Apk, user: int | None) -> bool | None:
    """Whether the installed file is this one; None if the phone does not show it."""
    lines = device.shell("pm", "path", *_for(user), PACKAGE).output.splitlines()
    paths = [line.removeprefix("package:") for line in lines if line.endswith("base.apk")]
    if len(paths) != 1:
        return None
    words = device.script(f"sha256sum -b {shlex.quote(paths[0])} 2>/dev/null").output.split()
    return words[0] == apk.sha256 if words else None


def ensure_installed(device: AdbDevice, apk: Apk) -> bool:
    """Sees that the phone's present user has exactly this app; says whether it was installed.

    Raises:
        BadInputError: the phone has a newer one, or refuses; the message says what to do.
    """
    found = installation(device)
    if found.version is not None and found.version > apk.version:
        raise BadInputError(
            f"the app on the phone has version {found.version}, and this MobileBench brings "
            f"{apk.version}: update MobileBench, or remove the app with: adb uninstall {PACKAGE}"
        )
    if is_as_it_should_be(device, apk, found):
        return False
    install(device, apk, found.user)
    return True


def is_as_it_should_be(device: AdbDevice, apk: Apk, found: Installation) -> bool:
    """Whether the present user has this very app."""
    return (
        found.here
        and found.version == apk.version
        and is_same_file(device, apk, found.user) is not False
    )


def install(device: AdbDevice, apk: Apk, user: int | None) -> None:
    """Installs the app, or updates it.

    Args:
        device: the phone.
        apk: the app.
        user: for whom; None: for all users.

    Raises:
        BadInputError: the phone refuses; the message says what to do.
    """
    words = ["install", "-r", *_for(user), str(apk.path)]
    done = device.run_program(*words, seconds=_INSTALL_SECONDS)
    result = parse_install(f"{done.output}\n{done.errors}")
    if done.code == 0 and not result.code:
        return
    raise BadInputError(
        f"the phone refuses the app ({result.code}): {advice(result.code, result.reason)}"
    )


def uninstall(device: AdbDevice) -> None:
    """Removes the app for every user, whoever signed it."""
    device.run_program("uninstall", PACKAGE, seconds=_INSTALL_SECONDS)


def _for(user: int | None) -> tuple[str, ...]:
    return () if user is None else ("--user", str(user))

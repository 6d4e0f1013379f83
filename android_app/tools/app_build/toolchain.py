"""What turns sources into an APK: from registry packages, or from an installed Android SDK."""

from __future__ import annotations

import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from app_build import parts, places
from app_build.errors import BuildError

_AAPT2_MEMBER = "prebuilt/linux/aapt2"


@dataclass(frozen=True)
class Toolchain:
    """The programs and classes of one build."""

    name: str
    aapt2: Path
    #: Classes and resources of Android, to compile and link against.
    android: Path
    d8: Path
    #: Holds ``com.android.apksig``.
    apksig: Path


def from_packages() -> Toolchain:
    """The pinned tools, fetched if they were not there: the same bytes on every machine.

    Raises:
        BuildError: a client is missing or cannot fetch.
    """
    found = parts.fetch([parts.APKTOOL, parts.ANDROID])
    aapt2 = places.cache() / "parts" / parts.APKTOOL.sha256[:16] / "aapt2"
    if not aapt2.exists():
        with zipfile.ZipFile(found[parts.APKTOOL]) as archive:
            fresh = aapt2.with_suffix(f".{os.getpid()}")
            fresh.write_bytes(archive.read(_AAPT2_MEMBER))
        fresh.chmod(0o755)
        os.replace(fresh, aapt2)
    bundletool = parts.fetch_bundletool()
    return Toolchain("packages", aapt2, found[parts.ANDROID], bundletool, bundletool)


def from_sdk(home: Path) -> Toolchain:
    """The newest platform and build tools of an installed Android SDK.

    Raises:
        BuildError: there is no SDK, or none with API 35.
    """
    platform = _newest(home / "platforms", "android-*", 35)
    built = _newest(home / "build-tools", "*", 35)
    return Toolchain(
        f"Android SDK: {platform.name}, build-tools {built.name}",
        built / "aapt2",
        platform / "android.jar",
        built / "lib" / "d8.jar",
        built / "lib" / "apksigner.jar",
    )


def _newest(folder: Path, pattern: str, least: int) -> Path:
    def version(path: Path) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", path.name)]

    known = sorted((path for path in folder.glob(pattern) if version(path)), key=version)
    if not known or version(known[-1])[0] < least:
        raise BuildError(f"{folder} has nothing of version {least} or later: install it")
    return known[-1]

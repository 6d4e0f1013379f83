"""What turns sources into an APK: from registry packages, or from an installed Android SDK."""

from __future__ import annotations

import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from app_build import parts
from app_build.errors import BuildError

_AAPT2_MEMBER = "prebuilt/linux/aapt2"
_RESOURCES_MEMBER = "prebuilt/android-framework.jar"


@dataclass(frozen=True)
class Toolchain:
    """The programs and classes of one build."""

    name: str
    aapt2: Path
    #: Classes of Android, to compile against.
    android: Path
    #: Resources of Android 16 or later, to link against: the manifest has an attribute of its.
    resources: Path
    d8: Path
    #: Holds ``com.android.apksig``.
    apksig: Path


def from_packages() -> Toolchain:
    """The pinned tools, fetched if they were not there: the same bytes on every machine.

    Raises:
        BuildError: a client is missing or cannot fetch.
    """
    found = parts.fetch([parts.APKTOOL, parts.ANDROID])
    aapt2 = _member(found[parts.APKTOOL], _AAPT2_MEMBER, 0o755)
    resources = _member(found[parts.APKTOOL], _RESOURCES_MEMBER, 0o644)
    bundletool = parts.fetch_bundletool()
    return Toolchain("packages", aapt2, found[parts.ANDROID], resources, bundletool, bundletool)


def _member(package: Path, name: str, mode: int) -> Path:
    """A file out of a fetched package, beside it."""
    place = package.with_name(Path(name).name)
    if not place.exists():
        fresh = place.with_name(f"{place.name}.{os.getpid()}")
        with zipfile.ZipFile(package) as archive:
            fresh.write_bytes(archive.read(name))
        fresh.chmod(mode)
        os.replace(fresh, place)
    return place


def from_sdk(home: Path) -> Toolchain:
    """The newest platform and build tools of an installed Android SDK.

    Raises:
        BuildError: there is no SDK, or none with API 36.
    """
    platform = _newest(home / "platforms", "android-*", 36)
    built = _newest(home / "build-tools", "*", 35)
    return Toolchain(
        f"Android SDK: {platform.name}, build-tools {built.name}",
        built / "aapt2",
        platform / "android.jar",
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

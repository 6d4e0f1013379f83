"""Where the adb program is looked for, on each system."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import adbutils
import pytest
from mobilebench.devices.adb import client
from mobilebench.errors import BadInputError


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without adb, on a machine that has none."""
    home = tmp_path / "home"
    for key in ("ANDROID_HOME", "ANDROID_SDK_ROOT", "LOCALAPPDATA", "ADBUTILS_ADB_PATH"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.setattr(adbutils, "__file__", str(tmp_path / "adbutils" / "__init__.py"))

    def nowhere() -> str:
        raise adbutils.AdbError("no adb")

    monkeypatch.setattr(adbutils, "adb_path", nowhere)
    return home


PLACES = {
    "linux": "Android/Sdk/platform-tools/adb",
    "darwin": "Library/Android/sdk/platform-tools/adb",
    "win32": "AppData/Local/Android/Sdk/platform-tools/adb.exe",
}


@pytest.mark.parametrize("system", PLACES)
def test_the_sdks_own_adb_is_found(
    system: str, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    adb = bare / PLACES[system]
    adb.parent.mkdir(parents=True)
    adb.touch(0o755)
    assert client.adb_program() == str(adb)


@pytest.mark.usefixtures("bare")
def test_without_one_the_places_of_a_mac_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(BadInputError, match=re.escape("/opt/homebrew/bin/adb")):
        client.adb_program()


def test_windows_takes_the_bundled_program_by_its_name(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    bundled = bare.parent / "adbutils" / "binaries" / "adb.exe"
    bundled.parent.mkdir(parents=True)
    bundled.touch(0o755)
    assert client.adb_program() == str(bundled)

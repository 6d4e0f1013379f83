"""The app on the phone: missing, older, newer, of another key, refused. Through ``adb install``."""

import hashlib
import json
from pathlib import Path

import pytest
from mobilebench.devices.android import shipped_apk as android_apk
from mobilebench.devices.android.app import Apk
from mobilebench.devices.android.device import AndroidDevice
from mobilebench.errors import BadInputError

from tests.phone.android import PACKAGE, Android, Package
from tests.phone.fixtures import Connect


@pytest.fixture
def apk(tmp_path: Path) -> Apk:
    """A file that the virtual phone's package manager is told about; it reads no manifest."""
    path = tmp_path / "mobilebench-agent.apk"
    path.write_bytes(b"PK" + bytes(100_000))
    return Apk(path, 3, hashlib.sha256(path.read_bytes()).hexdigest())


def probe(android: Android, connect: Connect, apk: Apk) -> AndroidDevice:
    android.know(apk.path, Package(3))
    device = AndroidDevice("phone", connect(android.phone), apk, cool_seconds=0)
    device.probe()
    return device


def test_missing(any_android: Android, connect: Connect, apk: Apk) -> None:
    probe(any_android, connect, apk)
    assert any_android.installed[PACKAGE].version == 3


def test_older(pixel: Android, connect: Connect, apk: Apk) -> None:
    pixel.installed[PACKAGE] = Package(2)
    probe(pixel, connect, apk)
    assert pixel.installed[PACKAGE].version == 3


def test_the_same_is_not_installed_again(pixel: Android, connect: Connect, apk: Apk) -> None:
    device = probe(pixel, connect, apk)
    pixel.install_failure = "INSTALL_FAILED_INTERNAL_ERROR: must not be asked"
    assert device.probe().runtime


def test_the_same_version_from_another_build(pixel: Android, connect: Connect, apk: Apk) -> None:
    device = probe(pixel, connect, apk)
    (base,) = (pixel.phone.data / "app").rglob("base.apk")
    base.write_bytes(b"PK another build")
    device.probe()
    assert base.read_bytes() == apk.path.read_bytes()


def test_newer(pixel: Android, connect: Connect, apk: Apk) -> None:
    pixel.installed[PACKAGE] = Package(4)
    with pytest.raises(BadInputError, match="has version 4, and this MobileBench brings 3: update"):
        probe(pixel, connect, apk)


def test_signed_with_another_key(any_android: Android, connect: Connect, apk: Apk) -> None:
    any_android.installed[PACKAGE] = Package(2, signer="theirs")
    with pytest.raises(
        BadInputError, match=f"another key; remove it with: adb uninstall {PACKAGE}"
    ):
        probe(any_android, connect, apk)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ("INSTALL_FAILED_INSUFFICIENT_STORAGE: Failed to override", "its storage is full"),
        ("INSTALL_FAILED_USER_RESTRICTED: Install canceled by user", "Install via USB"),
        ("INSTALL_FAILED_NO_MATCHING_ABIS: Failed to extract", "no code for its processor"),
        ("INSTALL_FAILED_OLDER_SDK: Requires newer sdk", "too old"),
        ("INSTALL_FAILED_INVENTED: some new reason", "some new reason"),
        ("INSTALL_PARSE_FAILED_NO_CERTIFICATES", "INSTALL_PARSE_FAILED_NO_CERTIFICATES"),
    ],
)
def test_refused(pixel: Android, connect: Connect, apk: Apk, failure: str, words: str) -> None:
    pixel.install_failure = failure
    with pytest.raises(BadInputError, match=words):
        probe(pixel, connect, apk)


def test_a_missing_app_and_none_to_install(pixel: Android, connect: Connect) -> None:
    with pytest.raises(BadInputError, match="does not exist"):
        AndroidDevice("phone", connect(pixel.phone), None).probe()


def test_an_apk_with_its_description(tmp_path: Path) -> None:
    path = tmp_path / "mobilebench-agent.apk"
    with pytest.raises(BadInputError, match="no description of the app"):
        Apk.described(path)
    description = {**android_apk.info().as_json(), "version_code": 3, "sha256": "ab"}
    path.with_suffix(".json").write_text(json.dumps(description))
    with pytest.raises(BadInputError, match="no app to put on a phone"):
        Apk.described(path)
    path.write_bytes(b"PK")
    assert Apk.described(path) == Apk(path, 3, "ab", android_apk.info().library_alignment)


def test_the_shipped_app() -> None:
    apk = Apk.described()
    assert hashlib.sha256(apk.path.read_bytes()).hexdigest() == apk.sha256

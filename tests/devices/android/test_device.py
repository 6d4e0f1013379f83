"""An Android phone over real adb: the app behind ``am start`` runs models for real."""

from pathlib import Path

import numpy as np
import pytest
from mobilebench.devices.adb.client import AdbDevice, AdbServer
from mobilebench.devices.android.app import Apk
from mobilebench.devices.android.device import AndroidDevice
from mobilebench.devices.base import TrialError
from mobilebench.errors import BadInputError
from mobilebench_agent.contract import Event, Result

from app_build.errors import BuildError
from tests.phone import apps, needs, personalities
from tests.phone.android import PACKAGE, Android, Package
from tests.phone.fixtures import Connect
from tests.phone.system import System
from tests.support.android import make, plan
from tests.support.samples import outputs_from


def test_a_trial(any_android: Android, connect: Connect, model_file: Path) -> None:
    device = make(any_android, connect)
    facts = device.probe()
    assert (facts.name, facts.kind, facts.virtual) == ("phone", "android", True)
    assert facts.runtime
    assert facts.info["model"] == any_android.phone.make.properties["ro.product.model"]
    assert facts.info["soc"]
    events: list[Event] = []
    result: Result = device.run(plan(device, model_file), events.append, 60)
    assert len(result.samples_ns) >= 10
    assert min(result.samples_ns) > 0
    assert result.delegation["delegated"] > 0
    assert events[0].phase == "load"
    assert result.warnings == ()
    values = {metric.name: metric.value for metric in result.metrics}
    assert values["battery_level_before"] == values["battery_level_after"] == 84
    assert values["battery_temperature_after"] == 28.7
    old = any_android.phone.make.properties["ro.build.version.sdk"] == "26"
    assert values["thermal_status_before"] == (None if old else 0)
    assert values["skin_temperature_before"] == (None if old else 31.3)


def test_every_kind_of_trial(pixel: Android, connect: Connect, model_file: Path) -> None:
    device = make(pixel, connect)
    device.probe()
    result = device.run(plan(device, model_file, "memory"), lambda _: None, 60)
    assert {metric.name for metric in result.metrics} >= {"memory_peak", "memory_rss"}


def test_outputs_come_home(
    any_android: Android, connect: Connect, model_file: Path, tmp_path: Path
) -> None:
    device = make(any_android, connect)
    device.probe()
    answers = outputs_from(device, model_file, tmp_path)
    assert answers.shape == (5, 10)
    assert np.allclose(answers.sum(axis=1), 1)
    files = any_android.phone.data / f"media/0/Android/data/{PACKAGE}/files"
    assert not list(files.rglob("*.safetensors"))


def test_an_app_whose_files_the_shell_cannot_read(
    pixel: Android, connect: Connect, tmp_path: Path
) -> None:
    """As on a phone whose maker has closed Android/data to adb, too."""
    device = make(pixel, connect)
    (pixel.phone.data / f"media/0/Android/data/{PACKAGE}").chmod(0)
    path = f"/storage/emulated/0/Android/data/{PACKAGE}/files/outputs/1.safetensors"
    with pytest.raises(TrialError, match="does not let adb's shell read the files of an app"):
        device.pull(path, "0" * 64, 100, tmp_path / "file")


def test_a_phone_that_is_not_there(adb: AdbServer) -> None:
    with pytest.raises(BadInputError, match="not connected: plug it in"):
        AndroidDevice("phone", AdbDevice(adb, "nobody"), None).probe()


def test_a_phone_that_is_still_starting(pixel: Android, connect: Connect) -> None:
    device = make(pixel, connect)
    pixel.phone.make.properties["sys.boot_completed"] = "0"
    with pytest.raises(BadInputError, match="still starting"):
        device.probe()


@pytest.fixture(params=["pixel", "old_phone"])
def with_the_apps_core(
    request: pytest.FixtureRequest, phone_system: System, tmp_path: Path
) -> Android:
    make_phone = getattr(personalities, request.param)
    try:
        made: Android = make_phone(tmp_path / "phone", phone_system, apps.desktop)
    except BuildError as error:
        needs.judge(error)
    return made


@pytest.mark.parametrize("kind", ["latency", "memory"])
def test_a_trial_with_the_apps_own_core(
    with_the_apps_core: Android, connect: Connect, model_file: Path, kind: str
) -> None:
    device = make(with_the_apps_core, connect)
    facts = device.probe()
    assert facts.virtual
    assert facts.runtime == "tensorflow-lite"
    result = device.run(plan(device, model_file, kind), lambda _: None, 60)
    assert result.kind == kind
    assert kind != "latency" or len(result.samples_ns) >= 10


def test_the_shipped_app_takes_an_older_ones_place_and_gives_its_outputs_back(
    with_the_apps_core: Android, connect: Connect, model_file: Path, tmp_path: Path
) -> None:
    android, apk = with_the_apps_core, Apk.described()
    android.know(apk.path, Package(apk.version))
    # The version code of the last app that spoke version 1 of the protocol.
    android.installed[PACKAGE] = Package(100)
    device = AndroidDevice("phone", connect(android.phone), apk, cool_seconds=0)
    assert device.probe().runtime == "tensorflow-lite"
    assert android.installed[PACKAGE].version == apk.version > 100
    for _ in range(2):
        answers = outputs_from(device, model_file, tmp_path)
        assert answers.shape == (5, 10)
        assert np.allclose(answers.sum(axis=1), 1)
    files = android.phone.data / f"media/0/Android/data/{PACKAGE}/files/outputs"
    assert list(files.iterdir()) == []

"""Whole runs through the command on virtual phones: real adb, real adbd, real inference.

The app's own core runs behind ``am start`` on a JVM; where there is no JDK, the Linux agent does.
"""

import json
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from mobilebench.devices.android.app import Apk

from tests.phone import personalities, system
from tests.phone.android import Android, Package
from tests.phone.fixtures import Connect
from tests.phone.phone import Phone
from tests.support.android import app_core
from tests.support.command import mobilebench, only_run, start
from tests.support.models import MODELS

SUITE = f"""
[protocol]
blocks = 1
warmup_seconds = 0.0
seconds = 0.0
runs = 10

[[models]]
name = "small"
source = "{MODELS / "small.tflite"}"
data = "digits.npz"
recipes = ["as_is", "float16", "weight_only_int8"]

[models.ready]
int8 = "{MODELS / "small_int8.tflite"}"

[[models]]
name = "bad"
source = "{MODELS / "not_a_number.tflite"}"
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four artifacts of one model, and another model that no device can use."""
    folder = tmp_path_factory.mktemp("suite")
    x = np.random.default_rng(0).random((30, 8, 8, 1), dtype=np.float32)
    np.savez(folder / "digits.npz", x_test=x, y_test=np.arange(30) % 10)
    path = folder / "phones.toml"
    path.write_text(SUITE, "utf-8")
    return path


@pytest.fixture
def two_phones(
    phone_system: system.System, tmp_path: Path, connect: Connect
) -> tuple[Android, Android]:
    """A Pixel and a Samsung, plugged in, without the app."""
    phones = (
        personalities.pixel(tmp_path / "pixel", phone_system, app_core),
        personalities.samsung(tmp_path / "samsung", phone_system, app_core),
    )
    apk = Apk.described()
    for android in phones:
        android.know(apk.path, Package(apk.version))
        connect(android.phone)
    return phones


@pytest.mark.usefixtures("two_phones")
def test_two_phones_at_once(suite: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    done = mobilebench("run", suite, "--device", "all", "--results", results, "--json")
    assert done.returncode == 1, done.stderr  # the bad model, and nothing else
    assert "Traceback" not in done.stderr
    run = only_run(results)
    found = run.run()
    assert [d.kind for d in found.devices] == ["android", "android"]
    assert all(d.virtual for d in found.devices)
    assert found.failures == ()
    names = {d.name for d in found.devices}
    assert names == {"Pixel-7-Pro", "SM-S911B"}
    trials = run.trials()
    assert len(trials) == len(found.plan)
    for name in names:
        mine = [t for t in trials if t.device == name]
        assert {t.state for t in mine if t.model == "small"} == {"valid"}
        bad = [t for t in mine if t.model == "bad" and t.kind in ("outputs", "latency")]
        assert {t.code for t in bad} <= {"output_nan", "skipped"}
        mine = [t for t in mine if t.model == "small"]
        assert {t.recipe for t in mine} == {"as_is", "float16", "weight_only_int8", "int8"}
        (outputs,) = [t for t in mine if t.kind == "outputs" and t.recipe == "as_is"]
        assert outputs.answers is not None
        assert (outputs.answers.samples, outputs.answers.source) == (30, "data")
        assert [parity.output for parity in outputs.answers.parity], outputs.answers.parity_reason
    # The same file on the same data: the two phones are right as often.
    asked = [t for t in trials if t.kind == "outputs" and (t.model, t.recipe) == ("small", "as_is")]
    scores = {t.answers.scores for t in asked}
    assert [found[0].name for found in scores] == ["accuracy"]
    page = (run.path / "report.html").read_text("utf-8")
    assert "virtual" in page
    assert "Pixel-7-Pro" in page
    document = json.loads(done.stdout)
    assert {v["device"] for v in document["variants"]} == names


def test_a_phone_that_is_not_fit_is_not_measured(
    suite: Path, two_phones: tuple[Android, Android], tmp_path: Path
) -> None:
    pixel, _ = two_phones
    pixel.state.level = 9
    serial = pixel.phone.serial
    done = mobilebench("run", suite, "--device", serial, "--results", tmp_path / "results")
    assert done.returncode == 4, done.stderr
    assert "its battery is at 9 %, below 25 %: charge it" in done.stderr
    assert not list((tmp_path / "results").iterdir())
    allowed = mobilebench(
        "run", suite, "--device", serial, "--allow", "battery", "--results", tmp_path / "results"
    )
    assert allowed.returncode == 1, allowed.stderr
    run = only_run(tmp_path / "results")
    valid = [t for t in run.trials() if t.state == "valid"]
    assert valid
    assert all(any("measured although its battery" in w for w in t.warnings) for t in valid)


def test_a_board_and_this_machine(
    suite: Path, board: Phone, connect: Connect, tmp_path: Path
) -> None:
    serial = connect(board).serial
    text = suite.read_text() + (
        f'[[devices]]\nname = "board"\nkind = "board"\naddress = "{serial}"\n'
        f'python = "{sys.executable}"\n[[devices]]\nname = "here"\n'
    )
    path = suite.with_name("board.toml")
    path.write_text(text)
    done = mobilebench("run", path, "--results", tmp_path / "results")
    assert done.returncode == 1, done.stderr
    trials = only_run(tmp_path / "results").trials()
    answers = {t.device: t.answers for t in trials if t.kind == "outputs" and t.recipe == "int8"}
    assert answers["board"].scores == answers["here"].scores
    assert answers["here"].samples == 30


def test_devices_shows_what_is_plugged_in(two_phones: tuple[Android, Android]) -> None:
    shown = mobilebench("devices")
    assert shown.returncode == 0, shown.stderr
    for word in ("local", "Pixel 7 Pro", "SM-S911B", "Android 14", "virtual"):
        assert word in shown.stdout
    document = json.loads(mobilebench("devices", "--json").stdout)
    serials = {d["serial"] for d in document["devices"] if d["kind"] == "android"}
    assert serials == {p.phone.serial for p in two_phones}


def test_the_doctor_examines_repairs_and_records(
    two_phones: tuple[Android, Android], tmp_path: Path
) -> None:
    pixel, _ = two_phones
    serial = pixel.phone.serial
    ill = mobilebench("doctor", "--device", serial)
    assert ill.returncode == 4, ill.stderr
    assert "✗" in ill.stdout
    well = mobilebench("doctor", "--device", serial, "--repair", "--record", tmp_path / "dumps")
    assert well.returncode == 0, well.stdout + well.stderr
    assert "✗" not in well.stdout
    recorded = list((tmp_path / "dumps").iterdir())
    assert recorded
    assert not any("28301FDH3000AB" in path.read_text("utf-8") for path in recorded)


def test_watch_runs_the_suite_on_each_phone_as_it_is_plugged_in(
    suite: Path, pixel: Android, connect: Connect, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    with start("watch", suite, "--results", results) as process:
        apk = Apk.described()
        pixel.know(apk.path, Package(apk.version))
        connect(pixel.phone)
        assert process.stdout is not None
        limit = threading.Timer(300, process.kill)
        limit.start()
        shown = next((line for line in process.stdout if "small on" in line), "")
        limit.cancel()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert "waiting for a phone" in errors
    assert "small on Pixel-7-Pro" in shown
    assert "Traceback" not in errors
    assert {t.device for t in only_run(results).trials()} == {"Pixel-7-Pro"}


@pytest.mark.usefixtures("adb")
def test_an_unknown_phone(suite: Path, tmp_path: Path) -> None:
    done = mobilebench("run", suite, "--device", "nobody", "--results", tmp_path / "results")
    assert done.returncode == 2
    assert "there is no device 'nobody'" in done.stderr

"""The same files on two phones, of which one has an Arm processor: the APK's own library for each.

The Arm processor is emulated, so that nothing but answers is measured there.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from mobilebench.compress.steps.quantize import DynamicInt8
from mobilebench.devices.android.app import Apk
from mobilebench.records.trial import Trial

from tests.phone import personalities, system
from tests.phone.android import Package
from tests.phone.fixtures import Connect
from tests.support.android import core_of_its_abi
from tests.support.command import mobilebench, only_run
from tests.support.models import MODELS
from tests.support.tflite_files import with_symmetric_inputs

ARM, INTEL = "Pixel-7-Pro", "Chromebook"

SUITE = """
[protocol]
blocks = 1
warmup_seconds = 0.0
seconds = 0.0
runs = 10

[[models]]
name = "small"
source = "small.tflite"
data = "digits.npz"
recipes = ["as_is", "dynamic_int8"]

[models.ready]
foreign = "foreign.tflite"
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A file whose Dense layer this project writes, and one as other tools write it."""
    content = (MODELS / "small.tflite").read_bytes()
    (tmp_path / "small.tflite").write_bytes(content)
    foreign = with_symmetric_inputs(DynamicInt8().quantize(content).content)
    (tmp_path / "foreign.tflite").write_bytes(foreign)
    x = np.random.default_rng(0).random((30, 8, 8, 1), dtype=np.float32)
    np.savez(tmp_path / "digits.npz", x_test=x, y_test=np.arange(30) % 10)
    path = tmp_path / "engines.toml"
    path.write_text(SUITE, "utf-8")
    return path


@pytest.fixture
def phones(phone_system: system.System, tmp_path: Path, connect: Connect) -> None:
    apk = Apk.described()
    for make in (personalities.pixel, personalities.chromebook):
        android = make(tmp_path / make.__name__, phone_system, core_of_its_abi)
        android.know(apk.path, Package(apk.version))
        connect(android.phone)


def parity(trial: Trial) -> float:
    assert trial.answers is not None
    (output,) = trial.answers.parity
    return output.snr_db


@pytest.mark.usefixtures("phones")
def test_a_file_that_arm_misreads_is_caught_there_and_ours_is_right_on_both(
    suite: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    done = mobilebench("run", suite, "--device", "all", "--results", results, "--json")
    assert done.returncode == 4, done.stderr
    run = only_run(results)
    assert {d.name: d.info["machine"] for d in run.run().devices} == {
        ARM: "aarch64",
        INTEL: "amd64",
    }
    answered = {(t.device, t.recipe): parity(t) for t in run.trials() if t.kind == "outputs"}
    assert {(d, r) for d, r in answered} == {
        (d, r) for d in (ARM, INTEL) for r in ("as_is", "dynamic_int8", "foreign")
    }
    assert answered.pop((ARM, "foreign")) < 20
    assert min(answered.values()) > 40
    variants = {(v["device"], v["recipe"]): v for v in json.loads(done.stdout)["variants"]}
    assert [place for place, v in variants.items() if v["invalid"]] == [(ARM, "foreign")]

"""Packed models on a virtual phone: sent over real adb, unpacked by the app's own core."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mobilebench.compress.pipeline.pack import PACKERS
from mobilebench.devices.android.app import Apk
from mobilebench.devices.base import TrialError
from mobilebench_agent.contract import PROTOCOL_VERSION, Job

from tests.phone import personalities
from tests.phone.android import Android, Package
from tests.phone.fixtures import Connect
from tests.phone.system import System
from tests.support.android import app_core, make
from tests.support.command import mobilebench, only_run
from tests.support.models import MODELS, sha256

SUITE = f"""
[protocol]
blocks = 1
warmup_seconds = 0.0
seconds = 0.0
runs = 10

[[models]]
name = "small"
source = "{MODELS / "small.tflite"}"

[[runtimes]]
name = "plain"
""" + "".join(f'[[runtimes]]\nname = "{packing}"\npacked = "{packing}"\n' for packing in PACKERS)


@pytest.fixture
def phone(phone_system: System, tmp_path: Path) -> Android:
    return personalities.pixel(tmp_path / "phone", phone_system, app_core)


def test_a_run_of_each_packing(phone: Android, connect: Connect, tmp_path: Path) -> None:
    apk = Apk.described()
    phone.know(apk.path, Package(apk.version))
    serial = connect(phone.phone).serial
    suite = tmp_path / "packed.toml"
    suite.write_text(SUITE, "utf-8")
    done = mobilebench("run", suite, "--device", serial, "--results", tmp_path / "results")
    assert done.returncode == 0, done.stderr
    trials = only_run(tmp_path / "results").trials()
    assert {(t.runtime, t.kind) for t in trials} == {
        (runtime, kind)
        for runtime in ("plain", *PACKERS)
        for kind in ("latency", "memory", "outputs")
    }
    for trial in trials:
        assert trial.state == "valid", trial.reason
        told = {metric.name: metric.value for metric in trial.metrics}
        assert ("unpacking_time" in told) == (trial.runtime != "plain")
        if trial.kind == "latency" and trial.runtime != "plain":
            assert 0 < told["unpacking_time"] < told["initialization_time"]


def test_what_the_phone_will_not_unpack(phone: Android, connect: Connect, tmp_path: Path) -> None:
    device = make(phone, connect)
    device.probe()
    model = MODELS / "small.tflite"
    packed = tmp_path / "model.tflite.zst"
    packed.write_bytes(PACKERS["zstd"][0](model.read_bytes()))
    whole = Job(
        PROTOCOL_VERSION,
        "run.phone.00001",
        "memory",
        device.push(packed, sha256(packed)),
        sha256(packed),
        packing="zstd",
        unpacked_sha256=sha256(model),
        unpacked_bytes=model.stat().st_size,
    )
    faults: tuple[tuple[dict[str, Any], str], ...] = (
        ({"model_sha256": "0" * 64}, "is not the file that was sent"),
        ({"unpacked_sha256": "0" * 64}, "is not the model that was packed"),
        ({"unpacked_bytes": 1000}, "unpacks to more than the 1000 bytes"),
    )
    for changed, words in faults:
        with pytest.raises(TrialError, match=words) as caught:
            device.run(replace(whole, **changed), lambda _: None, 60)
        assert caught.value.code == "model_corrupt"

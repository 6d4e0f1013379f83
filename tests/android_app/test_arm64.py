"""The APK's own library for Arm on an emulated processor: what it computes, never how fast.

Each process takes seconds to start: few are made.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.pipeline.pack import PACKERS
from mobilebench.compress.steps.quantize import DynamicInt8
from mobilebench.devices.agent import process as agent_process
from mobilebench.devices.android import shipped_apk as android_apk
from mobilebench_agent.contract import PROTOCOL_VERSION, Job

from app_build import parts
from tests.support.models import BASELINE, MODELS, sha256
from tests.support.samples import read_outputs, write_samples

X = np.random.default_rng(1).random((20, 8, 8, 1), dtype=np.float32)


def answers(command: list[str], model: Path, folder: Path, **settings: object) -> Any:
    """What the app's core answers to the samples."""
    (folder / "out").mkdir(parents=True, exist_ok=True)
    wanted = Job(
        PROTOCOL_VERSION,
        "run.phone.00001",
        "outputs",
        str(model),
        sha256(model),
        outputs_folder=str(folder / "out"),
        **{**write_samples(folder / "samples", X), **settings},
    )
    result = agent_process.converse(command, wanted, lambda _: None, 120, os.environ)
    return read_outputs(Path(result.outputs))["0"]


def test_it_is_the_apks_own_library_and_says_that_it_is_emulated(arm64: list[str]) -> None:
    hello = agent_process.greet(arm64, 120, os.environ)
    assert (hello.device["virtual"], hello.device["emulated"]) == (True, True)
    assert hello.device["machine"] == "aarch64"
    assert (hello.runtime, hello.runtime_version) == ("tensorflow-lite", parts.TFLITE.version)
    (folder,) = (Path(word.partition("=")[2]) for word in arm64 if "library.path" in word)
    with zipfile.ZipFile(android_apk.APK) as apk:
        for name in ("libtensorflowlite_jni.so", "libzstd-jni-1.5.7-4.so"):
            assert apk.read(f"lib/arm64-v8a/{name}") == (folder / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("small.tflite", {"threads": 4}),
        ("small_int8.tflite", {}),
        ("small_int8.tflite", {"xnnpack": False}),
        ("dynamic_int8", {"xnnpack": False}),
    ],
)
def test_answers_are_those_on_x86(
    name: str, settings: dict[str, Any], arm64: list[str], desktop: list[str], tmp_path: Path
) -> None:
    model = MODELS / name
    if name == "dynamic_int8":
        model = tmp_path / f"{name}.tflite"
        model.write_bytes(DynamicInt8().quantize(BASELINE.read_bytes()).content)
    found = answers(arm64, model, tmp_path / "arm", **settings)
    wanted = answers(desktop, model, tmp_path / "x86", **settings)
    assert len(set(wanted.argmax(1))) > 3
    assert np.abs(found.astype(float) - wanted).max() <= (1e-5 if found.dtype.kind == "f" else 1)


def test_a_packed_model_is_unpacked_by_the_apks_own_zstd(
    arm64: list[str], desktop: list[str], tmp_path: Path
) -> None:
    packer, suffix = PACKERS["zstd"]
    packed = tmp_path / f"small.tflite{suffix}"
    packed.write_bytes(packer(BASELINE.read_bytes()))
    inside = {"unpacked_sha256": sha256(BASELINE), "unpacked_bytes": BASELINE.stat().st_size}
    found = answers(arm64, packed, tmp_path / "arm", packing="zstd", **inside)
    wanted = answers(desktop, BASELINE, tmp_path / "x86")
    assert np.abs(found - wanted).max() <= 1e-5

"""The app's core and engine on a JVM: genuine TensorFlow Lite, real models, the host's own talk."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import mobilebench
import numpy as np
import pytest
from mobilebench.compress.pipeline.pack import PACKERS
from mobilebench.devices.agent import archive as agent_archive
from mobilebench.devices.agent import process as agent_process
from mobilebench.devices.android import shipped_apk as android_apk
from mobilebench.devices.base import TrialError
from mobilebench.records.runtime import Packing
from mobilebench_agent.contract import Event, Job, Metric, Result
from mobilebench_agent.environment import Environment

from app_build import parts
from tests.support.models import MODELS, sha256

Ask = Callable[..., Result]
QUICK = {"warmup_seconds": 0.0, "seconds": 0.0, "runs": 20}


def job(model: Path, kind: str = "latency", **settings: object) -> Job:
    return Job(1, "run.phone.00001", kind, str(model), sha256(model), **{**QUICK, **settings})


def converse(command: list[str], wanted: Job) -> tuple[Result, list[Event]]:
    events: list[Event] = []
    result = agent_process.converse(command, wanted, events.append, 60, os.environ)
    return result, events


@pytest.fixture
def ask(desktop: list[str]) -> Ask:
    def ask(model: Path, kind: str = "latency", **settings: object) -> Result:
        return converse(desktop, job(model, kind, **settings))[0]

    return ask


def failure(ask: Ask, *arguments: object, **settings: object) -> TrialError:
    with pytest.raises(TrialError) as caught:
        ask(*arguments, **settings)
    return caught.value


def metrics(result: Result) -> dict[str, Metric]:
    return {metric.name: metric for metric in result.metrics}


def test_it_greets_and_says_that_it_is_virtual(desktop: list[str]) -> None:
    hello = agent_process.greet(desktop, 20, os.environ)
    assert hello.device["virtual"] is True
    assert (hello.runtime, hello.runtime_version) == ("tensorflow-lite", parts.TFLITE.version)
    assert hello.agent == mobilebench.__version__


def test_latency_has_raw_samples_and_the_linux_agents_metrics(
    desktop: list[str], model_file: Path, tmp_path: Path
) -> None:
    result, events = converse(desktop, job(model_file))
    assert len(result.samples_ns) == 20
    assert min(result.samples_ns) > 0
    assert [event.phase for event in events] == ["load", "warmup", "measure"]
    python, _ = converse([sys.executable, str(agent_archive.build(tmp_path))], job(model_file))
    # What is around a trial the app asks Android, of which there is none here.
    around = {metric.name for metric in Environment(Path("/")).end()}
    told = {m.name: m.unit for m in python.metrics if m.name not in around}
    assert {m.name: m.unit for m in result.metrics} == told
    assert result.delegation == python.delegation


def pack(model: Path, packing: Packing, folder: Path, **settings: object) -> dict[str, object]:
    """A job's settings for a packed model; with ``bytes``, it says so many."""
    packer, suffix = PACKERS[packing]
    packed = folder / f"{model.name}{suffix}"
    packed.write_bytes(packer(model.read_bytes()))
    told = {"unpacked_sha256": sha256(model), "unpacked_bytes": model.stat().st_size}
    return {"model": packed, "packing": packing, **told, **settings}


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The agent's own temporary folder."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", f"-Djava.io.tmpdir={folder}")
    return folder


@pytest.mark.parametrize("packing", PACKERS)
def test_a_packed_model_is_unpacked_here(
    packing: Packing, ask: Ask, model_file: Path, tmp_path: Path, temporary: Path
) -> None:
    found = metrics(ask(**pack(model_file, packing, tmp_path)))
    assert 0 < found["unpacking_time"].value < found["initialization_time"].value
    wrong = failure(ask, **pack(model_file, packing, tmp_path, unpacked_sha256="0" * 64))
    assert (wrong.code, wrong.reason.endswith("is not the model that was packed")) == (
        "model_corrupt",
        True,
    )
    endless = failure(ask, **pack(model_file, packing, tmp_path, unpacked_bytes=1000))
    assert endless.code == "model_corrupt"
    assert "more than the 1000 bytes" in endless.reason
    assert not list(temporary.iterdir()), "nothing is left behind"


def test_without_room_nothing_is_unpacked(
    ask: Ask, model_file: Path, tmp_path: Path, temporary: Path
) -> None:
    temporary.rmdir()
    error = failure(ask, **pack(model_file, "gzip", tmp_path))
    assert error.code == "unpacking_unavailable"
    assert f"cannot write the {model_file.stat().st_size} bytes" in error.reason


def test_without_its_library_zstd_is_unavailable(
    desktop: list[str], model_file: Path, tmp_path: Path
) -> None:
    """As on a phone whose ABI the library does not have."""
    (option,) = (word for word in desktop if word.startswith("-Djava.library.path="))
    less = tmp_path / "libraries"
    shutil.copytree(option.partition("=")[2], less, ignore=shutil.ignore_patterns("libzstd*"))
    command = [word.replace(option, f"-Djava.library.path={less}") for word in desktop]
    for packing in PACKERS:
        wanted = job(kind="latency", **pack(model_file, packing, tmp_path))
        if packing != "zstd":
            assert "unpacking_time" in metrics(converse(command, wanted)[0])
            continue
        with pytest.raises(TrialError) as caught:
            converse(command, wanted)
        assert caught.value.code == "unpacking_unavailable"
        assert re.match(
            "the library that unpacks zstd cannot be loaded: .*zstd", caught.value.reason
        )


def test_random_indices_stay_within_their_table(ask: Ask) -> None:
    for seed in range(3):
        assert len(ask(MODELS / "look_up.tflite", seed=seed).samples_ns) == 20


def test_latency_ends_at_runs_and_seconds_or_at_its_limit(ask: Ask, model_file: Path) -> None:
    both = ask(model_file, runs=5, seconds=0.2, warmup_runs=7, warmup_seconds=0.1)
    assert len(both.samples_ns) > 5
    assert metrics(both)["warmup_runs"].value > 7
    capped = ask(model_file, runs=10**9, max_seconds=0.1)
    assert "before the 1000000000 runs asked for" in capped.warnings[0]


def test_without_xnnpack_every_operator_is_left(ask: Ask, model_file: Path) -> None:
    delegation = ask(model_file, xnnpack=False).delegation
    assert delegation["delegated"] == 0
    assert delegation["left"] == {
        "CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "RESHAPE": 1, "SOFTMAX": 1,
    }  # fmt: skip


def test_a_part_that_the_delegate_left_is_counted(ask: Ask) -> None:
    # By the length of the execution plan and by the runtime's log, which does not name it.
    assert ask(MODELS / "small_int8.tflite").delegation == {
        "nodes": 5,
        "delegated": 4,
        "partitions": 1,
        "left": {"(not named by this runtime)": 1},
    }


@pytest.mark.parametrize("threads", [2, 4])
def test_threads(ask: Ask, model_file: Path, threads: int) -> None:
    assert len(ask(model_file, threads=threads).samples_ns) == 20


def test_what_runs_is_the_apks_own_library(desktop: list[str]) -> None:
    (folder,) = (part.partition("=")[2] for part in desktop if "library.path" in part)
    name = "libtensorflowlite_jni.so"
    with zipfile.ZipFile(android_apk.APK) as apk:
        assert apk.read(f"lib/x86_64/{name}") == (Path(folder) / name).read_bytes()


def test_memory_is_what_the_model_adds(ask: Ask, model_file: Path, tmp_path: Path) -> None:
    small = metrics(ask(model_file, "memory"))
    # The same model behind 30 MB of bytes that the runtime maps but never reads.
    padded = tmp_path / "padded.tflite"
    padded.write_bytes(model_file.read_bytes() + bytes(30_000_000))
    large = metrics(ask(padded, "memory"))
    for name in ("memory_pss", "memory_peak", "memory_anonymous", "memory_file"):
        assert small[name].unit == "B"
        assert 0 <= small[name].value < 20e6, name
        assert large[name].value == pytest.approx(small[name].value, abs=5e6), name
    assert small["memory_baseline_pss"].value > small["memory_pss"].value


def data(path: Path, **arrays: object) -> dict[str, str]:
    np.savez(path, **arrays)
    return {"dataset": str(path), "dataset_sha256": sha256(path)}


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int8])
@pytest.mark.parametrize("model", ["small.tflite", "small_int8.tflite", "small_int8_input.tflite"])
def test_predictions_agree_with_the_linux_agents(
    desktop: list[str], tmp_path: Path, model: str, kind: type
) -> None:
    generator = np.random.default_rng(1)
    x = generator.random((400, 8, 8, 1))
    x = (255 * x - 128 if kind == np.int8 else x).astype(kind)
    wanted = job(MODELS / model, "accuracy", **data(tmp_path / "d.npz", x=x, y=np.arange(400) % 10))
    java, events = converse(desktop, wanted)
    python, _ = converse([sys.executable, str(agent_archive.build(tmp_path))], wanted)
    assert java.predictions == python.predictions
    assert len(set(java.predictions)) > 5
    right = float(np.mean(np.array(java.predictions) == np.arange(400) % 10))
    found = metrics(java)["accuracy_top1"]
    assert (found.value, found.n, found.resolution) == (right, 400, 1 / 400)
    assert events[-1].phase == "accuracy"


def test_both_agents_take_integers_as_they_are_and_warn_of_clipping(
    ask: Ask, tmp_path: Path
) -> None:
    model = MODELS / "small_int8_input.tflite"
    generator = np.random.default_rng(3)
    y = np.zeros(50, int)
    for x in (
        generator.integers(-128, 128, (50, 8, 8, 1)).astype(np.int16),
        255 * generator.random((50, 8, 8, 1), dtype=np.float32),
    ):
        given = data(tmp_path / "d.npz", x=x, y=y)
        java = ask(model, "accuracy", **given)
        python = converse(
            [sys.executable, "-m", "mobilebench_agent"], job(model, "accuracy", **given)
        )[0]
        assert java.predictions == python.predictions
        (said,) = python.warnings or ("",)
        assert [w for w in java.warnings if "clipped" in w] == [w for w in (said,) if w]
        assert ("clipped" in said) == (x.dtype == np.float32)


GOOD_X = np.zeros((3, 8, 8, 1), np.float32)
GOOD_Y = np.zeros(3, int)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": GOOD_X[:0], "y": GOOD_Y[:0]}, "one class index for each sample"),
        ({"x": GOOD_X, "y": GOOD_Y[:2]}, "one class index for each sample"),
        ({"x": GOOD_X, "y": GOOD_Y.astype(np.float32)}, "one class index for each sample"),
        ({"x": GOOD_X.reshape(3, 64), "y": GOOD_Y}, "the model takes (8, 8, 1)"),
        ({"x": GOOD_X, "y": np.array([0, 1, 10])}, "the model has 10 classes"),
        ({"x": GOOD_X, "y": np.array([0, -1, 2**40])}, "the model has 10 classes"),
        ({"x": GOOD_X}, "there is no y"),
        ({"x": np.array([{"a": 1}] * 3), "y": GOOD_Y}, "unknown type |O"),
        ({"x": np.asfortranarray(np.ones((3, 8, 8, 2), np.float32)), "y": GOOD_Y}, "in C order"),
    ],
)
def test_data_that_do_not_fit(
    ask: Ask, model_file: Path, tmp_path: Path, arrays: dict[str, object], words: str
) -> None:
    error = failure(ask, model_file, "accuracy", **data(tmp_path / "d.npz", **arrays))
    assert error.code == "dataset_bad"
    assert words in error.reason


def test_data_that_are_no_archive_or_another_file(
    ask: Ask, model_file: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "d.npz"
    wrong.write_bytes(b"PK\3\4 rubbish")
    for digest, words in ((sha256(wrong), "no .npz"), ("0" * 64, "not the file that was sent")):
        error = failure(ask, model_file, "accuracy", dataset=str(wrong), dataset_sha256=digest)
        assert error.code == "dataset_bad"
        assert words in error.reason


@pytest.mark.parametrize(
    ("file", "code", "words"),
    [
        ("not_a_number.tflite", "output_nan", "holds NaN"),
        ("unsupported_operator.tflite", "model_unsupported", "Erfinv"),
    ],
)
@pytest.mark.parametrize("xnnpack", [True, False])
def test_a_model_that_cannot_be_used(
    ask: Ask, file: str, code: str, words: str, xnnpack: bool
) -> None:
    error = failure(ask, MODELS / file, xnnpack=xnnpack)
    assert error.code == code
    assert words in error.reason


@pytest.mark.parametrize("kind", ["latency", "memory"])
def test_a_truncated_model(ask: Ask, model_file: Path, tmp_path: Path, kind: str) -> None:
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(model_file.read_bytes()[:2000])
    assert failure(ask, cut, kind).code == "model_corrupt"


def test_a_missing_model_and_another_one(desktop: list[str], model_file: Path) -> None:
    wanted = job(model_file)
    for change, code in (
        ({"model": str(model_file) + ".gone"}, "model_missing"),
        ({"model_sha256": "0" * 64}, "model_corrupt"),
    ):
        with pytest.raises(TrialError) as caught:
            converse(desktop, Job(**{**vars(wanted), **change}))
        assert caught.value.code == code


@pytest.mark.parametrize("accelerator", ["gpu", "nnapi", "npu"])
def test_an_accelerator_that_is_not_there_is_no_silent_cpu(
    ask: Ask, model_file: Path, accelerator: str
) -> None:
    assert failure(ask, model_file, accelerator=accelerator).code == "accelerator_unavailable"


@pytest.mark.parametrize(
    "line", ["rubbish", '{"type":"event","trial":"t","phase":"load"}', "\xff", "[" * 5000]
)
def test_a_job_that_is_none(desktop: list[str], line: str) -> None:
    answer = subprocess.run(
        desktop, input=line.encode("latin-1") + b"\n", capture_output=True, timeout=30, check=False
    )
    assert answer.returncode == 1
    _, error = (json.loads(said) for said in answer.stdout.splitlines())
    assert (error["type"], error["code"]) == ("error", "bad_job")


def test_a_described_device_reports_its_facts_and_state(
    desktop: list[str], model_file: Path, tmp_path: Path
) -> None:
    description = tmp_path / "device.jsonl"
    hot = {"name": "thermal_status", "unit": "1", "source": "test", "value": 3, "n": 1}
    lines = [
        {"type": "hello", "protocol": 1, "agent": "", "runtime": "", "runtime_version": "",
         "device": {"model": "Pixel 9"}},
        {"type": "result", "trial": "", "kind": "", "metrics": [hot]},
    ]  # fmt: skip
    description.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    command = [*desktop, "--device-json", str(description)]
    assert agent_process.greet(command, 20, os.environ).device["model"] == "Pixel 9"
    found = metrics(converse(command, job(model_file))[0])
    assert found["before_thermal_status"].value == 3
    assert found["after_thermal_status"].value == 3
    lines.append({"type": "error", "code": "disturbed", "message": "the screen is off"})
    description.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    with pytest.raises(TrialError, match="the screen is off") as caught:
        converse(command, job(model_file))
    assert caught.value.code == "disturbed"

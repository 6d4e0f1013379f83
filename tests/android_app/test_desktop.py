"""The app's core and engine on a JVM: genuine TensorFlow Lite, real models, the host's own talk."""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

import mobilebench
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from mobilebench.compress.pipeline.pack import PACKERS
from mobilebench.devices.agent import archive as agent_archive
from mobilebench.devices.agent import process as agent_process
from mobilebench.devices.android import shipped_apk as android_apk
from mobilebench.devices.base import TrialError
from mobilebench.devices.local.device import LocalDevice
from mobilebench.records.runtime import Packing
from mobilebench.runs.runnable import refusals
from mobilebench.suite.schema import Suite
from mobilebench.tflite import entry, interface
from mobilebench.tflite.file import dump, load
from mobilebench_agent.contract import PROTOCOL_VERSION, Event, Job, Metric, Result
from mobilebench_agent.environment import Environment

from app_build import parts
from tests.support.models import MODELS, sha256
from tests.support.samples import read_outputs, write_samples
from tests.support.tflite_files import with_input

Ask = Callable[..., Result]
QUICK = {"warmup_seconds": 0.0, "seconds": 0.0, "runs": 20}


def job(model: Path, kind: str = "latency", **settings: object) -> Job:
    return Job(
        PROTOCOL_VERSION,
        "run.phone.00001",
        kind,
        str(model),
        sha256(model),
        **{**QUICK, **settings},
    )


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
    hello = agent_process.greet(desktop, 120, os.environ)
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
    theirs = {m.name: m.unit for m in python.metrics if m.name not in around}
    assert {m.name: m.unit for m in result.metrics if m.name not in around} == theirs
    assert result.delegation == python.delegation


def pack(model: Path, packing: Packing, folder: Path, **settings: object) -> dict[str, object]:
    """A job's settings for a packed model; with ``bytes``, it says so many."""
    packer, suffix = PACKERS[packing]
    packed = folder / f"{model.name}{suffix}"
    packed.write_bytes(packer(model.read_bytes()))
    inside = {"unpacked_sha256": sha256(model), "unpacked_bytes": model.stat().st_size}
    return {"model": packed, "packing": packing, **inside, **settings}


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


Outputs = Callable[..., tuple[Result, list[Event]]]


@pytest.fixture
def outputs(desktop: list[str], tmp_path: Path) -> Outputs:
    """Asks the app, or the agent behind another command, for the outputs of samples."""
    folder = tmp_path / "out"
    folder.mkdir()

    def outputs(
        model: Path, *inputs: object, command: list[str] | None = None, **settings: object
    ) -> tuple[Result, list[Event]]:
        given = write_samples(tmp_path / "samples", *inputs)
        wanted = job(model, "outputs", **{**given, "outputs_folder": str(folder), **settings})
        return converse(command or desktop, wanted)

    return outputs


def answers(result: Result) -> dict[str, Any]:
    """What is in an outputs file, which is the one that the result describes."""
    path = Path(result.outputs)
    assert (sha256(path), path.stat().st_size) == (result.outputs_sha256, result.outputs_bytes)
    return read_outputs(path)


def refused(outputs: Outputs, code: str, words: str, *arguments: Any, **settings: object) -> None:
    with pytest.raises(TrialError) as caught:
        outputs(*arguments, **settings)
    assert (caught.value.code, words in caught.value.reason) == (code, True), caught.value


def edited(content: bytes, change: Callable[[Any], None], path: Path) -> Path:
    """A model after ``change`` has had all of it."""
    model = load(content)
    change(model)
    path.write_bytes(dump(model))
    return path


X = np.random.default_rng(1).random((400, 8, 8, 1))


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int8])
@pytest.mark.parametrize("model", ["small.tflite", "small_int8.tflite", "small_int8_input.tflite"])
def test_answers_agree_with_the_linux_agents(
    outputs: Outputs, tmp_path: Path, model: str, kind: type
) -> None:
    x = (255 * X - 128 if kind == np.int8 else X).astype(kind)
    result, events = outputs(MODELS / model, x)
    python, _ = outputs(
        MODELS / model, x, command=[sys.executable, str(agent_archive.build(tmp_path))]
    )
    java, right = answers(result)["0"], answers(python)["0"]
    assert (java.dtype, java.shape) == (right.dtype, (400, 10)) == (right.dtype, right.shape)
    assert np.array_equal(java.argmax(1), right.argmax(1))
    assert len(set(java.argmax(1))) > 5
    assert np.abs(java.astype(float) - right).max() <= (1e-5 if java.dtype.kind == "f" else 1)
    found = metrics(result)["answered_samples"]
    assert (found.value, found.unit, found.source) == (400, "1", "count")
    assert [event.phase for event in events[:1]] == ["load"]
    assert events[-1].phase == "outputs"


def test_both_agents_take_integers_as_they_are_and_warn_of_clipping(outputs: Outputs) -> None:
    model = MODELS / "small_int8_input.tflite"
    generator = np.random.default_rng(3)
    for x in (
        generator.integers(-128, 128, (50, 8, 8, 1)).astype(np.int16),
        255 * generator.random((50, 8, 8, 1), dtype=np.float32),
    ):
        java, _ = outputs(model, x)
        python, _ = outputs(model, x, command=[sys.executable, "-m", "mobilebench_agent"])
        difference = answers(java)["0"].astype(int) - answers(python)["0"]
        assert np.abs(difference).max() <= 1
        (said,) = python.warnings or ("",)
        assert [w for w in java.warnings if "clipped" in w] == [w for w in (said,) if w]
        assert ("clipped" in said) == (x.dtype == np.float32)


@pytest.mark.parametrize("name", ["open_image", "two_signatures"])
def test_a_given_shape_and_a_chosen_signature_are_all_that_runs(
    outputs: Outputs, tmp_path: Path, name: str
) -> None:
    """Both agents answer as LiteRT does for the whole file, resized or by signature."""
    content, generator = (MODELS / f"{name}.tflite").read_bytes(), np.random.default_rng(5)
    whole = Interpreter(model_content=content)
    if name == "open_image":
        chosen = entry.enter(content, name, shapes={"image": (1, 31, 46, 3)})
        taken = {"image": generator.random((3, 31, 46, 3), dtype=np.float32)}
        whole.resize_tensor_input(whole.get_input_details()[0]["index"], (1, 31, 46, 3))
        runner = whole.get_signature_runner("serving_default")
    else:
        chosen = entry.enter(content, name, signature="encode")
        taken = {"values": generator.standard_normal((3, 8)).astype(np.float32)}
        runner = whole.get_signature_runner("encode")
    path = tmp_path / "chosen.tflite"
    path.write_bytes(chosen)
    ((key, x),) = taken.items()
    right = [runner(**{key: sample[None]}) for sample in x]
    for command in (None, [sys.executable, "-m", "mobilebench_agent"]):
        found = answers(outputs(path, x, command=command)[0])
        for position, end in enumerate(interface.read(chosen, name).outputs):
            wanted = np.concatenate([row[end.name] for row in right])
            assert found[str(position)].shape == wanted.shape
            np.testing.assert_allclose(found[str(position)], wanted, atol=1e-5)


def test_several_inputs_and_outputs(outputs: Outputs, model_file: Path, tmp_path: Path) -> None:
    """The bias of the small model's first layer as an input, and that layer as an output."""

    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        bias = int(graph.operators[0].inputs[2])
        graph.tensors[bias].buffer = 0
        graph.inputs = np.array([graph.inputs[0], bias], np.int32)
        first = int(graph.operators[0].outputs[0])
        graph.outputs = np.array([first, graph.outputs[0]], np.int32)

    model = edited(model_file.read_bytes(), change, tmp_path / "two.tflite")
    x = X[:20].astype(np.float32)
    bias = np.random.default_rng(2).random((20, 4))
    found = answers(outputs(model, x, bias)[0])
    assert [found[name].shape for name in "01"] == [(20, 6, 6, 4), (20, 10)]
    right = answers(outputs(model, x, bias, command=[sys.executable, "-m", "mobilebench_agent"])[0])
    assert np.allclose(found["0"], right["0"], atol=1e-5)
    assert np.allclose(found["1"], right["1"], atol=1e-5)
    refused(outputs, "inputs_bad", "the same number of samples", model, x, bias[1:])


@pytest.mark.parametrize("xnnpack", [True, False])
def test_a_batch_is_run_sample_by_sample(outputs: Outputs, tmp_path: Path, xnnpack: bool) -> None:
    batch = tmp_path / "batch.tflite"
    batch.write_bytes(with_input((MODELS / "not_a_number.tflite").read_bytes(), [3, 4]))
    x = 20 + X[:7].reshape(7, 64)[:, :4].astype(np.float32)
    found = answers(outputs(batch, x, xnnpack=xnnpack)[0])["0"]
    assert np.allclose(found, np.log(x - 10), atol=1e-5)
    x[5, 2] = 1
    refused(outputs, "output_nan", "holds NaN or infinity for sample 5", batch, x)
    assert len(list((tmp_path / "out").iterdir())) == 1, "of the failed trial nothing is left"


def positions(path: Path) -> Path:
    """Where four numbers less ten are not zero: as many rows as there are such numbers."""

    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.operators[1].builtinOptionsType = 0
        graph.operators[1].builtinOptions = None
        code = model.operatorCodes[graph.operators[1].opcodeIndex]
        code.builtinCode, code.deprecatedBuiltinCode = 109, 109  # WHERE
        output = graph.tensors[graph.outputs[0]]
        output.type, output.shape = 4, np.array([1, 2], np.int32)  # INT64

    return edited((MODELS / "not_a_number.tflite").read_bytes(), change, path)


def test_an_output_whose_shape_depends_on_the_values(outputs: Outputs, tmp_path: Path) -> None:
    model = positions(tmp_path / "where.tflite")
    x = np.array([[1, 2, 10, 4], [10, 2, 3, 4], [1, 2, 3, 10]], np.float32)
    found = answers(outputs(model, x)[0])["0"]
    assert (found.dtype, found.shape) == (np.int64, (3, 3, 2))
    assert found[1].tolist() == [[0, 1], [0, 2], [0, 3]]
    x[2] = 10, 10, 3, 4
    words = "has shape (3, 2) for sample 0 and (2, 2) for sample 2"
    refused(outputs, "outputs_unsupported", words, model, x)


@pytest.mark.parametrize("kind", [5, 8])  # STRING, COMPLEX64
def test_an_output_of_no_numbers_is_timed_but_not_given_back(
    ask: Ask, outputs: Outputs, model_file: Path, tmp_path: Path, kind: int
) -> None:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        buffer, tensor = copy(model.buffers[0]), copy(graph.tensors[graph.outputs[0]])
        text = struct.pack("<3i2s", 1, 12, 14, b"ab") if kind == 5 else bytes(8)
        buffer.data = np.frombuffer(text, np.uint8)
        tensor.name, tensor.type, tensor.shape = b"words", kind, np.array([1], np.int32)
        tensor.buffer, tensor.quantization = len(model.buffers), None
        model.buffers.append(buffer)
        graph.outputs = np.array([*graph.outputs, len(graph.tensors)], np.int32)
        graph.tensors.append(tensor)

    model = edited(model_file.read_bytes(), change, tmp_path / "text.tflite")
    assert len(ask(model).samples_ns) == 20
    refused(outputs, "outputs_unsupported", "cannot be given back", model, X.astype(np.float32))


def test_memory_does_not_grow_with_the_samples(
    outputs: Outputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx24m -XX:MaxDirectMemorySize=8m")
    wide = tmp_path / "wide.tflite"
    wide.write_bytes(with_input((MODELS / "not_a_number.tflite").read_bytes(), [1, 250_000]))
    x = np.full((80, 250_000), 11, np.float32)
    found, _ = outputs(wide, x)
    assert found.outputs_bytes > 80_000_000
    assert not answers(found)["0"].any()


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([X[:0]], "the same number of samples, at least one"),
        ([X.reshape(400, 64)], "have shape (64), and the model takes (8, 8, 1)"),
        ([X, X], "the model has 1 inputs, and the samples are for 0, 1 (counted from 0)"),
        ([], "the samples are for none"),
        ([np.float32(1)], "at least one"),
    ],
)
def test_samples_that_do_not_fit(
    outputs: Outputs, model_file: Path, tmp_path: Path, inputs: list[object], words: str
) -> None:
    refused(outputs, "inputs_bad", words, model_file, *inputs)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_index_beyond_its_table_is_the_samples_fault(outputs: Outputs) -> None:
    x = np.array([[0, 1, 2, 3], [3, 4, 5, 700]])
    words = "the model does not run on sample 1: "
    refused(outputs, "inputs_bad", words, MODELS / "look_up.tflite", x)


def test_samples_that_are_none_or_another_file(
    outputs: Outputs, model_file: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"PK\3\4 rubbish")
    for digest, words in ((sha256(wrong), "samples cannot be used"), ("0" * 64, "not the file")):
        given = {"inputs": str(wrong), "inputs_sha256": digest}
        refused(outputs, "inputs_bad", words, model_file, X, **given)


def test_without_a_folder_of_the_job_the_apps_own_is_used(
    desktop: list[str], model_file: Path, tmp_path: Path
) -> None:
    own = tmp_path / "app" / "outputs"
    samples = write_samples(tmp_path / "samples", X)
    command = [*desktop, "--outputs", str(own)]
    result, _ = converse(command, job(model_file, "outputs", **samples))
    assert Path(result.outputs).parent == own
    assert answers(result)["0"].shape == (400, 10)
    # A file in the folder's place: nothing can be written there.
    own.rename(tmp_path / "before")
    own.touch()
    with pytest.raises(TrialError, match="the outputs cannot be stored on the device"):
        converse(command, job(model_file, "outputs", **samples))


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
        desktop, input=line.encode("latin-1") + b"\n", capture_output=True, timeout=300, check=False
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
        {"type": "hello", "protocol": PROTOCOL_VERSION, "agent": "", "runtime": "",
         "runtime_version": "", "device": {"model": "Pixel 9"}},
        {"type": "result", "trial": "", "kind": "", "metrics": [hot]},
    ]  # fmt: skip
    description.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    command = [*desktop, "--device-json", str(description)]
    assert agent_process.greet(command, 120, os.environ).device["model"] == "Pixel 9"
    found = metrics(converse(command, job(model_file))[0])
    assert found["before_thermal_status"].value == 3
    assert found["after_thermal_status"].value == 3
    lines.append({"type": "error", "code": "disturbed", "message": "the screen is off"})
    description.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    with pytest.raises(TrialError, match="the screen is off") as caught:
        converse(command, job(model_file))
    assert caught.value.code == "disturbed"


class App(LocalDevice):
    """The app's core and engine as a device."""

    def __init__(self, command: list[str], cache: Path) -> None:
        super().__init__("app", None, cache)
        self._app = tuple(command)

    def _command(self) -> tuple[str, ...]:
        return self._app


def test_schemes_that_this_runtime_cannot_run_are_refused_before_training(
    desktop: list[str], tmp_path: Path
) -> None:
    asked = {
        "dynamic_int4(block=32)": "dies of FULLY_CONNECTED, version 1,",
        "weight_only_int4": "cannot run FULLY_CONNECTED, version 1,",
        "int8(weight_bits=4)": "cannot run FULLY_CONNECTED, version 1,",
    }
    suite = Suite.model_validate(
        {
            "models": [
                {
                    "name": "digits",
                    "source": "zoo:lenet-300-100",
                    "recipes": ["float32", "dynamic_int8", "int8", *asked],
                }
            ],
            "devices": [{"name": "app", "kind": "local", "python": "/another"}],
        }
    )
    app = App(desktop, tmp_path)
    found = refusals(suite, [app], [app.probe()], tmp_path)
    assert [refusal.recipe for refusal in found] == list(asked)
    for refusal in found:
        assert f"tensorflow-lite {parts.TFLITE.version} {asked[refusal.recipe]}" in refusal.reason
        assert "; the nearest recipe that it runs is " in refusal.reason

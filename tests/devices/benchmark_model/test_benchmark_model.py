"""TensorFlow's benchmark_model: its output, and runs with it in place of the app.

The program on the virtual phone is a script that prints a recorded output: pushing, running and
refusing are real, the numbers are not this machine's.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from mobilebench.cli.main import main
from mobilebench.devices.android.app import Apk
from mobilebench.devices.base import TrialError
from mobilebench.devices.benchmark_model.output import arguments, parse_output, result_of
from mobilebench.devices.benchmark_model.profile import parse_profile
from mobilebench.errors import BadInputError
from mobilebench.runs import gate
from mobilebench.runs.run import Quiet
from mobilebench.runs.summaries import summary_of
from mobilebench.store.folder import RunFolder
from mobilebench.suite.policy import Policy
from mobilebench.suite.schema import validate
from mobilebench_agent.contract import PROTOCOL_VERSION, Job

from tests.phone.android import Android, Package
from tests.phone.fixtures import Connect
from tests.phone.phone import Phone
from tests.support.dumps import dump
from tests.support.models import MODELS


def test_an_old_build() -> None:
    timings = parse_output(dump("benchmark-model-old"))
    assert (timings.count, timings.mean, timings.sd) == (50, 249_684_000, 1_442_000)
    assert timings.median is None
    assert timings.delegated is None
    assert timings.first_inference == 360_262_000


def test_a_new_build() -> None:
    timings = parse_output(dump("benchmark-model-new"))
    assert (timings.count, timings.median) == (50, 1_239_807_000)
    assert (timings.delegated, timings.nodes, timings.partitions) == (66, 66, 1)


def test_a_single_run() -> None:
    text = "count=1 curr=5000\nInference timings in us: Init: 1, First inference: 6000, "
    timings = parse_output(text + "Warmup (avg): 6000, Inference (avg): 5000\n")
    assert (timings.count, timings.mean, timings.median) == (1, 5_000_000, 5_000_000)


def test_runs_that_all_took_the_same_time() -> None:
    timings = parse_output(dump("benchmark-model-all-same"))
    assert (timings.count, timings.mean, timings.sd) == (50, 3000, 0)
    assert (timings.minimum, timings.median, timings.p95) == (3000, 3000, 3000)
    older = dump("benchmark-model-all-same").replace(" p5=3 median=3 p95=3", "")
    assert parse_output(older) == timings


GOOD = dump("benchmark-model-new")


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD[: GOOD.index("INFO: Inference timings")],
        GOOD + GOOD,
        GOOD.replace("Inference (avg): 1.24027e+06", "Inference (avg): 0"),
        GOOD.replace("Inference (avg): 1.24027e+06", "Inference (avg): 9.24027e+06"),
        GOOD.replace("Inference (avg): 1.24027e+06", "Inference (avg): nan"),
        GOOD.replace("Inference (avg): 1.24027e+06", "Inference (avg): -5"),
        GOOD.replace("count=", "n="),
        GOOD.replace("count=50", "count=0"),
        dump("benchmark-model-all-same").replace("(all same)", ""),
        dump("benchmark-model-all-same").replace("curr=3(", "curr=4("),
        GOOD.replace("min=1238588", "min=9238588"),
        GOOD.replace("max=1252566", "max=1"),
    ],
)
def test_what_is_no_whole_answer(text: str) -> None:
    with pytest.raises(TrialError) as caught:
        parse_output(text)
    assert caught.value.code == "protocol_violation"


@given(st.text())
def test_any_text_at_all(text: str) -> None:
    with pytest.raises(TrialError):
        parse_output(text)


def test_profiles_of_older_and_newer_builds() -> None:
    old = parse_profile(dump("benchmark-model-profile-old"))
    assert [(n.kind, n.mean_ns, n.index) for n in old] == [
        ("CONV_2D", 60_957_000, 0),
        ("TfLiteNnapiDelegate", 1_386_000, 73),
        ("SOFTMAX", 80_000, 30),
    ]
    new = parse_profile(dump("benchmark-model-profile-new"))
    assert [(n.kind, n.index) for n in new] == [
        ("QUANTIZE", 0),
        ("Convolution (NHWC, QC8) DWConv", None),
    ]
    assert new[1].mean_ns == pytest.approx(13 * 51_000)  # of one call, thirteen times called


_PROFILE = dump("benchmark-model-profile-old")


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        _PROFILE.replace("Regular", "Special"),
        _PROFILE.replace("[avg ms]", "[mean]"),
        _PROFILE.replace("60.957", "much"),
        _PROFILE.partition("CONV_2D")[0],
    ],
)
def test_what_is_no_profile(text: str) -> None:
    with pytest.raises(TrialError) as caught:
        parse_profile(text)
    assert caught.value.code == "protocol_violation"


@given(st.text())
def test_any_text_as_a_profile(text: str) -> None:
    with pytest.raises(TrialError):
        parse_profile(text)


def program(tmp_path: Path, script: str) -> Path:
    """A stand-in for the program, which cannot be had here: pushed and run, but no TensorFlow."""
    path = tmp_path / "benchmark_model"
    path.write_text(f"#!/bin/sh\n{script}\n")
    return path


def says(text: str = GOOD) -> str:
    return f"cat <<'END'\n{text}\nEND"


def cross_check(serial: str, binary: Path, results: Path, *more: str) -> Result:
    words = ["run", str(MODELS / "small.tflite"), str(MODELS / "small_int8.tflite")]
    words += ["--executor", "benchmark_model", "--binary", str(binary), "--device", serial]
    words += ["--blocks", "2", "--threads", "2", "--results", str(results)]
    return CliRunner().invoke(main, [*words, *more])


def folder_in(results: Path) -> RunFolder:
    (path,) = results.iterdir()
    return RunFolder.open(path)


def test_a_run_of_its_own(any_android: Android, connect: Connect, tmp_path: Path) -> None:
    """Nothing of the app is there, nor needed; the rest of a run is as ever."""
    serial = connect(any_android.phone).serial
    told = "/data/local/tmp/told"
    binary = program(tmp_path, f'echo "$@" >> {told}; {says()}')
    shown = cross_check(serial, binary, tmp_path / "results")
    assert shown.exit_code == 0, shown.output
    assert any_android.installed == {}
    folder = folder_in(tmp_path / "results")
    (device,) = folder.run().devices
    assert (device.executor, device.runtime) == ("benchmark_model", "benchmark_model")
    assert device.virtual
    trials = folder.trials()
    assert [(trial.kind, trial.state, trial.samples) for trial in trials] == [
        ("latency", "valid", 0)
    ] * 4
    metrics = {metric.name: metric for metric in trials[0].metrics}
    assert metrics["latency_mean"].value == 1_240_270_000
    assert metrics["latency_mean"].source == "benchmark_model: avg"
    assert metrics["latency_mean"].n == 50
    assert metrics["latency_median"].value == 1_239_807_000
    assert "battery_level_before" in metrics
    assert trials[0].delegation
    assert trials[0].delegation.delegated == 66
    words = (any_android.phone.folder / told[1:]).read_text().splitlines()[-1].split()
    assert words[0].startswith("--graph=/data/local/tmp/mobilebench/")
    assert {"--num_threads=2", "--num_runs=50", "--use_xnnpack=true"} <= set(words)
    for text in (shown.output, (folder.path / "report.md").read_text("utf-8")):
        flat = " ".join(text.split())
        assert "which keeps no samples: its latency is the mean of each trial" in flat
        assert "(benchmark_model)" in flat
    page = (folder.path / "report.html").read_text("utf-8")
    assert page.count("measured by benchmark_model") >= 3
    (variant, _) = summary_of(folder).comparisons[0].variants
    assert variant["latency"].value == 1_240_270_000
    assert variant["p90"].reason == "what measured it keeps no samples"


def test_compared_with_the_apps_results_it_is_refused(
    pixel: Android, connect: Connect, tmp_path: Path
) -> None:
    serial = connect(pixel.phone).serial
    assert cross_check(serial, program(tmp_path, says()), tmp_path / "theirs").exit_code == 0
    apk = Apk.described()
    pixel.know(apk.path, Package(apk.version))
    files = [str(MODELS / "small.tflite"), str(MODELS / "small_int8.tflite")]
    words = ["run", *files, "--device", serial, "--blocks", "1", "--threads", "2"]
    words += ["--seconds", "0.1", "--results", str(tmp_path / "ours")]
    assert CliRunner().invoke(main, words).exit_code == 0
    paths = [str(folder_in(tmp_path / name).path) for name in ("ours", "theirs")]
    refused = CliRunner().invoke(main, ["compare", *paths])
    assert refused.exit_code == 2
    assert "another executor (benchmark_model, not agent)" in refused.output


def test_on_a_board(board: Phone, connect: Connect, tmp_path: Path) -> None:
    shown = cross_check(connect(board).serial, program(tmp_path, says()), tmp_path / "results")
    assert shown.exit_code == 0, shown.output
    (device,) = folder_in(tmp_path / "results").run().devices
    assert (device.kind, device.executor) == ("board", "benchmark_model")


def test_a_run_that_is_resumed_uses_its_own_copy(
    pixel: Android, connect: Connect, tmp_path: Path
) -> None:
    serial = connect(pixel.phone).serial
    binary = program(tmp_path, says())
    assert cross_check(serial, binary, tmp_path / "results").exit_code == 0
    folder = folder_in(tmp_path / "results")
    run = folder.run()
    assert str(tmp_path) not in json.dumps(run.suite.document)
    binary.unlink()
    folder.write_run(run.model_copy(update={"state": "interrupted"}))
    lines = (folder.path / "trials.jsonl").read_text().splitlines(keepends=True)
    (folder.path / "trials.jsonl").write_text("".join(lines[:2]))
    resumed = CliRunner().invoke(main, ["run", "--resume", str(folder.path)])
    assert resumed.exit_code == 0, resumed.output
    assert len(folder.trials()) == 4


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("echo 'ERROR: Failed to apply XNNPACK delegate.' >&2; exit 1", "agent_died", "XNNPACK"),
        ("kill -9 $$", "agent_died", "exit code 137"),
        ("exit 0", "protocol_violation", "0 summaries"),
        (f"{says()}; {says()}", "protocol_violation", "2 summaries"),
    ],
)
def test_it_fails(
    pixel: Android, connect: Connect, tmp_path: Path, script: str, code: str, words: str
) -> None:
    serial = connect(pixel.phone).serial
    binary = program(tmp_path, f'[ "$1" = --help ] && exit 1; {script}')
    shown = cross_check(serial, binary, tmp_path / "results")
    assert shown.exit_code == 4, shown.output
    trial = folder_in(tmp_path / "results").trials()[0]
    assert trial.code == code
    assert words in trial.reason


def test_a_program_for_another_processor(pixel: Android, connect: Connect, tmp_path: Path) -> None:
    binary = tmp_path / "benchmark_model"
    binary.write_bytes(b"\x7fELF" + bytes(200))
    shown = cross_check(connect(pixel.phone).serial, binary, tmp_path / "results")
    assert shown.exit_code == 2
    assert "benchmark_model does not run there" in shown.output


def test_a_phone_that_is_not_fit(pixel: Android, connect: Connect, tmp_path: Path) -> None:
    serial = connect(pixel.phone).serial
    pixel.state.level = 11
    shown = cross_check(serial, program(tmp_path, says()), tmp_path / "results")
    assert shown.exit_code == 4
    assert "its battery is at 11 %" in shown.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--executor", "benchmark_model"], "go together"),
        (["--binary", "benchmark_model"], "go together"),
        (
            ["--executor", "benchmark_model", "--binary", "b", "--device", "local"],
            "has no 'binary'; these kinds",
        ),
    ],
)
def test_what_does_not_go_together(words: list[str], said: str) -> None:
    shown = CliRunner().invoke(main, ["run", "model.tflite", *words])
    assert shown.exit_code == 2
    assert said in shown.output


@pytest.mark.parametrize(
    ("devices", "said"),
    [
        ([{"name": "a", "kind": "android", "executor": "benchmark_model"}], "go together"),
        ([{"name": "a", "kind": "android", "binary": "b"}], "go together"),
        (
            [{"name": "a", "executor": "benchmark_model", "binary": "b"}],
            "has no 'binary'; these kinds",
        ),
        (
            [
                {"name": "a", "kind": "android"},
                {"name": "b", "kind": "android", "executor": "benchmark_model", "binary": "b"},
            ],
            "one run has one executor",
        ),
    ],
)
def test_a_suite_that_does_not_go_together(devices: list[dict[str, str]], said: str) -> None:
    document = {"models": [{"name": "m", "source": "m.tflite"}], "devices": devices}
    with pytest.raises(BadInputError, match=said):
        validate(document, "suite.toml", Path())


def test_a_gate_needs_samples(tmp_path: Path) -> None:
    device = {"name": "a", "kind": "board", "executor": "benchmark_model", "binary": "b"}
    document = {"models": [{"name": "m", "source": "m.tflite"}], "devices": [device]}
    with pytest.raises(BadInputError, match="benchmark_model keeps none"):
        gate.start(validate(document, "suite.toml", tmp_path), Policy(), tmp_path, [], Quiet())


def job(**changes: Any) -> Job:
    return replace(Job(PROTOCOL_VERSION, "t", "latency", "/m.tflite", "0"), **changes)


def test_an_accelerator_that_took_nothing() -> None:
    assert "--use_gpu=true" in arguments(job(accelerator="gpu"))
    assert "--use_xnnpack=false" in arguments(job(accelerator="gpu"))
    without = "\n".join(line for line in GOOD.splitlines() if "Replacing" not in line)
    with pytest.raises(TrialError) as caught:
        result_of(job(accelerator="gpu"), without)
    assert caught.value.code == "accelerator_unavailable"
    took = "Explicitly applied GPU delegate, and the model graph will be completely executed by"
    assert result_of(job(accelerator="gpu"), f"{took} the delegate.\n{without}").metrics


@pytest.mark.parametrize(
    ("asked", "option"),
    [
        ({"accelerator": "gpu", "precision": "float32"}, "--gpu_precision_loss_allowed=false"),
        ({"accelerator": "nnapi", "precision": "float16"}, "--nnapi_allow_fp16=true"),
        (
            {"accelerator": "gpu", "preference": "sustained"},
            "--gpu_inference_for_sustained_speed=true",
        ),
        (
            {"accelerator": "nnapi", "preference": "fast"},
            "--nnapi_execution_preference=fast_single_answer",
        ),
    ],
)
def test_what_is_asked_of_an_accelerator(asked: dict[str, Any], option: str) -> None:
    assert option in arguments(job(**asked))
    assert len(arguments(job(**asked))) == len(arguments(job(accelerator=asked["accelerator"]))) + 1


@pytest.mark.parametrize("asked", [{"accelerator": "npu"}, {"serialization": True}])
def test_what_the_program_does_not_have_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(TrialError) as caught:
        arguments(job(**{"accelerator": "gpu", **asked}))
    assert caught.value.code == "accelerator_unavailable"


def test_it_measures_latency_alone() -> None:
    with pytest.raises(TrialError, match="not memory"):
        arguments(job(kind="memory"))
    with pytest.raises(TrialError, match="not outputs"):
        arguments(job(kind="outputs", inputs="/i", inputs_sha256="0"))
    with pytest.raises(TrialError, match="some CPUs"):
        arguments(job(cpus=(0,)))


def test_a_sustained_run_needs_samples() -> None:
    document = {
        "models": [{"name": "m", "source": "m.tflite"}],
        "protocol": {"sustained_minutes": 1},
        "devices": [{"name": "a", "kind": "board", "executor": "benchmark_model", "binary": "b"}],
    }
    with pytest.raises(BadInputError, match="sustained_minutes needs every sample"):
        validate(document, "suite.toml", Path())


def test_it_unpacks_nothing() -> None:
    document = {
        "models": [{"name": "m", "source": "m.tflite"}],
        "runtimes": [{"name": "r", "packed": "gzip"}],
        "devices": [{"name": "a", "kind": "board", "executor": "benchmark_model", "binary": "b"}],
    }
    with pytest.raises(BadInputError, match="benchmark_model unpacks nothing"):
        validate(document, "suite.toml", Path())


def test_its_own_profiler_times_operators(
    any_android: Android, connect: Connect, tmp_path: Path
) -> None:
    serial = connect(any_android.phone).serial
    said = (
        "INFO: Operator-wise Profiling Info for Regular Benchmark Runs:\n=== Run Order ===\n"
        "[node type]\t[first]\t[avg ms]\t[%]\t[cdf%]\t[mem KB]\t[times called]\t[Name]\n"
        "CONV_2D\t0.2\t0.150\t75%\t75%\t0.0\t1\t[x]:0\n"
        "Fully Connected (NC, F32) GEMM\t0.1\t0.050\t25%\t100%\t0.0\t1\tDelegate/FC:0\n\n===\n"
    )
    binary = program(tmp_path, f'[ "$1" = --help ] && exit 1; {says(said)}')
    words = ["inspect", str(MODELS / "small.tflite"), "--time", "--binary", str(binary)]
    done = CliRunner().invoke(main, [*words, "--device", serial, "--json"])
    assert done.exit_code == 0, done.output
    (device,) = json.loads(done.stdout)["devices"]
    assert [(row["kind"], row["by"], row["median_ns"]) for row in device["operators"]] == [
        ("CONV_2D", "built-in kernels", 150_000),
        ("Fully Connected (NC, F32) GEMM", "xnnpack", 50_000),
    ]
    assert device["operators"][0]["macs"] == 6 * 6 * 4 * 9
    assert (device["sum_of_operators_ns"], device["alone"]) == (200_000, False)

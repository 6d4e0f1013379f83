"""TensorFlow's benchmark_model: its output, and running it over adb.

The program on the virtual phone is a script that prints a recorded output: pushing, running and
refusing are real, the numbers are not this machine's.
"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from harness.cli import main
from harness.devices.base import TrialError
from harness.devices.benchmark_model import UpstreamJob, measure, parse_output
from tests.devices.conftest import Connect
from tests.devices.test_adb_parse import dump
from tests.phone.android import Android


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


def program(tmp_path: Path, script: str) -> Path:
    path = tmp_path / "benchmark_model"
    path.write_text(f"#!/bin/sh\n{script}\n")
    return path


def test_from_the_command_line(
    pixel: Android, connect: Connect, tmp_path: Path, model_file: Path
) -> None:
    serial = connect(pixel.phone).serial
    binary = program(tmp_path, f"cat <<'END'\n{GOOD}\nEND")
    arguments = ["cross-check", str(model_file), "--binary", str(binary), "--device", serial]
    shown = CliRunner().invoke(main, arguments)
    assert shown.exit_code == 0, shown.output
    assert "1240 ms" in shown.output
    document = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).output)
    assert document["executor"] == "benchmark_model"
    assert document["median"] == 1_239_807_000
    missing = CliRunner().invoke(main, [*arguments[:3], "nowhere", *arguments[4:]])
    assert missing.exit_code == 2
    bad = program(tmp_path, "echo no; exit 1")
    assert CliRunner().invoke(main, [*arguments[:3], str(bad), *arguments[4:]]).exit_code == 4


def test_running_it(
    any_android: Android, connect: Connect, tmp_path: Path, model_file: Path
) -> None:
    device = connect(any_android.phone)
    told = "/data/local/tmp/told"
    binary = program(tmp_path, f"echo \"$@\" > {told}; cat <<'END'\n{GOOD}\nEND")
    timings = measure(device, binary, model_file, UpstreamJob(threads=4, runs=20))
    assert timings.median == 1_239_807_000
    words = (any_android.phone.folder / told[1:]).read_text().split()
    assert words[0].startswith("--graph=/data/local/tmp/mobilebench/")
    assert {"--num_threads=4", "--num_runs=20", "--use_xnnpack=true"} <= set(words)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'ERROR: Failed to apply XNNPACK delegate.' >&2; exit 1", "XNNPACK delegate"),
        ("exit 139", "exit code 139"),
        ("exit 0", "0 summaries"),
    ],
)
def test_it_fails(
    pixel: Android, connect: Connect, tmp_path: Path, model_file: Path, script: str, words: str
) -> None:
    with pytest.raises(TrialError, match=words):
        measure(connect(pixel.phone), program(tmp_path, script), model_file, UpstreamJob())

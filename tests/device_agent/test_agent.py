"""The agent as a program: real processes, real runtime, real models."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from mobilebench_agent import contract
from mobilebench_agent.contract import Error, Event, Hello, Job, Result

from tests.support.agent import ask, job, metrics, talk
from tests.support.models import MODELS
from tests.support.tflite_files import open_shape


def test_hello_says_what_runs_models_here() -> None:
    (hello,) = talk("")
    assert isinstance(hello, Hello)
    assert hello.runtime in ("ai-edge-litert", "tflite-runtime")
    assert hello.device["cores"] == os.cpu_count()


def test_latency_keeps_every_sample(model_file: Path) -> None:
    result = ask(job(model_file, "latency"))
    assert isinstance(result, Result)
    assert len(result.samples_ns) == 20
    assert min(result.samples_ns) > 0
    assert (metrics(result)["timed_runs"].value, metrics(result)["sample_stride"].value) == (20, 1)
    assert metrics(result)["initialization_time"].unit == "ns"
    assert metrics(result)["first_inference"].value


def test_latency_goes_on_until_runs_and_seconds_are_there(model_file: Path) -> None:
    result = ask(job(model_file, "latency", runs=5, seconds=0.2))
    assert isinstance(result, Result)
    assert len(result.samples_ns) > 5
    assert sum(result.samples_ns) < 0.2e9 + max(result.samples_ns)


def test_the_warm_up_is_kept_inference_by_inference(model_file: Path) -> None:
    result = ask(job(model_file, "latency", warmup_runs=7))
    assert isinstance(result, Result)
    assert len(result.warmup_ns) == 7 == metrics(result)["warmup_runs"].value
    assert sum(result.warmup_ns) == metrics(result)["warmup_time"].value
    assert (result.starts_ns, result.traces) == ((), ())


def test_a_traced_trial_reports_when_each_inference_began(model_file: Path) -> None:
    wanted = job(model_file, "latency", runs=1, seconds=0.35, trace_seconds=0.1)
    _, *events, result = talk(contract.encode(wanted))
    assert isinstance(result, Result)
    ends = np.add(result.starts_ns, result.samples_ns)
    assert (np.array(result.starts_ns[1:]) >= ends[:-1]).all()
    assert ends[-1] >= 0.35e9 - max(result.samples_ns)
    # The first and the last reading stand at both ends; progress is told with each of them.
    done = [e.done for e in events if isinstance(e, Event) and e.phase == "measure"]
    assert done == sorted(done)
    assert (len(done) >= 4, done[-1]) == (True, 1.0)


def test_the_process_is_kept_to_the_cpus_asked_for(model_file: Path) -> None:
    here = sorted(os.sched_getaffinity(0))
    last = ask(job(model_file, "latency", cpus=(here[-1],)))
    anywhere = ask(job(model_file, "latency"))
    assert isinstance(last, Result)
    assert isinstance(anywhere, Result)
    assert last.conditions["cpus"] == [here[-1]]
    assert anywhere.conditions["cpus"] == here


@pytest.mark.parametrize("cpus", [(4000,), (0, 4000), (2**62,)])
def test_cpus_that_are_not_there(model_file: Path, cpus: tuple[int, ...]) -> None:
    error = ask(job(model_file, "latency", cpus=cpus))
    assert isinstance(error, Error)
    assert error.code == "cpus_unavailable"
    assert str(list(cpus)) in error.message


def test_latency_stops_at_its_limit_and_says_so(model_file: Path) -> None:
    result = ask(job(model_file, "latency", runs=10**9, max_seconds=0.1))
    assert isinstance(result, Result)
    assert "before the 1000000000 runs asked for" in result.warnings[0]


def test_the_delegate_is_on_by_default_and_can_be_left_out(model_file: Path) -> None:
    on = ask(job(model_file, "latency"))
    off = ask(job(model_file, "latency", xnnpack=False))
    assert isinstance(on, Result)
    assert isinstance(off, Result)
    assert on.delegation["delegated"] == on.delegation["nodes"] > 0
    assert off.delegation["delegated"] == 0
    assert sum(off.delegation["left"].values()) == off.delegation["nodes"]


def test_a_node_that_the_delegate_refused_is_named() -> None:
    result = ask(job(MODELS / "small_int8.tflite", "latency"))
    assert isinstance(result, Result)
    delegation = result.delegation
    assert delegation["delegated"] + sum(delegation["left"].values()) == delegation["nodes"]


def test_memory_is_what_the_model_adds(tmp_path: Path, model_file: Path) -> None:
    small = metrics(ask(job(model_file, "memory")))
    # The same model behind 30 MB of bytes that the runtime maps but never reads.
    padded = tmp_path / "padded.tflite"
    padded.write_bytes(model_file.read_bytes() + bytes(30_000_000))
    large = metrics(ask(job(padded, "memory")))
    for name in ("memory_pss", "memory_peak", "memory_anonymous", "memory_file"):
        assert small[name].unit == "B"
        assert small[name].value is not None
        assert 0 <= small[name].value < 20e6, name
        assert large[name].value == pytest.approx(small[name].value, abs=5e6), name
    assert small["memory_baseline_pss"].value > small["memory_pss"].value


@pytest.mark.parametrize("kind", ["latency", "memory"])
def test_a_truncated_model(model_file: Path, tmp_path: Path, kind: str) -> None:
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(model_file.read_bytes()[:2000])
    error = ask(job(cut, kind))
    assert isinstance(error, Error)
    assert error.code == "model_corrupt"


def test_a_missing_model(model_file: Path, tmp_path: Path) -> None:
    wanted = job(model_file, "latency")
    gone = Job(**{**vars(wanted), "model": str(tmp_path / "gone.tflite")})
    error = ask(gone)
    assert isinstance(error, Error)
    assert error.code == "model_missing"


def test_another_file_than_the_one_sent(model_file: Path) -> None:
    wanted = Job(**{**vars(job(model_file, "latency")), "model_sha256": "0" * 64})
    error = ask(wanted)
    assert isinstance(error, Error)
    assert error.code == "model_corrupt"
    assert "not the file that was sent" in error.message


@pytest.mark.parametrize(
    ("file", "code", "words"),
    [
        ("not_a_number.tflite", "output_nan", "holds NaN"),
        ("unsupported_operator.tflite", "model_unsupported", "Erfinv"),
    ],
)
def test_a_model_that_cannot_be_used(file: str, code: str, words: str) -> None:
    error = ask(job(MODELS / file, "latency"))
    assert isinstance(error, Error)
    assert error.code == code
    assert words in error.message


@pytest.mark.parametrize("kind", ["latency", "memory"])
@pytest.mark.parametrize("shape", [[1, -1, -1, 1], [-1, 8, -1, 1]])
def test_an_open_shape_is_not_measured(
    model_file: Path, tmp_path: Path, kind: str, shape: list[int]
) -> None:
    path = open_shape(tmp_path / "open.tflite", model_file.read_bytes(), shape)
    error = ask(job(path, kind))
    assert isinstance(error, Error)
    assert error.code == "open_shape"
    text = ", ".join("?" if n < 0 else str(n) for n in shape)
    assert f"has an open shape [{text}]; convert it with a fixed shape" in error.message


def test_an_open_batch_is_measured(model_file: Path, tmp_path: Path) -> None:
    path = open_shape(tmp_path / "open.tflite", model_file.read_bytes(), [-1, 8, 8, 1])
    assert isinstance(ask(job(path, "latency", seconds=0.0)), Result)


def test_an_accelerator_that_is_not_there(model_file: Path) -> None:
    error = ask(job(model_file, "latency", accelerator="npu"))
    assert isinstance(error, Error)
    assert error.code == "accelerator_unavailable"


@pytest.mark.parametrize(
    "line",
    [
        "rubbish\n",
        '{"type":"event","trial":"t","phase":"load"}\n',
        '{"type":"job","protocol":99,"trial":"t","kind":"latency","model":"m","model_sha256":""}\n',
    ],
)
def test_a_job_that_is_none(line: str) -> None:
    _, error = talk(line)
    assert isinstance(error, Error)
    assert error.code == "bad_job"


def test_without_a_runtime_it_says_what_to_install(tmp_path: Path) -> None:
    # A Python that has NumPy and no runtime: this one, with NumPy alone on its path.
    (tmp_path / "numpy").symlink_to(Path(np.__file__).parent)
    libraries = Path(np.__file__).parents[1] / "numpy.libs"
    if libraries.exists():
        (tmp_path / "numpy.libs").symlink_to(libraries)
    bare = getattr(sys, "_base_executable", sys.executable)
    hello, error = talk("", bare, {**os.environ, "PYTHONPATH": str(tmp_path)})
    assert isinstance(hello, Hello)
    assert hello.runtime == ""
    assert isinstance(error, Error)
    assert error.code == "runtime_missing"
    assert "pip install ai-edge-litert" in error.message


def test_without_numpy_it_says_what_to_install() -> None:
    bare = getattr(sys, "_base_executable", sys.executable)
    _, error = talk("", bare, {k: v for k, v in os.environ.items() if k != "PYTHONPATH"})
    assert isinstance(error, Error)
    assert error.code == "runtime_missing"


@pytest.mark.skipif(
    not os.environ.get("MOBILEBENCH_OLD_PYTHON"),
    reason="MOBILEBENCH_OLD_PYTHON names no Python 3.9 with tflite-runtime",
)
def test_on_an_old_board(model_file: Path) -> None:
    python = os.environ["MOBILEBENCH_OLD_PYTHON"]
    hello, *_, result = talk(contract.encode(job(model_file, "latency")), python)
    assert isinstance(hello, Hello)
    assert hello.runtime == "tflite-runtime"
    assert hello.device["python"].startswith("3.9.")
    assert isinstance(result, Result)
    assert len(result.samples_ns) == 20


def test_the_agent_needs_nothing_of_the_host() -> None:
    folder = Path(contract.__file__).parent
    assert not [file for file in folder.glob("*.py") if "mobilebench." in file.read_text("utf-8")]

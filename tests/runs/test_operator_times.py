"""Each operator of a file alone on a device: what it takes, and who runs it there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mobilebench.cli.main import main
from mobilebench.devices.base import (
    Cooldown,
    InvalidTrialError,
    OnEvent,
    OnWait,
    PreflightResult,
    TrialError,
)
from mobilebench.errors import InvalidRunError
from mobilebench.records.device import DeviceFacts
from mobilebench.records.operator_times import OperatorTimes
from mobilebench.records.runtime import Runtime
from mobilebench.runs.operator_times import operator_times
from mobilebench.tflite.graph import parse
from mobilebench.tflite.inspect.distinct import distinct_operators
from mobilebench_agent.contract import Job, Result

from tests.support.in_process import InProcessFiles
from tests.support.models import BASELINE, MODELS

CONTENT = BASELINE.read_bytes()


class Phone(InProcessFiles):
    """Takes a microsecond for each weight, and its accelerator takes some operators only.

    Attributes:
        takes: the operators that the accelerator runs.
        reports: whether what it took is reported of files with one operator.
        fails: an error by operator.
    """

    name = "phone"

    def __init__(self) -> None:
        super().__init__()
        self.takes = {"CONV_2D", "DEPTHWISE_CONV_2D"}
        self.reports = True
        self.fails: dict[str, TrialError] = {}
        self.jobs: list[Job] = []

    def probe(self) -> DeviceFacts:
        return DeviceFacts(self.name, "fake", "0", "a-runtime", "1", virtual=True)

    def preflight(self, cooldown: Cooldown, on_wait: OnWait) -> PreflightResult:  # noqa: ARG002
        return PreflightResult()

    def run(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:  # noqa: ARG002
        self.jobs.append(job)
        graph = parse(self.files[job.model].read_bytes(), "a file")
        kinds = [operator.kind for operator in graph.operators]
        if len(set(kinds)) == 1 and (error := self.fails.get(kinds[0])):
            raise error
        taken = sum(kind in self.takes for kind in kinds)
        if job.accelerator != "cpu" and not taken:
            raise TrialError("accelerator_unavailable", f"{job.accelerator} took nothing")
        delegation: dict[str, Any] = {}
        if self.reports or len(kinds) > 1:
            on = job.accelerator != "cpu" or job.xnnpack
            delegation = {"nodes": len(kinds), "delegated": taken if on else 0, "partitions": 1}
        weights = sum(t.count for o in graph.operators for t in o.inputs if t and t.content)
        return Result(
            job.trial, job.kind, samples_ns=(1000 * weights + 1,) * 3, delegation=delegation
        )


def timed(phone: Phone, folder: Path, **runtime: Any) -> OperatorTimes:
    chosen = Runtime(name="r", **runtime)
    return operator_times(phone, CONTENT, "small", chosen, folder)  # type: ignore[arg-type]


def by(times: OperatorTimes) -> dict[str, str]:
    return {row.operator.kind: row.by for row in times.rows}


def test_each_operator_has_its_time_and_its_share(tmp_path: Path) -> None:
    times = timed(Phone(), tmp_path)
    found = {row.operator.kind: row.median_ns for row in times.rows}
    assert found["CONV_2D"] == 40_001  # 36 weights and 4 biases
    assert found["FULLY_CONNECTED"] == 640_001
    assert sum(times.share(row) or 0 for row in times.rows) == pytest.approx(1)
    assert times.model_ns is not None
    assert times.virtual
    conv = next(row.operator for row in times.rows if row.operator.kind == "CONV_2D")
    assert conv.macs == 6 * 6 * 4 * 9
    assert conv.bytes == 4 * (64 + 36 + 4 + 6 * 6 * 4)
    assert conv.intensity == pytest.approx(conv.macs / conv.bytes)


def test_what_an_accelerator_leaves_is_timed_on_the_plain_kernels(tmp_path: Path) -> None:
    phone = Phone()
    times = timed(phone, tmp_path, accelerator="gpu")
    assert by(times) == {
        "CONV_2D": "gpu",
        "DEPTHWISE_CONV_2D": "gpu",
        "RESHAPE": "built-in kernels",
        "FULLY_CONNECTED": "built-in kernels",
        "SOFTMAX": "built-in kernels",
    }
    assert all(row.median_ns is not None for row in times.rows)
    plain = [job for job in phone.jobs if job.accelerator == "cpu"]
    assert len(plain) == 3
    assert not any(job.xnnpack for job in plain)  # which takes no part beside a GPU


def test_operators_are_kept_to_the_cpus_that_the_model_is_kept_to(tmp_path: Path) -> None:
    phone = Phone()
    timed(phone, tmp_path, accelerator="gpu", cpus="big")
    assert {job.cluster for job in phone.jobs} == {"big"}
    assert timed(Phone(), tmp_path, cpus=[1, 2]).runtime == "a-runtime 1, cpu on CPUs 1, 2"


@pytest.mark.parametrize("accelerator", ["cpu", "nnapi"])
def test_a_runtime_that_reports_nothing_of_one_node_is_asked_with_two(
    tmp_path: Path, accelerator: str
) -> None:
    phone = Phone()
    phone.reports = False
    delegate = "xnnpack" if accelerator == "cpu" else accelerator
    found = by(timed(phone, tmp_path, accelerator=accelerator))
    assert found["CONV_2D"] == delegate
    assert found["SOFTMAX"] == "built-in kernels"


def test_an_operator_that_does_not_run_is_said_and_the_others_go_on(tmp_path: Path) -> None:
    phone = Phone()
    phone.fails["SOFTMAX"] = TrialError("model_unsupported", "no kernel for SOFTMAX")
    times = timed(phone, tmp_path)
    rows = {row.operator.kind: row for row in times.rows}
    assert rows["SOFTMAX"].median_ns is None
    assert rows["SOFTMAX"].reason == "no kernel for SOFTMAX"
    assert times.share(rows["SOFTMAX"]) is None
    assert rows["CONV_2D"].median_ns is not None


@pytest.mark.parametrize(
    "error", [TrialError("link_lost", "unplugged"), InvalidTrialError("too_hot", "unplugged")]
)
def test_the_devices_own_failure_ends_the_profile(tmp_path: Path, error: TrialError) -> None:
    phone = Phone()
    phone.fails["CONV_2D"] = error
    with pytest.raises(InvalidRunError, match="device 'phone': unplugged"):
        timed(phone, tmp_path)


def test_operators_that_are_alike_are_one() -> None:
    (conv, *_) = distinct_operators(CONTENT, "small")
    assert (conv.kind, conv.count) == ("CONV_2D", 1)
    kinds = [o.kind for o in distinct_operators(CONTENT, "small")]
    assert len(kinds) == len(set(kinds)) == 5


def test_the_command_shows_them_and_writes_node_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = Phone()
    monkeypatch.setattr("mobilebench.runs.selection.open_device", lambda _spec: phone)
    command = ["inspect", str(BASELINE), "--time", "--device", "local", "--accelerator", "gpu"]
    file = tmp_path / "times.json"
    done = CliRunner().invoke(main, [*command, "--node-data", str(file)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "Run by gpu: 1 CONV_2D, 1 DEPTHWISE_CONV_2D." in done.output
    assert "Run by built-in kernels: 1 FULLY_CONNECTED, 1 RESHAPE, 1 SOFTMAX." in done.output
    results = json.loads(file.read_text("utf-8"))["results"]
    names = {o.outputs[0].name for o in parse(CONTENT, "small").operators}
    assert set(results) == names  # Model Explorer finds nodes by the tensors they give
    document = json.loads(CliRunner().invoke(main, [*command, "--json"]).stdout)
    assert {row["by"] for row in document["devices"][0]["operators"]} == {"gpu", "built-in kernels"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--device", "local"), "go with --debug-answers or --time"),
        (("--node-data", "x.json"), "give that, too"),
        (("--time", "--data", "random"), "--data goes with --debug-answers"),
        (("--time", "--device", "all", "--node-data", "x.json"), "of one device"),
        (("--time", str(MODELS / "small_int8.tflite")), "looks at one model"),
    ],
)
def test_what_does_not_go_together_is_refused(words: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(main, ["inspect", str(BASELINE), *words])
    assert done.exit_code == 2
    assert said in done.output

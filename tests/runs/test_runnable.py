"""What a runtime cannot run is refused before it is made, and only there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.devices.base import Cooldown, OnEvent, OnWait, PreflightResult, TrialError
from mobilebench.devices.local.device import LocalDevice
from mobilebench.records.device import DeviceFacts
from mobilebench.runs.run import exit_code, start
from mobilebench.runs.runnable import refusals
from mobilebench.runs.summaries import summary_of
from mobilebench.store.folder import RunFolder
from mobilebench.suite.schema import Suite
from mobilebench.tflite.graph import parse
from mobilebench_agent.contract import Job, Result

from tests.support.faulty_device import FLOAT32, FaultyDevice, operators
from tests.support.models import BASELINE, MODELS
from tests.support.watcher import Watcher

Fault = Callable[[bytes], TrialError | None]


class Phone(FaultyDevice):
    """A device that fails on some files, and counts what it is asked."""

    def __init__(self, folder: Path, fails: Fault = lambda _: None, **settings: Any) -> None:
        super().__init__(folder, **settings)
        self.fails = fails
        self.version = "1"
        self.jobs: list[Job] = []

    @property
    def asked(self) -> int:
        """How many jobs it was given."""
        return len(self.jobs)

    def probe(self) -> DeviceFacts:
        return DeviceFacts(self.name, "fake", "0", "a-runtime", self.version)

    def preflight(self, cooldown: Cooldown, on_wait: OnWait) -> PreflightResult:  # noqa: ARG002
        return PreflightResult()

    def run(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:
        self.jobs.append(job)
        if error := self.fails(self.files[job.model].read_bytes()):
            raise error
        return super().run(job, on_event, timeout_seconds)


def with_type(name: str, code: str = "model_unsupported") -> Fault:
    """Fails on files that hold tensors of a type."""

    def fails(content: bytes) -> TrialError | None:
        graph = parse(content, "a file")
        types = {t.type for o in graph.operators for t in o.inputs if t is not None}
        reason = f"a-runtime 1 cannot run the model: no type {name}"
        return TrialError(code, reason) if name in types else None

    return fails


def suite(*recipes: str, devices: int = 1, source: str = "zoo:lenet-5", cpus: Any = None) -> Suite:
    return Suite.model_validate(
        {
            "models": [{"name": "m", "source": source, "recipes": list(recipes)}],
            # Another interpreter than the host's own: its runtime is unknown.
            "devices": [
                {"name": f"phone-{n}", "kind": "local", "python": "/x"} for n in range(devices)
            ],
            "runtimes": [{"name": "cpu-1", "cpus": cpus or []}],
            "protocol": {"blocks": 1, "runs": 3, "seconds": 0.0, "warmup_seconds": 0.0},
        }
    )


def reasons(phone: Phone, cache: Path, *recipes: str) -> dict[str, str]:
    found = refusals(suite(*recipes), [phone], [phone.probe()], cache)
    return {refusal.recipe: refusal.reason for refusal in found}


def test_what_a_runtime_runs_is_refused_nowhere(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    assert reasons(phone, tmp_path, "float32", "dynamic_int8", "prune(0.5)", "int8") == {}
    assert phone.asked == 2  # all kinds of layers in one file, and nothing of float32


def test_a_missing_type_is_named_with_the_nearest_recipe(tmp_path: Path) -> None:
    phone = Phone(tmp_path, with_type("INT4"))
    recipe = "prune(0.5) → int8(weight_bits=4)"
    assert reasons(phone, tmp_path, "float32", recipe, "int8") == {
        recipe: "a-runtime 1 cannot run CONV_2D, version 1, of prune(0.5) → int8(weight_bits=4) "
        "(no type INT4); the nearest recipe that it runs is prune(0.5) → int8"
    }


def test_answers_are_kept_for_each_version_of_a_runtime(tmp_path: Path) -> None:
    phone = Phone(tmp_path, with_type("INT4"))
    found = reasons(phone, tmp_path, "weight_only_int4")
    asked = phone.asked
    assert reasons(phone, tmp_path, "weight_only_int4") == found
    assert phone.asked == asked
    phone.version = "2"
    reasons(phone, tmp_path, "weight_only_int4")
    assert phone.asked == 2 * asked


def test_a_runtime_is_asked_on_its_cpus_and_its_answer_is_kept_for_them(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    for cpus in (None, "big", [4, 5], [4, 5]):
        refusals(suite("int8", cpus=cpus), [phone], [phone.probe()], tmp_path)
    assert [(job.cluster, job.cpus) for job in phone.jobs] == [("", ()), ("big", ()), ("", (4, 5))]


def test_wrong_answers_are_refused_and_their_layer_is_named(tmp_path: Path) -> None:
    def other_weights(model: Any) -> None:
        for operator in operators(model, "FULLY_CONNECTED"):
            tensor = model.subgraphs[0].tensors[operator.inputs[1]]
            if tensor.type == FLOAT32:
                continue
            buffer = model.buffers[tensor.buffer]
            buffer.data = np.roll(np.array(buffer.data), 7)

    phone = Phone(tmp_path, fault=other_weights)
    (why,) = reasons(phone, tmp_path, "dynamic_int8").values()
    assert why.startswith("a-runtime 1 gives wrong answers for FULLY_CONNECTED, version 9, of")
    assert "parity" in why
    assert phone.asked > 1  # and nearer recipes were looked for


@pytest.mark.skipif(
    not os.environ.get("MOBILEBENCH_OLD_PYTHON"),
    reason="MOBILEBENCH_OLD_PYTHON names no Python 3.9 with tflite-runtime",
)
def test_an_old_board_is_refused_what_its_runtime_computes_wrongly(tmp_path: Path) -> None:
    board = LocalDevice("board", os.environ["MOBILEBENCH_OLD_PYTHON"], tmp_path)
    wanted = suite("float32", "dynamic_int8", "dynamic_int4", source="zoo:lenet-5")
    found = refusals(wanted, [board], [board.probe()], tmp_path)
    why = {refusal.recipe: refusal.reason for refusal in found}
    assert sorted(why) == ["dynamic_int4", "dynamic_int8"]
    dense, convolution = why["dynamic_int8"], why["dynamic_int4"]
    assert "gives wrong answers for FULLY_CONNECTED, version 9, of dynamic_int8" in dense
    assert dense.endswith("the nearest recipe that it runs is weight_only_int8")
    assert "cannot run CONV_2D" in convolution
    assert "holds NaN or infinity" in convolution


@pytest.mark.skipif(
    not os.environ.get("MOBILEBENCH_OLD_PYTHON"),
    reason="MOBILEBENCH_OLD_PYTHON names no Python 3.9 with tflite-runtime",
)
def test_an_old_board_is_refused_loops_that_its_runtime_computes_wrongly(tmp_path: Path) -> None:
    board = LocalDevice("board", os.environ["MOBILEBENCH_OLD_PYTHON"], tmp_path)
    wanted = suite("float16", "int8", source=str(MODELS / "recurrent.tflite"))
    (refusal,) = refusals(wanted, [board], [board.probe()], tmp_path)
    assert refusal.recipe == "int8"
    wrong = "gives wrong answers for FULLY_CONNECTED in a loop, version 9, of int8"
    assert wrong in refusal.reason
    assert refusal.reason.endswith("the nearest recipe that it runs is weight_only_int8")


@pytest.mark.parametrize("code", ["agent_died", "app_crashed"])
def test_a_death_counts_when_it_happens_again(tmp_path: Path, code: str) -> None:
    once = [TrialError(code, "it was killed")]
    phone = Phone(tmp_path, lambda _: once.pop() if once else None)
    assert reasons(phone, tmp_path, "int8") == {}
    phone = Phone(tmp_path, with_type("INT4", code))
    (why,) = reasons(phone, tmp_path, "dynamic_int4").values()
    assert why.startswith("a-runtime 1 dies of CONV_2D")


def test_what_is_wrong_today_refuses_nothing_and_is_not_kept(tmp_path: Path) -> None:
    phone = Phone(tmp_path, with_type("INT8", "link_lost"))
    assert reasons(phone, tmp_path, "int8") == {}
    asked = phone.asked
    phone.fails = with_type("INT8")
    assert "int8" in reasons(phone, tmp_path, "int8")
    assert phone.asked > asked


def test_a_run_measures_it_where_it_runs_and_says_where_it_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_hybrid(content: bytes) -> TrialError | None:
        graph = parse(content, "a file")
        for operator in graph.operators:
            types = [t.type for t in operator.inputs if t is not None]
            if operator.kind == "FULLY_CONNECTED" and types[:2] == ["FLOAT32", "INT8"]:
                return TrialError("model_unsupported", "no hybrid kernels")
        return None

    phones = {
        "phone-0": Phone(tmp_path, lambda c: no_hybrid(c) or with_type("INT4")(c), name="phone-0"),
        "phone-1": Phone(tmp_path, with_type("INT4"), name="phone-1"),
    }
    phones["phone-1"].version = "2"
    monkeypatch.setattr("mobilebench.runs.run.open_device", lambda spec: phones[spec.name])
    asked = suite("float32", "dynamic_int8", "weight_only_int4", devices=2, source=str(BASELINE))
    folder = start(asked, tmp_path / "results", ["test"], Watcher())
    run, trials = folder.run(), RunFolder.open(folder.path).trials()
    assert {a.recipe for a in run.artifacts} == {"float32", "dynamic_int8"}
    assert [f.recipe for f in run.failures] == ["weight_only_int4"]
    assert {(r.device, r.recipe) for r in run.refusals} == {
        ("phone-0", "dynamic_int8"),
        ("phone-0", "weight_only_int4"),
        ("phone-1", "weight_only_int4"),
    }
    measured = {(t.device, t.recipe) for t in trials if t.state == "valid"}
    assert measured == {
        ("phone-0", "float32"),
        ("phone-1", "float32"),
        ("phone-1", "dynamic_int8"),
    }
    assert exit_code(folder) == 1
    first, _ = summary_of(folder).comparisons
    why = {v.recipe: v.failure for v in first.variants}
    assert why["dynamic_int8"].startswith("not measured: a-runtime 1 cannot run FULLY_CONNECTED")
    assert "the nearest recipe that it runs is weight_only_int8" in why["dynamic_int8"]
    assert why["weight_only_int4"].startswith("not measured: a-runtime 1 cannot run")

"""Whatever an agent sends is a message or a refusal, and what is taken can be kept and read."""

from __future__ import annotations

import json
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from mobilebench.api import open_run
from mobilebench.devices.agent.conversation import _checked
from mobilebench.devices.base import OnEvent, TrialError
from mobilebench.records import conditions
from mobilebench.records.protocol import MeasuringProtocol
from mobilebench.records.run import read_run
from mobilebench.records.runtime import Runtime
from mobilebench.records.trial import Trial, TrialConditions
from mobilebench.report import write
from mobilebench.runs.plan import PlannedVariant, make_plan
from mobilebench.runs.session import Payload, run_session
from mobilebench.store.folder import RunFolder
from mobilebench_agent import contract
from mobilebench_agent.contract import Job, Result

from tests.support.fuzz import corpus, fuzz, kept
from tests.support.mutate import mutated_bytes, mutated_document
from tests.support.run_records import run_of
from tests.support.scripted_device import ScriptedDevice

LINES = (Path(__file__).parents[1] / "contract" / "valid.jsonl").read_text("utf-8").splitlines()
GOOD = [json.loads(line) for line in LINES]
RESULTS = {m["kind"]: m for m in GOOD if m["type"] == "result" and m["kind"] != "outputs"}
ARTIFACT = "a" * 64
RECIPES = ("float32", "int8")


def mutated(message: Any, random: Random) -> bytes:
    if random.random() < 0.4:
        return mutated_bytes(json.dumps(message).encode(), random)
    return as_line(mutated_document(message, random))


def as_line(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")


def read(line: bytes) -> None:
    try:
        message = contract.decode(line)
    except contract.ContractError as error:
        ensure_sentence(str(error))
    else:
        assert contract.decode(contract.encode(message)) == message
        if isinstance(message, contract.Hello):
            keep_device(message)
        if isinstance(message, Result):
            conditions.describe(message.metrics, TrialConditions.reported(message.conditions))


def ensure_sentence(text: str) -> None:
    assert len(text) < 300
    text.encode()


def keep_device(hello: contract.Hello) -> None:
    """What an agent says of its device can be written with a run, and read again."""
    device = {
        "name": "d", "kind": "local", "agent": hello.agent, "runtime": hello.runtime,
        "runtime_version": hello.runtime_version, "info": hello.device,
    }  # fmt: skip
    text = json.dumps(run_of(devices=[device]).document(), ensure_ascii=False)
    assert read_run(json.loads(text.encode()), "run.json").devices[0].info == hello.device


@pytest.mark.parametrize("path", corpus("messages"), ids=lambda path: path.stem)
def test_messages_that_once_broke_something(path: Path) -> None:
    read(path.read_bytes())


@fuzz(1000)
def test_any_message_is_one_or_is_refused(number: int) -> None:
    random = Random(number)
    line = mutated(random.choice(GOOD), random)
    with kept(line, ".json"):
        read(line)


class Mutating(ScriptedDevice):
    """A device whose agent reports what the protocol allows, and nothing that can be so."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.random = random

    def run(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:  # noqa: ARG002
        for _ in range(1000):
            line = as_line(mutated_document(RESULTS[job.kind], self.random))
            try:
                message = contract.decode(line)
                if isinstance(message, Result) and message.kind == job.kind:
                    return _checked(replace(message, trial=job.trial), job)
            except (contract.ContractError, TrialError):
                continue
        raise AssertionError("no mutation is a message")


def measured_with(device: ScriptedDevice, folder: Path) -> tuple[RunFolder, list[Trial]]:
    """A run of two variants on a device, and the records that its session reported."""
    variants = [PlannedVariant("m", recipe) for recipe in RECIPES]
    plan = [
        trial
        for trial in make_plan("r", "local", variants, ["cpu-1"], 4, 0, energy=True)
        if trial.kind in RESULTS
    ]
    artifacts = [
        {"model": "m", "recipe": recipe, "sha256": ARTIFACT, "sizes": {"file": 10}}
        for recipe in RECIPES
    ]
    run = run_of(
        models=[{"name": "m", "source": "m.tflite", "baseline": RECIPES[0]}],
        artifacts=artifacts,
        plan=[vars(trial) for trial in plan],
        state="finished",
    )
    made = RunFolder.create(folder / "run", run)
    model = folder / "m.tflite"
    model.write_bytes(b"")
    records: list[Trial] = []
    run_session(
        made, device, plan, {("m", recipe): Payload(model, ARTIFACT) for recipe in RECIPES},
        {"cpu-1": Runtime(name="cpu-1")}, MeasuringProtocol(), 0, lambda _: None, lambda _: None,
        records.append, threading.Event(),
    )  # fmt: skip
    return made, records


def as_read(trial: Trial) -> str:
    """A trial without the last digit of numbers that have more than a float can hold."""
    return json.dumps(
        json.loads(json.dumps(vars(trial), default=vars), parse_int=float), sort_keys=True
    )


@fuzz(6)
def test_whatever_agents_report_is_kept_as_it_is_and_can_be_reported(number: int) -> None:
    with tempfile.TemporaryDirectory() as home:
        folder, records = measured_with(Mutating(Random(number)), Path(home))
        assert list(map(as_read, folder.attempts())) == list(map(as_read, records))
        folder.fold_samples()
        run = open_run(folder.path)
        run.trials()
        run.samples()
        write.build(folder)

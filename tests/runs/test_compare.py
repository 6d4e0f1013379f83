"""Stored runs beside each other, and what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mobilebench.cli.main import main
from mobilebench.errors import BadInputError
from mobilebench.runs import pair
from mobilebench.runs import run as runs
from mobilebench.runs.compare import compare
from mobilebench.store.folder import MANIFEST

from tests.support.models import MODELS
from tests.support.scripted_device import Open, ScriptedDevice

Measure = Callable[[float], Path]


@pytest.fixture
def measure(tmp_path: Path, on: Open) -> Measure:
    def run(factor: float) -> Path:
        device = on(ScriptedDevice(lambda _, n: factor + 1e-4 * n))
        device.info = {"model": "A"}
        suite = pair.suite_of_files(MODELS / "small.tflite", MODELS / "small_int8.tflite")
        return runs.start(suite, tmp_path / "results", ["t"], runs.Quiet()).path

    return run


def changed(run: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A copy of a run whose ``run.json`` says something else."""
    copy = run.with_name(f"{run.name}-copy-{len(list(run.parent.iterdir()))}")
    shutil.copytree(run, copy)
    document = json.loads((copy / MANIFEST).read_text())
    change(document)
    document["name"] = copy.name
    (copy / MANIFEST).write_text(json.dumps(document))
    return copy


def test_runs_beside_each_other(measure: Measure) -> None:
    first, same, slow = measure(1.0), measure(1.0), measure(1.5)
    found = compare([first, same, slow])
    assert len(found.runs) == 3
    assert {row.recipe for row in found.rows} == {"baseline", "candidate"}
    assert not found.refusals
    for row in found.rows:
        base, again, slower = row.entries
        assert base.change.value is None
        assert "no difference beyond the intervals" in again.note
        assert again.change.interval.holds(0)
        assert "the same file" in again.note
        assert slower.change.value == pytest.approx(0.5, abs=0.01)
        assert 0 < slower.change.interval.low <= slower.change.interval.high
        assert slower.note.endswith("slower")
    assert compare([slow, first]).rows[0].entries[1].note.endswith("faster")
    done = CliRunner().invoke(main, ["compare", str(first), str(slow)])
    assert done.exit_code == 0, done.output
    assert "+50" in done.output
    assert "Advice only" in done.output
    done = CliRunner().invoke(main, ["compare", str(first), str(slow), "--json"])
    assert len(json.loads(done.stdout)["rows"]) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m["devices"][0].update(kind="android"), "another kind of device (android, not"),
        (lambda m: m["devices"][0].update(runtime_version="2"), "another runtime version (2, not"),
        (lambda m: m["devices"][0].update(virtual=True), "another virtual or real device"),
        (lambda m: m["devices"][0]["info"].update(model="B"), "another phone model (B, not A)"),
        (lambda m: m["runtimes"][0].update(threads=4), "another runtime's threads (4, not 1)"),
        (lambda m: m["suite"]["protocol"].update(runs=7), "another protocol's runs (7, not 50)"),
    ],
)
def test_what_is_not_comparable_is_refused(
    measure: Measure, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    first = measure(1.0)
    other = changed(first, change)
    with pytest.raises(BadInputError, match="nothing can be compared") as error:
        compare([first, other])
    assert words in str(error.value)
    # One that can be compared is, and the other is still told of.
    found = compare([first, other, first])
    assert [len(row.entries) for row in found.rows] == [2, 2]
    assert {words in refusal.reason for refusal in found.refusals} == {True}


def test_more_blocks_are_no_other_protocol(measure: Measure) -> None:
    first = measure(1.0)
    other = changed(first, lambda m: m["suite"]["protocol"].update(blocks=99))
    assert compare([first, other]).rows


def test_another_model(measure: Measure) -> None:
    first = measure(1.0)
    other = changed(first, lambda m: m.update(devices=m["devices"]))
    trials = other / "trials.jsonl"
    trials.write_text(trials.read_text().replace('"model":"small"', '"model":"large"'))
    document = (other / MANIFEST).read_text()
    (other / MANIFEST).write_text(
        document.replace('"model": "small"', '"model": "large"').replace(
            '"name": "small"', '"name": "large"'
        )
    )
    with pytest.raises(BadInputError, match="has no model 'small' there, only large"):
        compare([first, other])


def test_bad_input(measure: Measure, tmp_path: Path) -> None:
    first = measure(1.0)
    for arguments, words in (
        ([str(first)], "at least two runs"),
        ([str(first), str(tmp_path)], "no results folder"),
    ):
        done = CliRunner().invoke(main, ["compare", *arguments])
        assert done.exit_code == 2
        assert words in done.stderr

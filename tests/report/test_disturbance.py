"""Reports of runs whose latency others' load disturbed."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mobilebench import report
from mobilebench.analysis.disturbance import Load, load
from mobilebench.analysis.summary import Comparison, Summary
from mobilebench.records.conditions import describe
from mobilebench.records.trial import TrialConditions
from mobilebench.runs import history
from mobilebench.runs.compare import compare
from mobilebench.runs.summaries import summary_of
from mobilebench.store.folder import SAMPLES, TRIALS, RunFolder
from mobilebench_agent.contract import Metric
from rich.console import Console

from tests.support.synthetic_run import build_run

TRIAL = SimpleNamespace(block=0, recipe="")
CLAIM = "no speed-up, ranking or verdict is drawn from"


def disturb(folder: RunFolder, busy: Any) -> RunFolder:
    """The same run, with others keeping ``busy(trial)`` of two CPUs busy in its latency trials."""
    records = folder.attempts()
    (folder.path / TRIALS).unlink()
    for record in records:
        cpus = busy(record) if record.kind == "latency" else 0.0
        load = () if cpus is None else (Metric("cpu_load_other", "CPUs", "made up", cpus, 0.01),)
        metrics = (*record.metrics, *load)
        folder.append(replace(record, metrics=metrics, conditions=TrialConditions((0, 1))))
    return folder


def named(comparison: Comparison) -> dict[str, Any]:
    return {v.recipe: v for v in comparison.variants}


def terminal(summary: Summary) -> str:
    console = Console(width=120, file=io.StringIO(), record=True)
    console.print(report.terminal(summary))
    return console.export_text()


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return build_run(tmp_path / "runs" / "20261124T225900Z-synthetic")


def test_nothing_is_concluded_where_all_is_disturbed(run: RunFolder) -> None:
    disturb(run, lambda _: 1.9)
    summary = summary_of(run)
    (said,) = summary.disturbed
    assert said.startswith("Disturbed by load: in ")
    assert "other processes kept 1.9 of 2 CPUs busy. Latency is shown, but" in said
    for comparison in summary.comparisons:
        topics = {advice.topic for advice in comparison.advice}
        assert not topics & {"Fastest", "Best trade-offs"}
        assert "run again on a quiet machine" in comparison.advice[0].text
        for variant in comparison.variants:
            assert variant["latency"].value or variant.failure
            assert variant.changes["latency"].value is None
            assert not variant.best_tradeoff
            if not variant.is_baseline:
                assert variant.changes["latency"].reason.startswith(
                    ("disturbed by", "the baseline was")
                )
            if variant.failure:
                continue
            trials = variant.load.trials
            assert variant.findings[0].text.startswith(
                f"Disturbed by load: in {trials} of {trials}"
            )
            told = " ".join(map(str, variant.findings))
            assert "heat, frequency" not in told
            assert "clock rates" not in told
    report.build(run)
    page, text = ((run.path / name).read_text("utf-8") for name in ("report.html", "report.md"))
    shown = " ".join(terminal(summary).split())
    assert shown.startswith("! Disturbed by load")
    assert page.index(CLAIM) < page.index("What to ship")
    assert text.index("Disturbed by load") < text.index("What to ship")
    assert "Speed-up" not in text
    assert json.dumps(report.document(summary)["warnings"][0]).find(CLAIM) > 0


def test_one_disturbed_variant_is_left_out_of_the_ranking(run: RunFolder) -> None:
    disturb(run, lambda r: 1.9 if (r.model, r.recipe) == ("digits", "distill → int8") else 0.1)
    summary = summary_of(run)
    digits, mobilenet = summary.comparisons
    assert summary.disturbed[0].endswith(
        f"{CLAIM} that of digits · distill → int8; run again on a quiet machine."
    )
    assert named(digits)["distill → int8"].changes["latency"].value is None
    assert named(digits)["int8"].changes["latency"].value
    fastest = next(a.text for a in digits.advice if a.topic == "Fastest")
    assert fastest.startswith("student: ")
    assert "Left out, because load disturbed its latency: distill → int8." in fastest
    assert any(advice.topic == "Fastest" for advice in mobilenet.advice)


def test_a_disturbed_baseline_has_no_variant_beside_it(run: RunFolder) -> None:
    disturb(run, lambda r: 1.9 if (r.model, r.recipe) == ("digits", "float32") else 0.1)
    digits, mobilenet = summary_of(run).comparisons
    assert all(v.changes["latency"].value is None for v in digits.variants)
    assert (
        named(digits)["int8"]
        .changes["latency"]
        .reason.startswith("the baseline was disturbed by load: ")
    )
    assert named(mobilenet)["int8"].changes["latency"].value


@pytest.mark.parametrize(
    "busy",
    # One variant has a failed trial, and so only five others.
    [lambda r: 1.9 if r.block == 3 and r.recipe != "dynamic_int8" else 0.1, lambda _: None],
)
def test_one_trial_of_six_withholds_nothing(tmp_path: Path, busy: Any) -> None:
    quiet = summary_of(build_run(tmp_path / "quiet"))
    found = summary_of(disturb(build_run(tmp_path / "run"), busy))
    # It is said all the same, where a device reports load at all.
    (banner,) = found.disturbed or ("",)
    assert banner.startswith("Measured under load: in ") == (busy(TRIAL) is not None)
    assert [c.advice for c in found.comparisons] == [c.advice for c in quiet.comparisons]


def test_stored_runs_are_not_set_beside_a_disturbed_one(run: RunFolder, tmp_path: Path) -> None:
    second = build_run(tmp_path / "runs" / "20261125T225900Z-synthetic", run="20261125T225900Z")
    disturb(second, lambda _: 1.9)
    for folder in (run, second):
        report.build(folder)
    found = compare([run.path, second.path])
    other = found.rows[0].entries[1]
    assert other.change.value is None
    assert "disturbed by load: no difference is claimed" in other.note
    told = history.history([run.path, second.path])
    assert all(len(series.points) == 1 for series in told.series)
    reasons = {r.reason for r in told.refusals if not r.reason.startswith("no latency")}
    assert reasons == {"load disturbed its latency"}
    sizes = history.history([run.path, second.path], "size")
    assert all(len(series.points) == 2 for series in sizes.series)


def marked(folder: RunFolder, share: float) -> RunFolder:
    """The same run, with others having interrupted a share of all timed inferences."""
    parts = dict(folder.attempt_timings())
    (folder.path / SAMPLES).unlink()
    rng = np.random.default_rng(1)
    for name, times in parts.items():
        hit = rng.random(times.samples.size) < share
        # One that is interrupted takes 4 ms longer, of which none is its own.
        walls = times.samples + 4_000_000 * hit
        folder._write_part(name, replace(times, samples=walls, cpu=times.samples, switches=1 * hit))
    folder.fold_samples()
    return folder


def test_latency_is_that_of_the_inferences_left_alone(tmp_path: Path) -> None:
    quiet = summary_of(build_run(tmp_path / "quiet"))
    few = summary_of(disturb(marked(build_run(tmp_path / "few"), 0.01), lambda _: 1.0))
    many = summary_of(disturb(marked(build_run(tmp_path / "many"), 0.7), lambda _: 1.9))
    for key, variant in quiet.rows.items():
        if variant["latency"].value is None:
            continue
        latency = variant["latency"].value
        # An inference in a hundred moves no median by much.
        assert few.rows[key]["latency"].value == pytest.approx(latency, rel=0.01)
        assert many.rows[key]["latency"].value == pytest.approx(latency, rel=0.01)
        assert many.rows[key]["cpu_time"].value == pytest.approx(latency, rel=0.01)
        assert (few.rows[key].load.left_out, many.rows[key].load.disturbed) == (0, 0)
        assert many.rows[key].load.left_out == many.rows[key].load.loaded > 0
        assert many.rows[key].changes["latency"].value or key.recipe == "float32"
    (said,) = few.disturbed
    assert said.endswith("Latency is that of all inferences, since so few were interrupted.")
    (said,) = many.disturbed
    assert said.startswith("Measured under load: in ")
    assert "kept 1.9 of 2 CPUs busy and interrupted 70 % of the inferences." in said
    assert said.endswith("Latency is that of the inferences that nobody interrupted.")
    assert said in terminal(many).replace("\n", " ").replace("  ", " ")


def test_nothing_is_concluded_where_too_few_were_left_alone(tmp_path: Path) -> None:
    found = summary_of(marked(build_run(tmp_path / "run"), 1.0))
    (said,) = found.disturbed
    assert said.startswith("Disturbed by load: in ")
    assert "other processes interrupted 100 % of the inferences. Latency is shown" in said
    assert all(v.changes["latency"].value is None for v in found.rows.values())


def test_loads() -> None:
    def trial(other: float, stolen: float = 0.0) -> Any:
        told = {"cpu_load_other": other, "cpu_load_stolen": stolen}
        metrics = [Metric(name, "CPUs", "made up", value) for name, value in told.items()]
        return describe(metrics, TrialConditions((0, 1)))

    def interrupted(share: float, *, unharmed: bool) -> Any:
        return replace(trial(1.0), interrupted=share, left_out=unharmed, unharmed=unharmed)

    survived = load([interrupted(0.3, unharmed=True)] * 6)
    assert (survived.loaded, survived.disturbed, survived.withholds) == (6, 0, False)
    assert load([interrupted(1.0, unharmed=False)] * 6).withholds
    assert load([]) == Load()
    assert not load([]).withholds
    assert not load([describe([], TrialConditions())] * 6).withholds
    two_of_ten = load([trial(1.0)] * 2 + [trial(0.0)] * 8)
    assert (two_of_ten.disturbed, two_of_ten.withholds) == (2, True)
    assert not load([trial(1.0)] * 2 + [trial(0.0)] * 9).withholds
    assert load([trial(0.1, 1.2)]).in_words("latency") == (
        "in 1 of 1 latency trials other guests of its host kept 1.3 of 2 CPUs busy"
    )

"""Stored runs through the library: handles, frames, reports, comparisons, history."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import mobilebench as mb
import numpy as np
import pandas as pd
import pytest
from mobilebench.store.folder import RunFolder

RUNS = Path(__file__).parents[1] / "golden" / "runs"
KEY = ["model", "recipe", "device", "runtime"]


def stored(name: str, tmp_path: Path) -> mb.Run:
    return mb.open_run(shutil.copytree(RUNS / name, tmp_path / Path(name).name))


def test_a_handle_of_a_stored_run(tmp_path: Path) -> None:
    run = stored("phones", tmp_path)
    assert run.path == tmp_path / "phones" == Path(run)
    assert run.state == "finished"
    assert run.verdict is None
    assert any("emulator" in warning or "virtual" in warning for warning in run.warnings)
    assert str(run.path) in repr(run)


def test_no_run_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(mb.BadInputError, match="no results folder"):
        mb.open_run(tmp_path)


def test_a_summary_has_a_row_for_each_key(tmp_path: Path) -> None:
    run = stored("phones", tmp_path)
    table = run.summary()
    assert not table.duplicated(KEY).any()
    run.report()
    with (run.path / "summary.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["recipe"] for row in rows] == list(table["recipe"])
    assert list(table.columns) == list(rows[0])
    missing = table[table["energy_per_inference_joules"].isna()]
    assert len(missing)
    assert missing["energy_per_inference_joules_reason"].str.len().min() > 0


def test_a_notebook_shows_readable_tables(tmp_path: Path) -> None:
    run = stored("measured", tmp_path)
    page = run.summary()._repr_html_()
    assert page.count("<table>") == len(run.summarise().comparisons)
    assert "µs" in page or "ms" in page
    assert "latency_p99_ns_reason" not in page
    assert page.strip() in run._repr_html_().strip()
    # What is made of the table is shown as pandas shows it.
    assert "latency_ns" in run.summary()[["model", "latency_ns"]]._repr_html_()  # type: ignore[operator]


def test_a_notebook_is_not_given_tags_of_others(tmp_path: Path) -> None:
    run = stored("measured", tmp_path)
    manifest = json.loads((run.path / "run.json").read_text("utf-8"))
    manifest["suite"]["name"] = "<script>alert(1)</script>"
    (run.path / "run.json").write_text(json.dumps(manifest))
    assert "<script>" not in run._repr_html_()
    assert "&lt;script&gt;" in run._repr_html_()


def test_trials_are_rows_of_every_attempt(tmp_path: Path) -> None:
    run = stored("phones", tmp_path)
    table, attempts = run.trials(), RunFolder.open(run.path).attempts()
    named = table.groupby(["trial", "attempt"], sort=False)
    assert named.ngroups == len(attempts)
    assert not table.duplicated(["trial", "attempt", "metric"]).any()
    assert table.groupby("trial")["last_attempt"].any().all()
    repeated = {a.trial for a in attempts if a.attempt > 1}
    assert repeated
    assert not table[(table["attempt"] == 1) & table["trial"].isin(repeated)]["last_attempt"].any()
    failed = table[table["state"] == "failed"]
    assert len(failed)
    assert (failed["reason"] != "").all()
    # Each metric as it was reported, with its unit; a missing one has a reason.
    peak = table[table["metric"] == "memory_peak"]
    assert set(peak["unit"]) == {"B"}
    told = [m.value for a in attempts for m in a.metrics if m.name == "memory_peak"]
    assert list(peak["value"]) == told
    assert (table[table["metric"].notna() & table["value"].isna()]["unavailable"] != "").all()


def test_the_latency_of_an_attempt_is_the_median_of_its_samples(tmp_path: Path) -> None:
    run = stored("measured", tmp_path)
    table = run.trials()
    latency = table[(table["metric"] == "latency") & table["last_attempt"]]
    medians = run.samples().groupby("trial", observed=True)["nanoseconds"].median()
    assert len(latency) == len(medians)
    assert np.allclose(latency.set_index("trial")["value"], medians[list(latency["trial"])])


def test_samples_are_rows_of_inferences(tmp_path: Path) -> None:
    run = stored("measured", tmp_path)
    table = run.samples()
    assert list(table.columns) == ["trial", *KEY, "index", "nanoseconds"]
    assert len(table) == run.sample_count > 0
    assert (table["index"] >= 0).all()
    per_row = table.memory_usage(index=False, deep=False).sum() / len(table)
    assert per_row < 24
    raw = dict(RunFolder.open(run.path).samples())
    for trial, rows in table.groupby("trial", observed=True):
        assert np.array_equal(rows["nanoseconds"], raw[str(trial)])
        assert np.array_equal(rows["index"], np.arange(len(rows)))


def test_samples_of_a_repeated_or_invalid_trial_are_those_that_count(tmp_path: Path) -> None:
    run = stored("phones", tmp_path)
    valid = {t.trial for t in RunFolder.open(run.path).trials() if t.state == "valid"}
    table = run.samples()
    assert len(table) == run.sample_count
    assert set(table["trial"].cat.categories) <= valid


def test_chunks_are_the_same_rows(tmp_path: Path) -> None:
    run = stored("measured", tmp_path)
    parts = list(run.sample_chunks(rows=run.sample_count // 4))
    assert 2 <= len(parts) <= 5
    assert all(len(part) for part in parts)
    whole = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(whole, run.samples())
    assert str(whole["model"].dtype) == "category"
    trials = [set(part["trial"].astype(str)) for part in parts]
    assert sum(map(len, trials)) == len(set.union(*trials))


def test_a_run_without_samples_is_an_empty_table(tmp_path: Path) -> None:
    run = stored("measured", tmp_path)
    (run.path / "samples.parquet").unlink()
    (run.path / "trials.jsonl").unlink()
    assert run.samples().empty
    assert "nanoseconds" in run.samples().columns
    assert run.sample_count == 0
    assert run.trials().empty
    assert "metric" in run.trials().columns


def test_a_handle_notices_what_changed(tmp_path: Path) -> None:
    run = stored("measured", tmp_path)
    before = run.summarise()
    assert run.summarise() is before
    lines = (run.path / "trials.jsonl").read_text("utf-8").splitlines(keepends=True)
    (run.path / "trials.jsonl").write_text("".join(lines[:-5]))
    assert run.summarise().valid_trials < before.valid_trials


@pytest.mark.parametrize(("name", "verdict"), [("gate-fail", "FAIL"), ("gate-pass", "PASS")])
def test_a_gates_run_has_its_verdict(tmp_path: Path, name: str, verdict: str) -> None:
    run = stored(name, tmp_path)
    assert run.verdict == verdict
    assert f"<b>{verdict}</b>" in run._repr_html_()
    page = run.report()
    assert page == run.path / "report.html"
    assert verdict in page.read_text("utf-8")


def test_a_gate_judged_again(tmp_path: Path) -> None:
    run = stored("gate-fail", tmp_path)
    shutil.rmtree(run.path / "artifacts", ignore_errors=True)
    (run.path / "artifacts").mkdir()
    from mobilebench.runs import gate

    result = gate.judge(RunFolder.open(run.path))
    assert not result.passed
    page = result._repr_html_()
    assert "<b>FAIL</b>" in page
    assert page.count("<table>") == len(result.comparisons)
    assert "latency" in page


def test_a_damaged_run_is_one_sentence(tmp_path: Path) -> None:
    run = stored("measured", tmp_path)
    (run.path / "run.json").write_text("{")
    for ask in (lambda: run.state, run.summary, run.trials, run.samples, lambda: run.warnings):
        with pytest.raises(mb.BadInputError, match=r"run\.json"):
            ask()


def test_comparing(tmp_path: Path) -> None:
    first = stored("nightly/20260602T020000Z-nightly", tmp_path)
    second = stored("nightly/20260612T020000Z-nightly", tmp_path)
    found = mb.compare(first, os.fspath(second))
    table = found.frame()
    assert set(table["run"]) == {first.path.name, second.path.name}
    later = table[table["run"] == second.path.name]
    assert (later["change"] > 0.05).any()
    assert (later["change_low"] <= later["change"]).all()
    assert table[table["run"] == first.path.name]["change"].isna().all()
    with pytest.raises(mb.BadInputError, match="at least two"):
        mb.compare(first)


def test_history(tmp_path: Path) -> None:
    shutil.copytree(RUNS / "nightly", tmp_path / "nightly")
    found = mb.history(tmp_path / "nightly")
    table = found.frame()
    assert len(table) == sum(len(series.points) for series in found.series)
    assert table["begins_level"].sum() == sum(len(series.steps) for series in found.series) > 0
    assert set(table["metric"]) == {"latency"}


def test_history_of_what_is_not_there(tmp_path: Path) -> None:
    shutil.copytree(RUNS / "nightly", tmp_path / "nightly")
    with pytest.raises(mb.BadInputError, match=r"'latencyy'.*did you mean latency"):
        mb.history(tmp_path / "nightly", metric="latencyy")
    with pytest.raises(mb.BadInputError, match="no run has the recipe 'nothing'"):
        mb.history(tmp_path / "nightly", recipe="nothing")

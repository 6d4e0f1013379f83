"""One variant over many stored runs: what is in a series, what is refused, what is shown."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from mobilebench.cli.main import main
from mobilebench.errors import BadInputError
from mobilebench.metrics import registry
from mobilebench.records.timings import Timings
from mobilebench.records.trial import Trial
from mobilebench.report import build
from mobilebench.report.exports import history as history_outputs
from mobilebench.runs import history as histories
from mobilebench.runs.history import Wanted, history
from mobilebench.runs.summaries import summary_of
from mobilebench.store.folder import PAGE, TABLE, RunFolder

from tests.support.run_records import run_of

FIRST = datetime(2026, 3, 1, 2, tzinfo=UTC)
DEVICE = {"name": "pixel", "kind": "android", "virtual": False, "runtime": "tflite",
          "runtime_version": "2.16", "info": {"model": "Pixel 8"}}  # fmt: skip


def store(
    results: Path, day: int, ns: float = 1e6, recipe: str = "int8", **changes: object
) -> RunFolder:
    """A finished run of one variant: six trials around ``ns``, and its reports."""
    created = FIRST + timedelta(days=day)
    sha256 = str(changes.pop("sha256", "a" * 64))
    parts = {
        "run": f"{created:%Y%m%dT%H%M%SZ}-nightly",
        "state": "finished",
        "created": created.isoformat(timespec="seconds"),
        "suite": {"name": "nightly", "protocol": {"blocks": 6, "runs": 50}},
        "devices": [DEVICE],
        "runtimes": [{"name": "cpu", "threads": 4}],
        "models": [{"name": "m", "baseline": recipe}],
        "artifacts": [
            {"model": "m", "recipe": recipe, "sha256": sha256, "bytes": 1000, "gzip_bytes": 900}
        ],
        **changes,
    }
    folder = RunFolder.create(results / str(parts["run"]), run_of(**parts))
    for block in range(6):
        record = Trial(
            f"t{block}", "latency", block, "pixel", "m", recipe, "cpu", sha256, "valid", "", 1.0,
            samples=5,
        )  # fmt: skip
        times = np.full(5, ns * (1 + 0.001 * block), dtype=np.int64)
        folder.append(record, Timings(times))
    if parts["state"] == "finished":
        build(folder)
    return folder


@pytest.fixture(scope="module")
def nightly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve nights: from the eighth on 10 % slower, by another file."""
    results = tmp_path_factory.mktemp("nightly")
    rng = np.random.default_rng(1)
    for day in range(12):
        slow = day >= 7
        ns = 1e6 * (1.1 if slow else 1) * rng.normal(1, 0.003)
        store(results, day, ns, sha256=("b" if slow else "a") * 64)
    return results


def test_a_series_in_order_with_its_step(nightly: Path) -> None:
    found = history([nightly])
    (series,) = found.series
    assert (series.model, series.recipe, series.device, series.runtime) == (
        "m", "int8", "pixel", "cpu",
    )  # fmt: skip
    assert [point.created[8:10] for point in series.points] == [f"{d:02}" for d in range(1, 13)]
    (step,) = series.steps
    assert step.index == 7
    assert step.change == pytest.approx(0.1, abs=0.01)
    assert series.points[0].interval is not None
    assert not found.refusals


def test_the_table_and_the_trials_say_the_same(nightly: Path) -> None:
    quick = history([nightly])
    stale = nightly / next(iter(sorted(os.listdir(nightly)))) / TABLE
    kept = stale.read_bytes()
    try:
        # Older than its trials: summarised anew.
        os.utime(stale, (1, 1))
        assert history([nightly]) == quick
        stale.write_text("another version's table\n")
        assert history([nightly]) == quick
        stale.unlink()
        assert history([nightly]) == quick
    finally:
        stale.write_bytes(kept)


def test_hundreds_of_runs_are_read_without_their_samples(nightly: Path) -> None:
    quick = history([nightly])
    hidden = list(nightly.glob("*/samples.p*"))
    assert len(hidden) == 12
    moved = [path.rename(path.with_name(f"hidden-{path.name}")) for path in hidden]
    try:
        assert history([nightly]) == quick
    finally:
        for path, back in zip(moved, hidden, strict=True):
            path.rename(back)


def test_what_is_not_comparable_with_the_newest_is_refused(tmp_path: Path) -> None:
    old = {**DEVICE, "runtime_version": "2.15"}
    store(tmp_path, 0, devices=[old])
    store(tmp_path, 1)
    store(tmp_path, 2)
    store(tmp_path, 3, state="interrupted")
    found = history([tmp_path])
    assert [point.created[8:10] for point in found.series[0].points] == ["02", "03"]
    reasons = {refusal.run[:8]: refusal.reason for refusal in found.refusals}
    assert reasons["20260301"] == "another runtime version (2.15, not 2.16)"
    assert "not finished (state: interrupted)" in reasons["20260304"]


def test_a_run_older_than_a_setting_had_it_off(tmp_path: Path) -> None:
    store(tmp_path, 0)
    protocol = {"blocks": 6, "runs": 50, "energy": False, "sustained_minutes": None}
    store(tmp_path, 1, suite={"name": "nightly", "protocol": protocol})
    assert len(history([tmp_path]).series[0].points) == 2


def test_a_damaged_run_is_reported_and_the_others_shown(tmp_path: Path) -> None:
    store(tmp_path, 0)
    damaged = store(tmp_path, 1)
    (damaged.path / "run.json").write_text('{"format": 1, "state": "finished", "suite": 3}')
    found = history([tmp_path])
    assert len(found.series[0].points) == 1
    assert "run.json is damaged" in found.refusals[0].reason


def test_one_series_of_several_and_another_metric(tmp_path: Path) -> None:
    for day in range(3):
        store(tmp_path, 2 * day, recipe="int8")
        store(tmp_path, 2 * day + 1, recipe="=float32")
    assert {s.recipe for s in history([tmp_path]).series} == {"int8", "=float32"}
    (only,) = history([tmp_path], "size", Wanted(recipe="=float32")).series
    assert [point.value for point in only.points] == [1000] * 3
    with pytest.raises(BadInputError, match="no run has the recipe 'int4'; there are =float32, in"):
        history([tmp_path], wanted=Wanted(recipe="int4"))
    with pytest.raises(BadInputError, match="no run has a memory there: no memory: no memory tri"):
        history([tmp_path], "memory")


def test_runs_given_twice_count_once(nightly: Path) -> None:
    some = sorted(nightly.iterdir())[:2]
    assert len(history([*some, nightly, some[0]]).series[0].points) == 12
    with pytest.raises(BadInputError, match="there is no folder"):
        history([nightly / "nowhere"])
    with pytest.raises(BadInputError, match="no results folder, and no folder of them"):
        history([some[0] / "artifacts"])


def test_the_command(nightly: Path, tmp_path: Path) -> None:
    page = tmp_path / "history.html"
    done = CliRunner().invoke(main, ["history", str(nightly), "--html", str(page)])
    assert done.exit_code == 0, done.output
    assert "▁▁▁▁▁▁▁█████" in done.output.replace("▇", "█").replace("▂", "▁")
    assert "▲ +10" in done.output
    assert "another file than before" in done.output
    text = page.read_text()
    assert text.count("<svg") == 1
    assert "another file than before" in text
    told = json.loads(CliRunner().invoke(main, ["history", str(nightly), "--json"]).stdout)
    assert told["series"][0]["steps"][0]["run"].startswith("20260308")
    missing = CliRunner().invoke(main, ["history", str(nightly), "--html", "/nowhere/h.html"])
    assert missing.exit_code == 2
    assert "its folder does not exist" in missing.stderr
    shown = CliRunner().invoke(main, ["history", "--help"]).stdout
    assert all(name in shown for name in registry())


def test_names_on_the_page_are_shown_and_never_run(tmp_path: Path) -> None:
    for day in range(3):
        store(tmp_path, day, recipe="<script>alert(1)</script> $x$ \x1b[31m")
    text = history_outputs.html(history([tmp_path]))
    assert "<script" not in text
    assert "\x1b" not in text


def test_a_sparkline_makes_noise_look_small() -> None:
    assert set(history_outputs.sparkline([100, 100.5, 99.8, 100.2])) <= set("▃▄▅▆")
    assert history_outputs.sparkline([1, 2]) == "▁█"
    assert history_outputs.sparkline([0, 0]) == "▁▁"
    assert len(history_outputs.sparkline(list(range(500)))) == 60


def test_a_runs_own_report_shows_the_runs_before_it(nightly: Path) -> None:
    runs = sorted(nightly.iterdir())
    folder = RunFolder.open(runs[8])
    (series,) = histories.before(folder, summary_of(folder))
    assert len(series.points) == 9
    assert CliRunner().invoke(main, ["report", str(runs[8])]).exit_code == 0
    text = (runs[8] / PAGE).read_text()
    assert "Over time" in text
    assert "9 runs, 2026-03-01 to 2026-03-09" in text
    second = RunFolder.open(runs[1])
    assert histories.before(second, summary_of(second)) == ()


def series_of(values: list[float]) -> histories.Series:
    points = [
        histories.Point(f"run{n:05}", f"2026-01-01T{n % 24:02}:00:00Z", "a" * 64, value)
        for n, value in enumerate(values)
    ]
    return histories.Series("m", "int8", "pixel", "cpu", "latency", False, tuple(points))


def test_more_runs_than_a_page_can_show_share_dots_and_the_page_says_so() -> None:
    few = history_outputs.html(histories.History((series_of([1e6 + n for n in range(400)]),)))
    assert "A dot is a run" in few
    assert "older runs" not in few
    many = series_of([1e6 + (5e5 if n == 1234 else n) for n in range(4000)])
    text = history_outputs.html(histories.History((many,)))
    assert "median of 8 runs" in text
    assert "4,000 are more" in text
    assert "3,500 older runs: --json has them all." in text
    assert history_outputs.older(many, 3999) == "1 older run: --json has them all."
    assert text.count("<tr>") == 501
    assert len(text) < 3 * len(few)
    assert len(json.dumps(histories.History((many,)).as_json()["series"][0]["points"])) > 4000


def test_only_what_a_series_needs_of_a_run_is_read(tmp_path: Path) -> None:
    """A run whose plan is damaged has its numbers; one whose protocol is, has not."""
    for day in range(3):
        store(tmp_path, day)
    first, second, _ = sorted(tmp_path.iterdir())
    for folder, key, value in ((first, "plan", 3), (second, "suite", {"name": "x"})):
        path = folder / "run.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    found = history([tmp_path])
    assert [point.created[8:10] for point in found.series[0].points] == ["01", "03"]
    (refusal,) = found.refusals
    said = f"{second / 'run.json'} is damaged: suite.protocol: this key is missing"
    assert said in refusal.reason

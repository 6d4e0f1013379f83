"""SQL over stored runs: the runs' own numbers, and nothing else of the machine."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from mobilebench.cli.main import main
from mobilebench.errors import BadInputError
from mobilebench.runs.query import RESULTS, SAMPLE, query
from mobilebench.store.folder import MANIFEST, TABLE, RunFolder

GOLDEN = Path(__file__).parents[1] / "golden" / "runs"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two runs of one name in folders whose names SQL might take for something else."""
    folder = tmp_path / 'it\'s; a "place"'
    for name in ("a", "b'c"):
        shutil.copytree(GOLDEN / "gate-fail", folder / name)
    return folder


def test_results_are_the_runs_own_numbers(runs: Path) -> None:
    CliRunner().invoke(main, ["report", str(runs / "a")])
    with (runs / "a" / TABLE).open(encoding="utf-8", newline="") as file:
        expected = {
            (row["recipe"], name): row[column]
            for row in csv.DictReader(file)
            for name, column in (("latency", "latency_ns"), ("size", "size_bytes"))
        }
    found = query(
        [runs / "a"], "SELECT * FROM results WHERE metric IN ('latency', 'size') ORDER BY recipe"
    )
    assert set(found.columns) == set(RESULTS)
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    assert {(r["recipe"], r["metric"]): r["value"] for r in rows} == {
        key: float(value) for key, value in expected.items()
    }
    run = RunFolder.open(runs / "a").run()
    for row in rows:
        assert (row["run"], row["folder"]) == (run.name, str(runs / "a"))
        assert row["created"].isoformat().startswith(run.created[:10])
        assert row["unit"] == ("ns" if row["metric"] == "latency" else "B")
        assert row["is_baseline"] == (row["recipe"] == "baseline")


def test_no_other_file_is_so_much_as_looked_for(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "there.csv").write_text("a,b\n1,2\n")

    def refusal(name: str) -> str:
        with pytest.raises(BadInputError) as error:
            query([runs], "SELECT * FROM read_csv('FILE')".replace("FILE", str(tmp_path / name)))
        return str(error.value).replace(name, "FILE")

    assert refusal("there.csv") == refusal("gone.csv")


def test_a_run_without_a_summary_is_summarised(runs: Path) -> None:
    def values() -> object:
        return query([runs], "SELECT folder, recipe, metric, value FROM results ORDER BY ALL").rows

    before = values()
    for name in ("a", "b'c"):
        (runs / name / TABLE).unlink(missing_ok=True)
    assert values() == before


def test_samples_are_those_of_the_latest_valid_attempts(runs: Path) -> None:
    found = query([runs], "SELECT * FROM samples")
    assert found.columns == tuple(SAMPLE)
    folder = RunFolder.open(runs / "a")
    valid = {t.trial for t in folder.trials() if t.kind == "latency" and t.state == "valid"}
    times = {trial: times for trial, times in folder.timings() if trial in valid}
    (total,) = query([runs], "SELECT sum(ns) FROM samples WHERE index >= 0").rows
    # Each of the two folders once, although their runs have one name.
    assert total[0] == 2 * sum(int(t.samples.sum()) for t in times.values())


def test_a_damaged_run_costs_nobody_else(runs: Path) -> None:
    (runs / "b'c" / MANIFEST).write_text("{")
    (runs / "b'c" / TABLE).unlink(missing_ok=True)
    found = query([runs], "SELECT DISTINCT folder FROM results")
    assert found.rows == ((str(runs / "a"),),)
    assert found.notes[0].startswith("b'c is left out: ")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_csv('/etc/passwd', delim = ':')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM read_text('{runs}/../secret.txt')",
        "COPY (SELECT 1) TO '{runs}/a/x.csv'",
        "COPY (SELECT 1) TO '{runs}/../x.csv'",
        "ATTACH '/tmp/x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "DROP TABLE results",
        "SELECT 1; DROP TABLE results",
        "SELECT getenv('HOME')",
        "PRAGMA database_list",
        "",
        "nonsense",
        "SELECT x FROM results",
    ],
)
def test_a_query_that_does_more_than_ask(runs: Path, sql: str) -> None:
    secret = runs.parent / "secret.txt"
    secret.write_text("secret")
    before = sorted(runs.parent.rglob("*"))
    with pytest.raises(BadInputError, match=r"the query cannot be run|one statement that reads"):
        query([runs], sql.replace("{runs}", str(runs).replace("'", "''")))
    assert sorted(runs.parent.rglob("*")) == before


def test_many_rows_are_cut(runs: Path) -> None:
    found = query([runs], "SELECT * FROM range(10)", most_rows=3)
    assert (len(found.rows), found.cut) == (3, True)


def test_the_command(runs: Path) -> None:
    sql = "SELECT recipe, value FROM results WHERE metric = 'size' ORDER BY recipe"
    done = CliRunner().invoke(main, ["query", sql, str(runs / "a"), "--json"])
    assert done.exit_code == 0, done.output
    assert [row["recipe"] for row in json.loads(done.stdout)] == ["baseline", "candidate"]
    done = CliRunner().invoke(main, ["query", sql, str(runs / "a"), "--csv"])
    assert done.stdout.splitlines()[0] == "recipe,value"
    done = CliRunner().invoke(main, ["query", sql, str(runs / "a")])
    assert "candidate" in done.stdout
    done = CliRunner().invoke(main, ["query", "SELECT", str(runs / "a")])
    assert done.exit_code == 2
    assert done.stderr.startswith("mobilebench: the query cannot be run")
    done = CliRunner().invoke(main, ["query", "SELECT 1", str(runs / "nowhere")])
    assert done.exit_code == 2


def test_samples_have_the_runs_own_names(runs: Path) -> None:
    sql = "SELECT DISTINCT run, folder FROM {} ORDER BY ALL"
    assert query([runs], sql.format("samples")).rows == query([runs], sql.format("results")).rows


@pytest.mark.parametrize("column", ["recipe", "Recipe", "created", "folder"])
def test_a_summary_with_a_column_twice_is_left_out(runs: Path, column: str) -> None:
    CliRunner().invoke(main, ["report", str(runs / "b'c")])
    table = runs / "b'c" / TABLE
    header, *rows = table.read_text("utf-8").splitlines()
    table.write_text("\n".join([f"{header},{column}", *(f"{row},x" for row in rows)]), "utf-8")
    found = query([runs], "SELECT DISTINCT folder FROM results")
    assert found.rows == ((str(runs / "a"),),)
    assert "has a column twice" in found.notes[0]


def test_a_summary_that_is_no_csv_is_left_out(runs: Path) -> None:
    CliRunner().invoke(main, ["report", str(runs / "b'c")])
    (runs / "b'c" / TABLE).write_text("x" * 200_000, "utf-8")
    found = query([runs], "SELECT DISTINCT folder FROM results")
    assert found.rows == ((str(runs / "a"),),)
    assert found.notes[0].startswith("b'c is left out: ")


def test_times_are_utc(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    found = query([runs], "SELECT current_setting('TimeZone')")
    assert found.rows == (("UTC",),)


def test_rows_as_json_have_every_column_and_no_number_that_json_lacks(runs: Path) -> None:
    sql = "SELECT 1 AS x, 2 AS x, 'nan'::DOUBLE AS y, 'inf'::DOUBLE AS z FROM range(3)"
    done = CliRunner().invoke(main, ["query", sql, str(runs / "a"), "--json", "--limit", "1"])
    assert json.loads(done.stdout) == [{"x": 1, "x_2": 2, "y": None, "z": None}]
    assert "these are the first 1 rows" in done.stderr

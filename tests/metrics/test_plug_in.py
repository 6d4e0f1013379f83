"""A metric that one entry adds: it is shown, followed, compared and judged like any other."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from mobilebench import metrics
from mobilebench.analysis.trial import QUANTILES
from mobilebench.cli.main import main
from mobilebench.compress.pipeline import pack
from mobilebench.errors import BadInputError
from mobilebench.metrics import Counter, Judged, Metric, Quantile, StoredSize, lookup, registry
from mobilebench.runs import calibrate as calibration
from mobilebench.runs import pair
from mobilebench.runs.run import Quiet
from mobilebench.store.folder import RunFolder
from mobilebench.suite.policy import Policy, read_policy
from mobilebench_agent import contract
from mobilebench_agent.contract import Job

from tests.support import plug_in, scripted_device
from tests.support.gates import QUIET, by_metric, run_gate
from tests.support.models import BASELINE
from tests.support.scripted_device import Open, ScriptedDevice

GOLDEN = Path(__file__).parents[1] / "golden" / "runs"

#: The example of ``docs/adding.md``, as it is there.
_EXAMPLE = re.search(
    r"```python\n(    Metric\(.*?\n    \))\n",
    (Path(__file__).parents[2] / "docs" / "adding.md").read_text("utf-8"),
    re.DOTALL,
)
assert _EXAMPLE is not None
MODULE = (
    "from mobilebench.metrics import Change, Counter, Judged, Metric, Quantile\n"
    f"PAGE_FAULTS = {textwrap.dedent(_EXAMPLE[1])}\n"
)


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, module: str, value: str) -> None:
    site = folder / "site"
    entries = {"tiny": f"tiny_metrics:{value}"}
    plug_in.install(site, {"tiny_metrics.py": module}, entries, group=metrics.GROUP)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "tiny_metrics", raising=False)


@pytest.fixture
def page_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Metric:
    """The metric, of an installed package."""
    install(tmp_path, monkeypatch, MODULE, "PAGE_FAULTS")
    return registry()["page_faults"]


def faulting(run: Path, faults: Callable[[dict[str, Any]], float]) -> Path:
    """Adds the counter to each memory trial of a stored run."""
    lines = [json.loads(line) for line in (run / "trials.jsonl").read_text("utf-8").splitlines()]
    for line in lines:
        if line["kind"] == "memory":
            counter = {"name": "page_faults", "unit": "1", "source": "a test", "n": 1,
                       "value": faults(line), "resolution": 1, "validity": "valid",
                       "reason": ""}  # fmt: skip
            line["metrics"].append(counter)
    text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
    (run / "trials.jsonl").write_text(text, "utf-8")
    return run


def copied(folder: Path, name: str) -> Path:
    return Path(shutil.copytree(GOLDEN / name, folder / "runs" / Path(name).name))


def mobilebench(*arguments: object) -> Result:
    """What a command prints; its exit code is not looked at."""
    return CliRunner(env={"COLUMNS": "160"}).invoke(main, [str(a) for a in arguments])


@pytest.mark.usefixtures("page_faults")
def test_it_is_in_every_table(tmp_path: Path) -> None:
    run = faulting(copied(tmp_path, "phones"), lambda line: 300 + 700 * ("int8" in line["recipe"]))
    rows = list(csv.DictReader(io.StringIO(mobilebench("report", run, "--format", "csv").stdout)))
    measured = [row for row in rows if row["page_faults"]]
    assert {float(row["page_faults"]) for row in measured} == {300, 1000}
    assert any(float(row["page_fault_ratio"] or 0) == pytest.approx(0.3) for row in measured)
    assert all(row["page_faults"] or row["page_faults_reason"] for row in rows)
    document = json.loads(mobilebench("report", run, "--format", "json").stdout)
    assert {v["page_faults"] for v in document["variants"]} >= {300, 1000}
    latex = mobilebench("report", run, "--format", "latex").stdout
    assert "& Faults & Fewer faults" in latex
    for form in ("markdown", "terminal"):
        assert "Page faults" in mobilebench("report", run, "--format", form).stdout
    mobilebench("report", run)
    assert "Page faults" in (run / "report.html").read_text("utf-8")


@pytest.mark.usefixtures("page_faults")
def test_history_and_compare_follow_it(tmp_path: Path) -> None:
    runs = copied(tmp_path, "nightly")
    for night, run in enumerate(sorted(runs.iterdir())):
        faulting(run, lambda _, night=night: 900 if night >= 7 else 500)
    found = json.loads(mobilebench("history", runs, "--metric", "page_faults", "--json").stdout)
    first = found["series"][0]
    assert {point["value"] for point in first["points"]} == {500, 900}
    assert len(first["steps"]) == 1
    shown = mobilebench("history", runs, "--metric", "page_faults").stdout
    assert "newest page faults 900" in shown
    assert "page_faults" in mobilebench("history", "--help").stdout
    wrong = mobilebench("history", runs, "--metric", "page_fault")
    assert wrong.exit_code == 2
    assert "did you mean page_faults?" in wrong.stderr

    one, other = (run for run in sorted(runs.iterdir()) if run.name[:8] in ("20260603", "20260612"))
    compared = mobilebench("compare", one, other, "--metric", "page_faults", "--json")
    change = json.loads(compared.stdout)["rows"][0]["entries"][1]["change"]
    assert change["value"] == pytest.approx(0.8)
    assert "page faults" in mobilebench("compare", one, other, "--metric", "page_faults").stdout


@pytest.mark.usefixtures("page_faults")
def test_a_policy_has_a_table_for_it(tmp_path: Path) -> None:
    assert Policy()["page_faults"].margin == 0.05
    path = tmp_path / "policy.toml"
    path.write_text("[page_faults]\nmargin = 0.5\nfloor = 100\n")
    assert (read_policy(path)["page_faults"].margin, read_policy(path)["page_faults"].floor) == (
        0.5,
        100,
    )
    path.write_text("[page_fault]\nmargin = 0.5\n")
    with pytest.raises(BadInputError, match="did you mean 'page_faults'"):
        read_policy(path)


@pytest.mark.parametrize(("growth", "verdict"), [(1.2, "FAIL"), (1.0, "PASS")])
@pytest.mark.usefixtures("page_faults")
def test_a_gate_judges_it_on_stored_trials(tmp_path: Path, growth: float, verdict: str) -> None:
    run = faulting(
        copied(tmp_path, "gate-pass"),
        lambda line: (growth if line["recipe"] == "candidate" else 1) * (1000 + line["block"]),
    )
    document = json.loads((run / "run.json").read_text("utf-8"))
    document["gate"]["policy"]["page_faults"] = {"margin": 0.05}
    # Three metrics are tested on seven blocks.
    document["gate"]["looks"] = [{"blocks": 7, "alpha": 0.05}]
    (run / "run.json").write_text(json.dumps(document), "utf-8")
    result = mobilebench("gate", "--resume", run, "--json")
    (comparison,) = json.loads(result.stdout)["comparisons"]
    found = {finding["metric"]: finding for finding in comparison["metrics"]}["page_faults"]
    assert found["verdict"] == verdict
    assert found["effect"] == pytest.approx(growth - 1)
    assert (found["scale"], found["blocks"]) == ("ratio", 7)


def test_a_stored_gate_without_the_plug_in_says_so(tmp_path: Path) -> None:
    run = copied(tmp_path, "gate-pass")
    document = json.loads((run / "run.json").read_text("utf-8"))
    document["gate"]["policy"]["page_faults"] = {"margin": 0.05}
    (run / "run.json").write_text(json.dumps(document), "utf-8")
    result = mobilebench("gate", "--resume", run, "--json")
    assert result.exit_code == 0
    assert any("'page_faults'" in w for w in json.loads(result.stdout)["warnings"])


class _Faulting(ScriptedDevice):
    """Counts page faults in memory trials."""

    def run(self, job: Job, *rest: Any) -> contract.Result:
        result = super().run(job, *rest)
        if job.kind != "memory":
            return result
        number = len(self.jobs)
        counter = contract.Metric("page_faults", "1", "a script", 1000 + number % 3, 1, n=1)
        return replace(result, metrics=(*result.metrics, counter))


@pytest.mark.usefixtures("page_faults")
def test_a_calibration_has_its_noise_and_a_gate_its_margin(tmp_path: Path, on: Open) -> None:
    on(_Faulting(scripted_device.slower(0.0)))
    same = pair.suite_of_files(BASELINE, BASELINE)
    _, (noise,) = calibration.calibrate(same, tmp_path / "c", ["t"], Quiet())
    assert 0 < noise.metrics["page_faults"] < 0.01
    assert "page faults" in calibration.sentence(noise)
    policy = Policy({**QUIET, "page_faults": Policy()["page_faults"]}, QUIET.answers)
    found = by_metric(run_gate(tmp_path, policy=policy))
    assert found["page_faults"].noise == noise.metrics["page_faults"]
    assert found["page_faults"].verdict == "PASS"
    (run,) = (tmp_path / "results").iterdir()
    assert RunFolder.open(run).run().gate is not None


def test_another_quantile_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = MODULE.partition("\n")[0]
    of = "'ns', 'lower', 'latency'"
    entries = (
        f"Metric('p75', 'p75', 'latency_p75_ns', 'its 75th percentile', {of}, Quantile(0.75))",
        f"Metric('p999', 'p99.9', 'latency_p999_ns', 'a rare one', {of}, Quantile(0.999))",
    )
    module = f"{first}\nBOTH = [{', '.join(entries)}]\n"
    install(tmp_path, monkeypatch, module, "BOTH")
    assert 0.999 not in QUANTILES
    run = copied(tmp_path, "phones")
    rows = list(csv.DictReader(io.StringIO(mobilebench("report", run, "--format", "csv").stdout)))
    row = next(row for row in rows if row["latency_p75_ns"])
    assert float(row["latency_ns"]) < float(row["latency_p75_ns"]) < float(row["latency_p90_ns"])
    assert row["latency_p999_ns_reason"] == "p99.9 needs 1000 timed inferences a trial"


def test_another_packing_is_one_entry_beside_its_packer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pack.PACKERS, "half", (lambda content, _: content[::2], ".half"))
    assert pack.measure(b"abcd", ["half"])["half"] == 2
    module = (
        "from mobilebench.metrics import Change, Metric, StoredSize\n"
        "HALF = Metric('half', 'Half', 'half_bytes', 'half of it', 'B', 'lower', 'artifact', "
        "StoredSize('half'), change=Change('ratio', 'half_ratio'))\n"
    )
    install(tmp_path, monkeypatch, module, "HALF")
    folder = RunFolder.open(copied(tmp_path, "gate-pass"))
    run = folder.run()
    halves = [{**a.sizes, "half": 10 + number} for number, a in enumerate(run.artifacts)]
    made = (
        a.model_copy(update={"sizes": sizes})
        for a, sizes in zip(run.artifacts, halves, strict=True)
    )
    with folder.locked():
        folder.write_run(run.model_copy(update={"artifacts": tuple(made)}))
    text = mobilebench("report", folder.path, "--format", "csv").stdout
    found = [(r["half_bytes"], r["half_ratio"]) for r in csv.DictReader(io.StringIO(text))]
    assert [size for size, _ in found] == ["10", "11"]
    assert float(found[1][1]) == pytest.approx(10 / 11)


BASE = Metric("a", "A", "a", "", "count", "lower", "memory", Counter("a"))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (replace(BASE, name="latency"), "there is already one"),
        (replace(BASE, column="speedup"), "there is already one"),
        (replace(BASE, name="Page faults"), "is no name"),
        (replace(BASE, unit="KB"), "unit is one of"),
        (replace(BASE, kind="outputs", test="paired"), "can be paired"),
        (replace(BASE, read=Quantile(0.5)), "latency trials"),
        (replace(BASE, read=StoredSize("gzip")), "from artifacts"),
        (replace(BASE, judged=Judged()), "needs a test"),
        (replace(BASE, unit_of="nothing"), "no metric 'nothing'"),
        ("a text", "no Metric"),
    ],
)
def test_a_plug_in_that_is_wrong_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wrong: object, words: str
) -> None:
    install(tmp_path, monkeypatch, "WRONG = None\n", "WRONG")
    __import__("tiny_metrics").WRONG = wrong
    with pytest.raises(BadInputError, match=words) as error:
        registry()
    assert "tiny" in str(error.value)


def test_a_plug_in_that_cannot_be_loaded_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(tmp_path, monkeypatch, "raise RuntimeError('no luck')\n", "X")
    result = mobilebench("report", copied(tmp_path, "gate-pass"), "--format", "csv")
    assert result.exit_code == 2
    assert "RuntimeError: no luck" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.fixture(autouse=True)
def _forget_plug_ins() -> Iterator[None]:
    yield
    lookup._registry.cache_clear()

"""Whatever somebody makes of a ``run.json``: it works, or one sentence names the key."""

from __future__ import annotations

import copy
import itertools
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mobilebench.errors import BadInputError
from mobilebench.records.run import Run, read_run
from mobilebench.records.trial import DAMAGED, TRIAL_KINDS, read_trial
from mobilebench.runs import compare, gate, history
from mobilebench.runs.summaries import summary_of
from mobilebench.store.folder import MANIFEST, RunFolder

GOLDEN = Path(__file__).parents[1] / "golden" / "runs"
GATE = GOLDEN / "gate-fail"

Way = tuple[str | int, ...]
OTHERS = (
    None, True, -1, 0, 10**400, 1.5, "", "x", "\ud800", [], [None], [[]], {}, {"x": 1},
)  # fmt: skip


def ways(part: Any, way: Way = ()) -> Iterator[Way]:
    """The way to each part of a document; of a list's entries to the first one alone."""
    if way:
        yield way
    if isinstance(part, dict):
        for key, inner in part.items():
            yield from ways(inner, (*way, key))
    if isinstance(part, list) and part:
        yield from ways(part[0], (*way, 0))


def changed(document: dict[str, Any], way: Way, change: Callable[[Any, Any], None]) -> Any:
    """A copy of a document in which one part was changed, given the part's owner and its key."""
    new = copy.deepcopy(document)
    owner: Any = new
    for key in way[:-1]:
        owner = owner[key]
    change(owner, way[-1])
    return new


def replace(value: Any) -> Callable[[Any, Any], None]:
    def change(owner: Any, key: Any) -> None:
        owner[key] = value

    return change


def nest(owner: Any, key: Any) -> None:
    owner[key] = {"x": owner[key]}


def wrap(owner: Any, key: Any) -> None:
    owner[key] = [owner[key]]


def delete(owner: Any, key: Any) -> None:
    del owner[key]


CHANGES = (*map(replace, OTHERS), nest, wrap, delete)


def damages(document: dict[str, Any]) -> Iterator[tuple[Way, Any]]:
    for way in ways(document):
        for change in CHANGES:
            yield way, changed(document, way, change)


def of_format(number: int) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((GATE / MANIFEST).read_text("utf-8"))
    return document if number == 1 else read_run(document, "a run").document()


@pytest.mark.parametrize("number", [1, 2])
def test_a_part_of_another_type_is_read_or_named(number: int) -> None:
    refused = []
    for way, document in damages(of_format(number)):
        try:
            read_run(document, "run.json")
        except BadInputError as error:
            refused.append((way, str(error)))
    assert len(refused) > 500
    assert [r for r in refused if not r[1].startswith("run.json ") or not names(*r)] == []


def names(way: Way, sentence: str) -> bool:
    """Whether a sentence names the part at a way's end, or what holds it."""
    known = {"run": "name", "places": "pairs", "place": "pair", "format": "format"}
    sizes = {"bytes", "gzip_bytes", "zstd_bytes", "xz_bytes"}
    parts = ["sizes" if key in sizes else known.get(str(key), str(key)) for key in way]
    if "surrogates not allowed" in sentence:
        return True
    return any(re.search(rf"\b{re.escape(part)}\b", sentence) for part in parts)


def what_is_read(run: Run) -> str:
    """A run without the parts that are only kept as they were."""
    document = run.document()
    document["suite"] = [run.suite.name, run.suite.protocol.model_dump()]
    for artifact, kept in zip(document["artifacts"], run.artifacts, strict=True):
        artifact["provenance"] = repr(kept.provenance.steps)
    return json.dumps({k: v for k, v in document.items() if k not in KEPT})


#: What is shown and never computed with.
KEPT = ("host", "versions", "command", "plan", "warnings")
#: Of each part so many changes that can be read are used, each in one way.
ENOUGH = 2


def test_what_is_read_is_reported_gated_compared_or_refused(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "damaged"
    shutil.copytree(GATE, folder)
    original = RunFolder.open(folder).run()
    uses: dict[str, Callable[[], object]] = {
        "report": lambda: summary_of(RunFolder.open(folder)),
        "gate": lambda: gate.judge(RunFolder.open(folder)),
        "compare": lambda: compare.compare([GATE, folder]),
        "history": lambda: history.history([folder]),
    }
    turns = itertools.cycle(uses.items())
    refused: list[str] = []
    seen = {what_is_read(original)}
    for way, of_one_part in itertools.groupby(damages(original.document()), lambda d: d[0]):
        tried = 0
        for _, document in of_one_part:
            try:
                run = read_run(document, "run.json")
            except BadInputError:
                continue
            if what_is_read(run) in seen or run.state != "finished" or tried == ENOUGH:
                continue
            tried += 1
            seen.add(what_is_read(run))
            (folder / MANIFEST).write_text(json.dumps(document), "utf-8")
            use, call = next(turns)
            try:
                call()
            except BadInputError as error:
                refused.append(str(error))
            except Exception as error:
                raise AssertionError(f"{use} after a change of {way}: {error!r}") from error
    assert [sentence for sentence in refused if "\n" in sentence] == []


ANSWERS = {
    "samples": 30,
    "source": "data",
    "digest": "d" * 64,
    "task": "classification",
    "reason": "",
    "scores": [{"name": "accuracy", "value": 0.9, "low": 0.7, "high": 0.98, "n": 30}],
    "parity": [
        {
            "output": "probabilities",
            "snr_db": 91.5,
            "largest_error": 1e-6,
            "agreement": 1.0,
            "worst_sample": 3,
        }
    ],
    "parity_samples": 30,
    "parity_reason": "",
}


def test_a_part_of_a_trial_of_another_type_is_its_failure_or_named() -> None:
    lines = (GATE / "trials.jsonl").read_text("utf-8").splitlines()
    answered = {**json.loads(lines[-1]), "kind": "outputs", "answers": ANSWERS}
    lines.append(json.dumps(answered))
    failed, refused = [], []
    for kind in TRIAL_KINDS:
        found = next((x for x in map(json.loads, lines) if x["kind"] == kind), None)
        for way, document in damages(found) if found else ():
            try:
                trial = read_trial(document)
            except ValueError as error:
                refused.append((way, str(error)))
                continue
            if trial.code == DAMAGED:
                failed.append((way, trial.reason))
    assert len(failed) > 100
    assert len(refused) > 50
    assert [found for found in (*failed, *refused) if not names(*found)] == []


def test_a_damaged_line_takes_nothing_from_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(GATE, folder)
    path = folder / "trials.jsonl"
    first, *others = path.read_text("utf-8").splitlines()
    before = summary_of(RunFolder.open(folder))
    damaged = {**json.loads(first), "metrics": "none"}
    path.write_text("\n".join([json.dumps(damaged), *others]) + "\n", "utf-8")
    after = summary_of(RunFolder.open(folder))
    assert after.valid_trials == before.valid_trials - 1
    assert [trial.code for trial in after.failed_trials] == [DAMAGED]
    assert any("damaged" in str(warning) for warning in after.warnings)

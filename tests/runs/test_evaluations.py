"""What variants are asked, what their files answer, and what a run keeps of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.cache import cache_folder
from mobilebench.devices.local.device import LocalDevice
from mobilebench.errors import InterruptedRunError
from mobilebench.records.trial import Trial
from mobilebench.runs import run as runs
from mobilebench.runs.run import Quiet
from mobilebench.store.folder import MANIFEST, RunFolder
from mobilebench.suite.schema import Suite
from mobilebench.tflite.file import dump, load
from mobilebench.tflite.interpreter import Runner
from mobilebench_agent.contract import Job, Result

from tests.support.gates import two_files
from tests.support.models import BASELINE, labelled, sha256
from tests.support.scripted_device import Open, ScriptedDevice

ONCE = {"blocks": 1, "warmup_seconds": 0, "seconds": 0, "runs": 1}


def suite(data: str | None = None) -> Suite:
    return two_files(data=data, protocol=ONCE)


def run(folder: Path, data: str | None = None) -> RunFolder:
    return runs.start(suite(data), folder / "results", ["t"], Quiet())


def asked(folder: RunFolder) -> dict[str, Trial]:
    """The outputs trial of each recipe."""
    return {trial.recipe: trial for trial in folder.trials() if trial.kind == "outputs"}


def run_that_dies(folder: Path, data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is killed when the candidate has answered, before its line is written."""
    append = RunFolder.append

    def dies(self: RunFolder, record: Trial, *times: Any) -> None:
        if record.kind == "outputs" and record.recipe == "candidate":
            raise KeyboardInterrupt
        append(self, record, *times)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "append", dies)
        with pytest.raises(InterruptedRunError):
            run(folder, data)


def answering(monkeypatch: pytest.MonkeyPatch, device: ScriptedDevice) -> ScriptedDevice:
    """Measures on a made-up device, and makes reference answers on this machine."""
    monkeypatch.setattr("mobilebench.runs.run.open_device", lambda _spec: device)
    return device


def shuffled(path: Path) -> Path:
    """The baseline's file with the weights of its largest layer in another order."""
    model = load(BASELINE.read_bytes())
    largest = max((b for b in model.buffers if b.data is not None), key=lambda b: len(b.data))
    weights = np.array(largest.data, np.uint8).view(np.float32)
    largest.data = np.random.default_rng(0).permutation(weights).view(np.uint8)
    path.write_bytes(dump(model))
    return path


def test_answers_of_a_real_run_come_home(tmp_path: Path) -> None:
    folder = run(tmp_path, labelled(tmp_path))
    found = asked(folder)
    x = np.load(tmp_path / "labelled.npz")["x_test"]
    expected = Runner(BASELINE.read_bytes()).run(list(x[:, None]))
    answers = folder.answers(found["baseline"].attempt_name)
    assert answers["output/0"] == pytest.approx(expected, abs=1e-5)
    for recipe, trial in found.items():
        assert (trial.state, trial.answers is not None) == ("valid", True), trial.reason
        assert trial.answers is not None
        assert (trial.answers.source, trial.answers.samples) == ("data", 30)
        assert (trial.answers.task, trial.answers.reason) == ("classification", "")
        (parity,) = trial.answers.parity
        assert parity.snr_db > (100 if recipe == "baseline" else 20)
        assert parity.agreement == 1
        assert trial.metric("answered_samples") is not None
        right = folder.answers(trial.attempt_name)["reduced/right"]
        score = trial.answers.score("accuracy")
        assert score is not None
        assert score.value == right.mean()
        assert len(right) == 30
    (data,) = {a.dataset.sha256 for a in folder.run().artifacts if a.dataset}
    assert {t.answers.digest for t in found.values() if t.answers} == {data}


@pytest.mark.tensorflow
def test_weights_in_blocks_have_right_reference_answers(tmp_path: Path) -> None:
    """LiteRT's plain kernels compute a Dense layer with many blocks a row wrong."""
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(64, activation="relu"), keras.layers.Dense(10)]
    keras.Sequential([keras.Input((512,)), *layers]).save(tmp_path / "wide.keras")
    model = {
        "name": "wide",
        "source": str(tmp_path / "wide.keras"),
        "recipes": ["float32", "dynamic_int4(block=32)"],
    }
    wide = Suite.model_validate({"name": "blocks", "models": [model], "protocol": ONCE})
    folder = runs.start(wide, tmp_path / "results", ["t"], Quiet())
    found = asked(folder)
    assert len(found) == 2
    for trial in found.values():
        assert trial.answers is not None
        (parity,) = trial.answers.parity
        assert parity.snr_db > 30
    real, blocks = (folder.answers(t.attempt_name)["output/0"] for t in found.values())
    assert np.abs(blocks - real).mean() < real.std() / 2


def test_without_data_all_variants_answer_the_same_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = answering(monkeypatch, ScriptedDevice())
    folder = run(tmp_path)
    found = [trial.answers for trial in asked(folder).values()]
    assert [a.samples for a in found if a] == [32, 32]
    assert {(a.source, a.digest) for a in found if a} == {("noise", found[0].digest)}  # type: ignore[union-attr]
    jobs = [job for job in device.jobs if job.kind == "outputs"]
    assert len({job.inputs_sha256 for job in jobs}) == 1


def test_a_shuffled_file_is_found_by_what_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that runs another file than it was sent, and does not look at its hash."""

    class Swapping(ScriptedDevice):
        def push(self, file: Path, sha256_: str) -> str:
            swapped = shuffled(tmp_path / "swapped.tflite")
            return super().push(swapped if sha256_ == sha256(BASELINE) else file, sha256_)

    answering(monkeypatch, Swapping())
    found = {recipe: trial.answers for recipe, trial in asked(run(tmp_path)).items()}
    swapped, right = found["baseline"], found["candidate"]
    assert swapped is not None
    assert right is not None
    assert swapped.parity[0].snr_db < 15 < right.parity[0].snr_db


def test_a_file_that_is_swapped_after_the_push_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Swapped(LocalDevice):
        def push(self, file: Path, sha256_: str) -> str:
            there = shuffled(tmp_path / "there.tflite")
            return super().push(there if sha256_ == sha256(BASELINE) else file, sha256_)

    device = Swapped("local", None, cache_folder())
    monkeypatch.setattr("mobilebench.runs.run.open_device", lambda _spec: device)
    found = asked(run(tmp_path))
    assert [t.code for t in found.values()] == ["model_corrupt", ""]
    assert "not the file that was sent" in found["baseline"].reason


def test_a_crash_between_the_answers_and_their_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on: Open
) -> None:
    on(ScriptedDevice())
    run_that_dies(tmp_path, labelled(tmp_path), monkeypatch)
    (path,) = (tmp_path / "results").iterdir()
    folder = RunFolder.open(path)
    lost = next(p for p in folder.run().plan if (p.kind, p.recipe) == ("outputs", "candidate"))
    before = folder.answers(lost.trial)
    assert before
    assert lost.trial not in {trial.trial for trial in folder.trials()}
    folder = runs.resume(path, Quiet())
    assert [trial.trial for trial in folder.trials()] == [p.trial for p in folder.run().plan]
    after = folder.answers(lost.trial)
    assert after.keys() == before.keys()
    assert all(np.array_equal(after[name], before[name]) for name in before)
    assert asked(folder)["candidate"].state == "valid"


def test_reference_answers_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBILEBENCH_CACHE", str(tmp_path / "cache"))
    made: list[Job] = []
    really = LocalDevice.run

    def counted(self: LocalDevice, job: Job, *rest: Any) -> Result:
        made.append(job)
        return really(self, job, *rest)

    monkeypatch.setattr(LocalDevice, "run", counted)
    answering(monkeypatch, ScriptedDevice())
    first = asked(run(tmp_path / "a"))
    # One of both, and one of the quantized file to inputs that are moved.
    assert [(job.kind, job.xnnpack) for job in made] == [("outputs", False)] * 3
    assert {t.answers.parity_samples for t in first.values() if t.answers} == {32}
    again = asked(run(tmp_path / "b"))
    assert len(made) == 3
    assert [t.answers for t in again.values()] == [t.answers for t in first.values()]
    # Whatever happened to them, they are made anew.
    kept = sorted((tmp_path / "cache" / "references").glob("*/*"))
    assert len(kept) == 3
    for file in kept:
        file.write_bytes(b"junk")
    assert [t.answers for t in asked(run(tmp_path / "c")).values()] == [
        t.answers for t in first.values()
    ]
    assert len(made) == 6


def test_accuracy_trials_of_an_older_version_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on: Open
) -> None:
    on(ScriptedDevice())

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "append", dies)
        with pytest.raises(InterruptedRunError):
            run(tmp_path)
    (path,) = (tmp_path / "results").iterdir()
    document = json.loads((path / MANIFEST).read_text("utf-8"))
    for planned in document["plan"]:
        planned["kind"] = "accuracy" if planned["kind"] == "outputs" else planned["kind"]
    (path / MANIFEST).write_text(json.dumps(document), "utf-8")
    trials = runs.resume(path, Quiet()).trials()
    older = [trial for trial in trials if trial.kind == "accuracy"]
    assert [(t.state, t.code) for t in older] == [("failed", "skipped")] * 2
    assert "start a new run to have quality measured" in older[0].reason
    assert {trial.state for trial in trials if trial.kind == "latency"} == {"valid"}


@pytest.mark.parametrize("change", ["none", "the file", "the folder", "the user"])
def test_a_data_file_s_functions_are_run_on_a_resume_where_nothing_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on: Open, change: str
) -> None:
    on(ScriptedDevice())
    data = tmp_path / "mine.py"
    data.write_text(
        "import numpy as np\n"
        "def get_evaluation_data():\n"
        "    return np.ones((12, 8, 8, 1), np.float32), np.zeros(12, int)\n"
        "def evaluate(outputs, labels):\n"
        "    return outputs[:, 0]\n"
        "evaluate.direction = 'lower'\n",
        "utf-8",
    )
    run_that_dies(tmp_path, str(data), monkeypatch)
    (path,) = (tmp_path / "results").iterdir()
    if change == "the file":
        data.write_text("raise SystemExit('code of somebody else')\n", "utf-8")
    elif change == "the folder":
        path = path.rename(tmp_path / "elsewhere")
    elif change == "the user":
        monkeypatch.setenv("MOBILEBENCH_CACHE", str(tmp_path / "another"))
    found = asked(runs.resume(path, Quiet()))
    scored, resumed = found["baseline"].answers, found["candidate"].answers
    assert scored is not None
    assert resumed is not None
    assert (scored.task, [score.name for score in scored.scores]) == ("own", ["loss"])
    if change == "none":
        assert (resumed.task, [score.name for score in resumed.scores]) == ("own", ["loss"])
        return
    assert (resumed.task, resumed.scores) == ("", ())
    assert "evaluate() of mine.py would take part" in resumed.reason

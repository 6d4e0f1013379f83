"""The results folder: what is kept survives, and what cannot be kept is said."""

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mobilebench.errors import BadInputError, InvalidRunError
from mobilebench.records.answers import Answers, OutputParity, Score
from mobilebench.records.timings import Timings
from mobilebench.records.trial import Trial
from mobilebench.store import samples as timings
from mobilebench.store.folder import RunFolder
from mobilebench_agent.contract import Metric

from tests.support.run_records import run_of


def record(trial: str, samples: int = 0) -> Trial:
    return Trial(
        trial, "latency", 0, "local", "m", "float32", "cpu-1", "a" * 64, "valid", "", 1.0,
        samples=samples, metrics=(Metric("x", "1", "a test", 1.0),), predictions=(1, 2),
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", run_of())


def test_a_trial_is_read_as_it_was_written(folder: RunFolder) -> None:
    folder.append(record("r.0"), Timings(np.array([3, 1, 2])))
    assert folder.trials() == [record("r.0")]
    ((trial, samples),) = folder.samples()
    assert (trial, samples.tolist()) == ("r.0", [3, 1, 2])


@given(st.lists(st.lists(st.integers(1, 2**62), min_size=1, max_size=30), max_size=8), st.data())
def test_folding_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, trials: list[list[int]], data: st.DataObject
) -> None:
    folder = RunFolder.create(tmp_path_factory.mktemp("fold") / "run", run_of())
    folds = data.draw(st.sets(st.integers(0, 8)))
    for number, values in enumerate(trials):
        folder.append(record(f"r.{number:05d}"), Timings(np.array(values)))
        if number in folds:
            folder.fold_samples()
    expected = {f"r.{number:05d}": values for number, values in enumerate(trials)}
    assert {trial: values.tolist() for trial, values in folder.samples()} == expected
    folder.fold_samples()
    assert {trial: values.tolist() for trial, values in folder.samples()} == expected


def test_each_attempt_keeps_its_times_and_the_last_one_counts(folder: RunFolder) -> None:
    spoilt = replace(record("r.0"), state="invalid", code="throttled", reason="hot")
    folder.append(spoilt, Timings(np.array([9]), np.array([8, 8]), np.array([0])))
    folder.fold_samples()
    last = Timings(np.array([3]), np.array([2]), np.array([1]))
    folder.append(replace(record("r.0"), attempt=2), last)
    for _ in range(2):
        assert [r.attempt for r in folder.trials()] == [2]
        assert [r.attempt for r in folder.attempts()] == [1, 2]
        assert sorted(name for name, _ in folder.attempt_timings()) == ["r.0", "r.0~2"]
        ((trial, times),) = folder.timings()
        assert (trial, *times.samples, *times.warmup, *times.starts) == ("r.0", 3, 2, 1)
        folder.fold_samples()


def test_a_trial_of_very_many_inferences_stays_one(folder: RunFolder) -> None:
    # More rows than the file format puts into one group of its own accord.
    samples = np.arange(1, (1 << 20) + 100)
    folder.append(record("r.0"), Timings(samples))
    folder.fold_samples()
    ((trial, found),) = folder.samples()
    assert trial == "r.0"
    assert np.array_equal(found, samples)


def test_many_samples_fold_into_several_row_groups(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timings, "_ROWS_IN_A_GROUP", 25)
    for number in range(9):
        folder.append(record(f"r.{number}"), Timings(np.arange(10) + number))
    folder.fold_samples()
    assert {t: v.tolist() for t, v in folder.samples()} == {
        f"r.{number}": list(range(number, number + 10)) for number in range(9)
    }


def test_a_torn_line_is_dropped_and_the_rest_kept(folder: RunFolder) -> None:
    folder.append(record("r.0"))
    with (folder.path / "trials.jsonl").open("ab") as file:
        file.write(b'{"trial":"r.1","kind":"lat')
    assert folder.trials() == [record("r.0")]
    assert folder.drop_torn_line()
    assert not folder.drop_torn_line()
    folder.append(record("r.1"))
    assert [r.trial for r in folder.trials()] == ["r.0", "r.1"]


def test_samples_without_their_trial_are_not_folded(folder: RunFolder) -> None:
    folder.append(record("r.0"), Timings(np.array([1])))
    np.save(folder.path / "samples.parts" / "r.1.npy", np.array([[0, 9, -1]]))
    folder.fold_samples()
    assert [trial for trial, _ in folder.samples()] == ["r.0"]


def test_a_line_that_is_no_trial_is_named(folder: RunFolder) -> None:
    (folder.path / "trials.jsonl").write_text('{"mood":"good"}\n')
    with pytest.raises(BadInputError, match=r"trials.jsonl:1: not a trial"):
        folder.trials()


def test_a_folder_is_never_taken_over(folder: RunFolder) -> None:
    with pytest.raises(BadInputError, match="exists already"):
        RunFolder.create(folder.path, run_of())


def test_two_writers_at_once(folder: RunFolder) -> None:
    other = (
        "import sys; from pathlib import Path; from mobilebench.store.folder import RunFolder\n"
        "from mobilebench.errors import BadInputError\n"
        "try:\n    RunFolder.open(Path(sys.argv[1])).locked().__enter__()\n"
        "except BadInputError as error: print(error)\n"
    )
    with folder.locked():
        answer = subprocess.run(
            [sys.executable, "-c", other, str(folder.path)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert "another run is writing to" in answer.stdout, answer.stderr


def test_no_run_there(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no results folder"):
        RunFolder.open(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "not JSON"), ("[]", "holds no table"), ('{"format": 99}', "format 99")],
)
def test_a_manifest_that_is_none(folder: RunFolder, text: str, words: str) -> None:
    (folder.path / "run.json").write_text(text)
    with pytest.raises(BadInputError, match=words):
        RunFolder.open(folder.path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(BadInputError, match="cannot write results"):
        RunFolder.create(tmp_path / "run", run_of())


def test_a_file_where_a_folder_belongs(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    with pytest.raises(BadInputError, match="cannot write results"):
        RunFolder.create(tmp_path / "results" / "run", run_of())


def test_a_folder_that_cannot_be_filled_is_not_left_behind(tmp_path: Path) -> None:
    with pytest.raises(InvalidRunError, match="could not write"):
        RunFolder.create(tmp_path / "run", run_of(), {"a.tflite": tmp_path / "nothing"})
    assert not (tmp_path / "run").exists()


def test_what_a_kill_left_half_written_is_cleared_away(folder: RunFolder) -> None:
    folder.append(record("r.0"), Timings(np.array([1])))
    (folder.path / "samples.parts" / ".r.1.npy.tmp").write_bytes(b"half")
    folder.fold_samples()
    assert not (folder.path / "samples.parts").exists()
    assert [trial for trial, _ in folder.samples()] == ["r.0"]


@pytest.mark.parametrize("name", ["samples.parquet", "samples.parts/r.0.npy"])
def test_damaged_samples_are_named(folder: RunFolder, name: str) -> None:
    folder.append(record("r.0"), Timings(np.array([1])))
    if name == "samples.parquet":
        folder.fold_samples()
    (folder.path / name).write_bytes(b"junk")
    with pytest.raises(BadInputError, match="is damaged"):
        list(folder.samples())


class FullDisk:
    """Stands for a disk that fills up: the writes that a real one would refuse, refused."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        real = os.fsync

        def fsync(descriptor: int) -> None:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)


def test_a_full_disk_keeps_what_was_finished(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)
    folder.append(record("r.0"), Timings(np.array([1])))
    disk.full = True
    with pytest.raises(InvalidRunError, match="the disk is full"):
        folder.append(record("r.1"), Timings(np.array([2])))
    with pytest.raises(InvalidRunError, match="the disk is full"):
        folder.append(record("r.1"))
    with pytest.raises(InvalidRunError, match="the disk is full"):
        folder.write_run(run_of(run="other"))
    assert [r.trial for r in folder.trials()] == ["r.0"]
    assert folder.run().name == "r"
    assert not list(folder.path.rglob("*.tmp"))
    disk.full = False
    folder.append(record("r.1"), Timings(np.array([2])))
    assert (folder.path / "trials.jsonl").read_bytes().count(b"\n") == 2
    assert json.loads((folder.path / "run.json").read_text())["name"] == "r"


ARRAYS = {
    "output/0": np.arange(6, dtype=np.float32).reshape(2, 3),
    "output/1": np.array([[True], [False]]),
    "reduced/right": np.array([1, 0], dtype=np.uint8),
}


def test_answers_are_read_as_they_were_written(folder: RunFolder) -> None:
    folder.write_answers("r.0~2", ARRAYS)
    found = RunFolder.open(folder.path).answers("r.0~2")
    assert found.keys() == ARRAYS.keys()
    for key, array in ARRAYS.items():
        assert found[key].dtype == array.dtype
        assert np.array_equal(found[key], array)
    assert folder.answers("r.0") == {}


@pytest.mark.parametrize("content", [b"", b"junk", b"\xff" * 64])
def test_damaged_answers_are_named(folder: RunFolder, content: bytes) -> None:
    folder.write_answers("r.0", ARRAYS)
    (folder.path / "answers" / "r.0.safetensors").write_bytes(content)
    with pytest.raises(BadInputError, match=r"r\.0\.safetensors is damaged"):
        folder.answers("r.0")


def test_a_full_disk_keeps_no_half_of_the_answers(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)
    disk.full = True
    with pytest.raises(InvalidRunError, match="the disk is full"):
        folder.write_answers("r.0", ARRAYS)
    assert folder.answers("r.0") == {}
    assert not list((folder.path / "answers").iterdir())


def test_a_trial_with_answers_is_read_as_it_was_written(folder: RunFolder) -> None:
    answers = Answers(
        30, "data", "d" * 64, "classification",
        scores=(Score("accuracy", 0.9, 0.7, 0.98, 30), Score("top5", 1.0, None, None, 30)),
        parity=(OutputParity("probabilities", 91.5, 1e-6, 1.0, 3),), parity_samples=30,
    )  # fmt: skip
    folder.append(replace(record("r.0"), kind="outputs", answers=answers))
    assert [trial.answers for trial in folder.trials()] == [answers]

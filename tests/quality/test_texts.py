"""Texts against jiwer's own examples, and CTC by hand."""

import numpy as np
import pytest
from mobilebench.models.array import Array
from mobilebench.quality import transcription
from mobilebench.quality.scoring import estimates
from mobilebench.quality.task import QualityError
from mobilebench.quality.tasks import find_task

jiwer = pytest.importorskip("jiwer")


def found(labels: Array, output: Array, name: str = "") -> dict[str, float]:
    task = find_task(labels, [output], name=name)
    rows = task.reduce([output], labels)
    return {"task": task.name} | {s.name: s.value for s in estimates(task, rows, seed=1)}  # type: ignore[dict-item]


def test_errors_are_jiwers_published_example() -> None:
    # jiwer's usage page: one of two words is another, in two sentences.
    wanted, given = ["hello world", "i like monty python"], ["hello duck", "i like python"]
    assert found(np.array(wanted), np.array(given)) == {
        "task": "transcription",
        "wer": pytest.approx(2 / 6),
        "cer": pytest.approx(jiwer.cer(wanted, given)),
    }
    assert jiwer.wer(wanted, given) == pytest.approx(2 / 6)


@pytest.mark.parametrize(
    ("wanted", "given", "wer"),
    [
        ("hello world", "hello duck", 0.5),
        ("", "noise", None),
        ("a b", "", 1.0),
        ("a  b", " a b", 0),
    ],
)
def test_each_pair_is_jiwers(wanted: str, given: str, wer: float | None) -> None:
    scores = found(np.array([wanted]), np.array([given]))
    assert scores.get("wer") == wer


def test_texts_travel_as_bytes() -> None:
    texts = ["schöne Grüße", "", "日本"]
    coded = transcription.encode(texts)
    assert coded.dtype == np.uint8
    assert transcription.decode(coded).tolist() == texts
    assert found(coded, coded, "transcription") == {"task": "transcription", "wer": 0, "cer": 0}
    with pytest.raises(QualityError, match="no UTF-8"):
        transcription.decode(np.array([[0xFF, 0xFE]], np.uint8))


def test_ctc_takes_the_best_path_without_repeats_and_blanks() -> None:
    # Symbols 0 and 1, blank 2: "0 0 - 0 1 1" says 0, 0, 1.
    path = np.array([[0, 0, 2, 0, 1, 1], [2, 2, 2, 2, 2, 2]])
    scores = np.eye(3)[path]
    assert transcription.greedy(scores) == [[0, 0, 1], []]
    labels = np.array([[0, 0, 1, -1], [1, -1, -1, -1]])
    # No errors in the first three symbols, and the last one is missing.
    assert found(labels, scores, "transcription") == {
        "task": "transcription",
        "cer": pytest.approx(1 / 4),
    }


def test_what_are_no_texts_says_why() -> None:
    with pytest.raises(QualityError, match="give decode\\(outputs\\) that returns texts"):
        find_task(np.array(["yes"]), [np.zeros((1, 20, 29))])
    with pytest.raises(QualityError, match="has 3 symbols, of which the last is CTC's blank"):
        find_task(np.array([[0, 2]]), [np.zeros((1, 20, 3))], name="transcription")

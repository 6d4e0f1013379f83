"""The raw outputs of every sample, from real processes, a real runtime and real models."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from mobilebench_agent import contract, outputs, runtime
from mobilebench_agent.contract import Error, Event, Result
from mobilebench_agent.runtime import AgentError

from tests.support.agent import ask, job, metrics, talk
from tests.support.models import MODELS, sha256
from tests.support.samples import read_outputs, write_samples
from tests.support.tflite_files import changed, with_input

SCALE, ZERO_POINT = 0.003918354399502277, -128
X = np.random.default_rng(1).random((40, 8, 8, 1), dtype=np.float32)

Answer = Callable[..., Result | Error]


@pytest.fixture
def answer(tmp_path: Path) -> Answer:
    """Asks the agent for the outputs of samples; its file goes to a folder of its own."""

    def answer(model: Path, *inputs: Any, **settings: object) -> Result | Error:
        (tmp_path / "out").mkdir(exist_ok=True)
        samples = write_samples(tmp_path / "samples", *inputs)
        folder = str(tmp_path / "out")
        return ask(job(model, "outputs", **{**samples, "outputs_folder": folder, **settings}))

    return answer


def outputs_of(result: Result | Error) -> dict[str, Any]:
    assert isinstance(result, Result), result
    path = Path(result.outputs)
    assert (sha256(path), path.stat().st_size) == (result.outputs_sha256, result.outputs_bytes)
    return read_outputs(path)


def expected(model: Path, *samples: Any) -> list[Any]:
    """What the runtime's plain kernels answer to one sample, with its batch."""
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(str(model), experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    for detail, sample in zip(interpreter.get_input_details(), samples, strict=True):
        interpreter.set_tensor(detail["index"], sample)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def refused(result: Result | Error, code: str, words: str) -> None:
    assert isinstance(result, Error), result
    assert (result.code, words in result.message) == (code, True), result


def test_every_output_of_every_sample_comes_back(
    model_file: Path, answer: Answer, tmp_path: Path
) -> None:
    result = answer(model_file, X)
    found = outputs_of(result)
    assert isinstance(result, Result)
    assert Path(result.outputs).parent == tmp_path / "out"
    assert list(found) == ["0"]
    assert (found["0"].dtype, found["0"].shape) == (np.float32, (40, 10))
    for number in (0, 17, 39):
        (right,) = expected(model_file, X[number : number + 1])
        assert np.allclose(found["0"][number], right[0], atol=1e-6)
    count = metrics(result)["answered_samples"]
    assert (count.value, count.unit, count.source) == (40, "1", "count")


def test_without_a_folder_it_chooses_one(model_file: Path, answer: Answer) -> None:
    result = answer(model_file, X[:2], outputs_folder="")
    assert outputs_of(result)["0"].shape == (2, 10)
    assert isinstance(result, Result)
    Path(result.outputs).unlink()


def test_progress_is_an_event_of_its_own(model_file: Path, tmp_path: Path) -> None:
    samples = write_samples(tmp_path / "s", np.repeat(X, 3000, axis=0))
    wanted = job(model_file, "outputs", **samples, outputs_folder=str(tmp_path))
    _, *events, _ = talk(contract.encode(wanted))
    done = [e.done for e in events if isinstance(e, Event) and e.phase == "outputs"]
    assert done == sorted(done)
    assert len(done) > 1
    assert all(0 <= d < 1 for d in done)
    assert isinstance(events[0], Event)
    assert events[0].phase == "load"


def test_integers_stay_integers(answer: Answer) -> None:
    model = MODELS / "small_int8_input.tflite"
    result = answer(model, X)
    found = outputs_of(result)["0"]
    interpreter = Interpreter(str(model))
    (detail,) = interpreter.get_output_details()
    assert found.dtype == detail["dtype"]
    # Samples that are quantized already go in as they are, whatever their width.
    levels = np.clip(np.rint(X / np.float32(SCALE)) + ZERO_POINT, -128, 127)
    for kind in (np.int8, np.int16, np.int64):
        own = answer(model, levels.astype(kind))
        assert np.array_equal(outputs_of(own)["0"], found)
        assert isinstance(own, Result)
        assert own.warnings == ()
    for kind in (np.float16, np.float64):
        assert np.abs(outputs_of(answer(model, X.astype(kind)))["0"] - found.astype(int)).max() < 3


def test_clipped_samples_are_warned_of(answer: Answer) -> None:
    result = answer(MODELS / "small_int8_input.tflite", 255 * X)
    assert isinstance(result, Result)
    (warning,) = result.warnings
    assert "% of the values of the samples are beyond the range of the model's input" in warning


def two_of_each(model_file: Path, path: Path) -> Path:
    """The small model with the bias of its first layer as an input, and that layer as an output."""

    def change(graph: Any) -> None:
        bias = int(graph.operators[0].inputs[2])
        graph.tensors[bias].buffer = 0
        graph.inputs = np.array([graph.inputs[0], bias], np.int32)
        first = int(graph.operators[0].outputs[0])
        graph.outputs = np.array([first, graph.outputs[0]], np.int32)

    path.write_bytes(changed(model_file.read_bytes(), change))
    return path


def test_several_inputs_and_outputs(model_file: Path, answer: Answer, tmp_path: Path) -> None:
    model = two_of_each(model_file, tmp_path / "two.tflite")
    bias = np.random.default_rng(2).random((40, 4), dtype=np.float32)
    found = outputs_of(answer(model, X, bias))
    assert [found[name].shape for name in "01"] == [(40, 6, 6, 4), (40, 10)]
    for number in (0, 39):
        layer, classes = expected(model, X[number : number + 1], bias[number])
        assert np.allclose(found["0"][number], layer[0], atol=1e-6)
        assert np.allclose(found["1"][number], classes[0], atol=1e-6)


def test_a_batch_is_run_sample_by_sample(answer: Answer, tmp_path: Path) -> None:
    batch = tmp_path / "batch.tflite"
    batch.write_bytes(with_input((MODELS / "not_a_number.tflite").read_bytes(), [3, 4]))
    (detail,) = Interpreter(str(batch)).get_input_details()
    assert detail["shape"].tolist() == [3, 4]
    x = 20 + X[:7].reshape(7, 64)[:, :4]
    assert np.allclose(outputs_of(answer(batch, x))["0"], np.log(x - 10), atol=1e-5)


def test_answers_do_not_depend_on_how_samples_are_split(model_file: Path, answer: Answer) -> None:
    whole = outputs_of(answer(model_file, X))["0"]
    parts = [outputs_of(answer(model_file, X[n : n + 15]))["0"] for n in range(0, 40, 15)]
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([X.reshape(40, 64)], "have shape (64), and the model takes (8, 8, 1)"),
        ([X[:0]], "at least one"),
        ([X, X], "the model has 1 inputs, and the samples are for 0, 1"),
        ([], "the samples are for none"),
        ([np.float32(1)], "at least one"),
    ],
)
def test_samples_that_do_not_fit(
    model_file: Path, answer: Answer, tmp_path: Path, inputs: list[Any], words: str
) -> None:
    refused(answer(model_file, *inputs), "inputs_bad", words)
    assert list((tmp_path / "out").iterdir()) == []


def test_samples_of_another_number(model_file: Path, answer: Answer, tmp_path: Path) -> None:
    model = two_of_each(model_file, tmp_path / "two.tflite")
    bias = np.zeros((39, 4), np.float32)
    refused(answer(model, X, bias), "inputs_bad", "the same number of samples")


def test_fractions_and_numbers_beyond_the_range(answer: Answer) -> None:
    model = MODELS / "look_up.tflite"
    whole = np.array([[0, 1, 2, 3], [6, 5, 4, 3]])
    found = outputs_of(answer(model, whole))["0"]
    assert np.array_equal(outputs_of(answer(model, whole.astype(np.float32)))["0"], found)
    refused(answer(model, whole + 0.5), "inputs_bad", "the samples have fractions")
    quantized = MODELS / "small_int8_input.tflite"
    refused(answer(quantized, 300 * np.ones((1, 8, 8, 1), np.int32)), "inputs_bad", "beyond -128")
    refused(answer(quantized, np.nan * X), "inputs_bad", "have a NaN")


def test_a_file_that_is_none(model_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "samples"
    path.write_bytes(b"PK\3\4 is another format")
    settings = {"inputs": str(path), "inputs_sha256": sha256(path), "outputs_folder": str(tmp_path)}
    refused(ask(job(model_file, "outputs", **settings)), "inputs_bad", "samples cannot be used")
    path.write_bytes(b"changed")
    refused(ask(job(model_file, "outputs", **settings)), "inputs_bad", "not the file that was sent")
    gone = {**settings, "inputs": str(tmp_path / "gone")}
    refused(ask(job(model_file, "outputs", **gone)), "inputs_bad", "cannot read")


def test_nan_names_the_sample(answer: Answer, tmp_path: Path) -> None:
    x = np.full((5, 4), 20, np.float32)
    model = MODELS / "not_a_number.tflite"
    assert outputs_of(answer(model, x))["0"].shape == (5, 4)
    (tmp_path / "out").rename(tmp_path / "before")
    x[3, 2] = 1
    refused(answer(model, x), "output_nan", "holds NaN or infinity for sample 3")
    assert list((tmp_path / "out").iterdir()) == []


def test_no_room_for_the_outputs(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    (tmp_path / "out").mkdir()
    samples = write_samples(tmp_path / "samples", X)
    wanted = job(model_file, "outputs", **samples, outputs_folder=str(tmp_path / "out"))
    with pytest.raises(AgentError, match="No space left") as caught:
        outputs.measure(runtime.find(), wanted, lambda *_: None)
    assert caught.value.code == "storage_full"
    assert list((tmp_path / "out").iterdir()) == []


class Answers:
    """An interpreter whose outputs are given: one list of arrays a sample."""

    def __init__(self, *outputs: list[Any], batch: int = 1) -> None:
        self._outputs = outputs
        self._batch = batch
        self._number = -1
        self.resets = 0

    def get_input_details(self) -> list[dict[str, Any]]:
        shape = [self._batch]
        return [
            {"index": 0, "name": "x", "dtype": np.float32, "shape": shape, "quantization": (0.0, 0)}
        ]

    def resize_tensor_input(self, *_: object) -> None:
        raise RuntimeError("num_input_elements != num_output_elements")

    def get_output_details(self) -> list[dict[str, Any]]:
        return [
            {"index": n, "name": f"y{n}", "dtype": values.dtype.type}
            for n, values in enumerate(self._outputs[0])
        ]

    def reset_all_variables(self) -> None:
        self.resets += 1

    def set_tensor(self, index: int, values: Any) -> None:
        pass

    def invoke(self) -> None:
        self._number += 1

    def get_tensor(self, index: int) -> Any:
        return self._outputs[self._number][index]


@pytest.fixture
def given_by(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Answers, int], Result]:
    def measure(answers: Answers, count: int) -> Result:
        monkeypatch.setattr(runtime, "load", lambda *_: answers)
        samples = write_samples(tmp_path / "samples", np.zeros(count, np.float32))
        wanted = job(model_file, "outputs", **samples, outputs_folder=str(tmp_path))
        return outputs.measure(runtime.find(), wanted, lambda *_: None)

    return measure


def test_one_sample_has_no_batch(given_by: Callable[[Answers, int], Result]) -> None:
    kinds = [np.float16([[1, 2]]), np.int64(7), np.array([True]), np.zeros((3, 2), np.uint8)]
    answers = Answers(kinds, [values + values for values in kinds])
    found = read_outputs(given_by(answers, 2).outputs)
    assert [found[str(n)].shape for n in range(4)] == [(2, 2), (2,), (2,), (2, 3, 2)]
    assert [found[str(n)].dtype for n in range(4)] == [np.float16, np.int64, bool, np.uint8]
    assert found["0"].tolist() == [[1, 2], [2, 4]]
    assert answers.resets == 2


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (Answers([np.zeros((1, 3))], [np.zeros((2, 3))]), "shape (1, 3) for sample 0 and (2, 3)"),
        (Answers([np.zeros(1, np.complex64)]), "type complex64, which cannot be given back"),
        (Answers([np.array([b"word"])]), "cannot be given back"),
    ],
)
def test_outputs_that_cannot_be_given_back(
    given_by: Callable[[Answers, int], Result], answers: Answers, words: str
) -> None:
    with pytest.raises(AgentError) as caught:
        given_by(answers, 2)
    assert (caught.value.code, words in str(caught.value)) == ("outputs_unsupported", True)


def test_a_batch_that_cannot_be_resized(given_by: Callable[[Answers, int], Result]) -> None:
    with pytest.raises(AgentError, match=r"its input 'x' has the fixed shape \(8\)") as caught:
        given_by(Answers([np.zeros((8, 2))], batch=8), 2)
    assert caught.value.code == "inputs_bad"

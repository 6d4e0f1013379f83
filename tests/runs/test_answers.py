"""Samples go to a device in batches; its answers are scored, compared and, in part, kept."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.devices.base import InvalidTrialError, TrialError
from mobilebench.models.hooks import Hooks
from mobilebench.records.answers import Score
from mobilebench.records.interface import Interface, Quantization, TensorInfo
from mobilebench.runs import answers, samples, scoring
from mobilebench.runs.answers import Evaluation, Found, ask
from mobilebench.runs.references import Reference
from mobilebench.runs.samples import Samples
from mobilebench_agent import contract
from mobilebench_agent.contract import Event, Job, Metric, Result
from safetensors.numpy import load, load_file, save, save_file

from tests.support.scripted_device import ScriptedDevice

JOB = Job(contract.PROTOCOL_VERSION, "r.0", "latency", "m.tflite", "0" * 64)
#: Four numbers in, three classes out.
FLOAT = Interface((TensorInfo("x", (1, 4), "float32"),), (TensorInfo("scores", (1, 3), "float32"),))
QUANTIZED = replace(
    FLOAT, outputs=(TensorInfo("scores", (1, 3), "int8", Quantization(1 / 256, -128)),)
)

#: From the inputs of a batch to its raw outputs.
Model = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def softmax(values: Any) -> Any:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def classify(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"0": softmax(3 * inputs["0"][:, :3]).astype(np.float32)}


class Answering(ScriptedDevice):
    """Answers as a function does, and remembers which samples it has."""

    def __init__(self, model: Model = classify) -> None:
        super().__init__()
        self.model = model
        self.most = 0
        self.asked: list[int] = []
        self.invalid = False
        self.error: TrialError | None = None

    def push(self, file: Path, sha256: str) -> str:
        path = super().push(file, sha256)
        self.most = max(self.most, len(self.files))
        return path

    def run(self, job: Job, on_event: Any, timeout_seconds: float) -> Result:  # noqa: ARG002
        assert job.kind == "outputs"
        content = self.files[job.inputs].read_bytes()
        assert hashlib.sha256(content).hexdigest() == job.inputs_sha256
        inputs = load(content)
        assert all(name.isdecimal() for name in inputs)
        self.asked.append(len(inputs["0"]))
        on_event(Event(job.trial, "outputs", 0.5))
        if self.error is not None:
            raise self.error
        given = save(dict(self.model(inputs)))
        metric = Metric("answered_samples", "1", "count", self.asked[-1], 1, n=1)
        result = replace(self.write(job, given, (metric,)), warnings=("as warm as ever",))
        if self.invalid:
            raise InvalidTrialError("throttled", "heat slowed it down", result)
        return result


def data(
    folder: Path, count: int = 40, labels: Any = True, metadata: Any = None, **settings: Any
) -> Samples:
    """Samples whose classes ``classify`` gets right, all but every tenth."""
    x = np.random.default_rng(0).random((count, 4), dtype=np.float32)
    arrays: dict[str, Any] = {"0": x}
    if labels is True:
        labels = x[:, :3].argmax(axis=1)
        labels[::10] = (labels[::10] + 1) % 3
    if labels is not None:
        arrays["labels"] = labels
    path = folder / "samples.safetensors"
    save_file(arrays, path, metadata)
    return Samples(path, "d" * 64, count, settings.pop("source", "data"), **settings)


def asked(
    device: Answering, found: Samples, interface: Interface = FLOAT, **evaluation: Any
) -> Found:
    return ask(device, JOB, Evaluation(interface, found, **evaluation), lambda _: None, 9, 0)


def reference_of(folder: Path, found: Samples, model: Model, size: int = 1000) -> Reference:
    inputs = load_file(found.path)
    count, size = min(32, found.count), min(size, found.count)
    files = []
    for start in range(0, count, size):
        part = {"0": inputs["0"][start : min(start + size, count)]}
        files.append(folder / f"reference-{start}.safetensors")
        save_file(dict(model(part)), files[-1])
    return Reference(FLOAT, tuple(files), size, count)


def small_batches(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Batches of so many samples of four numbers with three classes."""
    monkeypatch.setattr(samples, "BATCH_BYTES", count * (16 + 12))


def test_answers_are_scored_and_kept(tmp_path: Path) -> None:
    device = Answering()
    found = asked(device, data(tmp_path))
    (score,) = found.answers.scores
    assert (found.answers.task, found.answers.reason) == ("classification", "")
    assert (score.name, score.value, score.n) == ("accuracy", 36 / 40, 40)
    assert score.low is not None
    assert score.low < score.value
    assert device.asked == [40]
    assert found.arrays["output/0"].shape == (40, 3)
    assert found.arrays["reduced/right"].sum() == 36
    assert found.result is not None
    assert found.result.warnings == ("as warm as ever",)


def test_batches_give_what_one_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = asked(Answering(), data(tmp_path))
    small_batches(monkeypatch, 7)
    device = Answering()
    events: list[Event] = []
    parts = ask(device, JOB, Evaluation(FLOAT, data(tmp_path)), events.append, 9, 0)
    assert device.asked == [7, 7, 7, 7, 7, 5]
    assert parts.answers == whole.answers
    for name, array in whole.arrays.items():
        assert np.array_equal(parts.arrays[name], array)
    assert device.most == 1  # at most one batch is on the device
    assert not device.files
    assert parts.result is not None
    (answered_samples,) = parts.result.metrics
    assert answered_samples.value == 40
    done = [event.done for event in events]
    assert done == sorted(done)
    assert done[-1] == pytest.approx(37.5 / 40)


def test_memory_is_that_of_one_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape, count, batch = (36, 36, 4), 2000, 2 << 20
    monkeypatch.setattr(samples, "BATCH_BYTES", batch)
    monkeypatch.setattr(answers, "_ALL_BYTES", batch)
    monkeypatch.setattr(answers, "_FIRST_BYTES", batch)
    monkeypatch.setattr(scoring, "_LABEL_BYTES", batch // 16)
    # Intervals take memory of their own, however large a sample is.
    monkeypatch.setattr(scoring, "estimates", lambda *_, **__: (Score("miou", 1, None, None, 1),))
    interface = Interface(
        FLOAT.inputs, (TensorInfo("masks", (1, *shape), "uint8", Quantization(1 / 255, 0)),)
    )
    labels = np.zeros((count, *shape[:2]), np.uint8)

    def segment(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        rows = np.zeros((len(inputs["0"]), *shape), np.uint8)
        rows[..., 0] = 255
        return {"0": rows}

    found = data(tmp_path, count, labels, task="segmentation")
    device = Answering(segment)
    tracemalloc.start()
    try:
        result = asked(device, found, interface)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    everything = count * int(np.prod(shape)) * 4
    assert everything > 15 * batch
    assert peak < 6 * batch
    assert len(device.asked) > 15
    assert device.most == 1
    assert result.answers.scores[0].name == "miou"
    assert result.arrays["output/0"].nbytes <= batch


def test_quantized_answers_become_real(tmp_path: Path) -> None:
    def quantized(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        levels = np.rint(classify(inputs)["0"] * 256) - 128
        return {"0": np.clip(levels, -128, 127).astype(np.int8)}

    found = data(tmp_path)
    result = asked(Answering(quantized), found, QUANTIZED)
    expected = classify(load_file(found.path))["0"]
    assert result.arrays["output/0"].dtype == np.float32
    assert np.abs(result.arrays["output/0"] - expected).max() <= 1 / 256
    assert result.answers.scores[0].name == "accuracy"


def two_outputs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, labels: Mapping[str, Any], hooks: Hooks
) -> Found:
    """Classes and a number, the latter half a unit off, asked in batches of seven samples."""
    small_batches(monkeypatch, 7)
    found = data(folder, labels=None)
    x = load_file(found.path)["0"]
    kinds = {"classes": x[:, :3].argmax(axis=1), "sum": x.sum(axis=1)}
    arrays = {f"labels/{name}": kinds[of] for name, of in labels.items()}
    save_file({"0": x, **arrays}, found.path)
    ends = (*FLOAT.outputs, TensorInfo("total", (1, 1), "float32"))

    def model(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        off = inputs["0"].sum(axis=1, keepdims=True) + np.float32(0.5)
        return {**classify(inputs), "1": off}

    return asked(Answering(model), found, replace(FLOAT, outputs=ends), hooks=hooks)


@pytest.mark.parametrize(
    "labels", [{"total": "sum", "scores": "classes"}, {"0": "classes", "1": "sum"}]
)
def test_each_output_with_labels_is_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: Mapping[str, Any]
) -> None:
    found = two_outputs(tmp_path, monkeypatch, labels, Hooks()).answers
    assert (found.task, found.reason) == ("classification + regression", "")
    values = {score.name: score.value for score in found.scores}
    assert values["accuracy"] == 1
    assert values["mae"] == pytest.approx(0.5, abs=1e-5)
    assert found.scores[0].name == "accuracy"
    assert found.scores[0].low is not None


def test_labels_of_no_output_leave_quality_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = {"kind": "classes", "total": "sum"}
    found = two_outputs(tmp_path, monkeypatch, labels, Hooks()).answers
    assert "labels for 'kind', 'total', and the model's outputs are 'scores', 'total'" in (
        found.reason
    )


def test_evaluate_is_given_the_labels_of_each_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluate(outputs: Any, labels: Any) -> Any:
        return np.abs(outputs[1][:, 0] - labels["sum"])

    labels = {"classes": "classes", "sum": "sum"}
    found = two_outputs(tmp_path, monkeypatch, labels, Hooks(evaluate=evaluate)).answers
    (score,) = found.scores
    assert score.value == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize("size", [1000, 5])
def test_parity_with_the_reference_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    if size < 1000:
        small_batches(monkeypatch, size)
    found = data(tmp_path)
    reference = reference_of(tmp_path, found, classify, size)
    (alike,) = asked(Answering(), found, reference=reference).answers.parity
    assert (alike.output, alike.snr_db, alike.largest_error) == ("scores", 150, 0)
    assert alike.agreement == 1

    def planted(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Wrong for one sample, whichever batch it is in."""
        rows = np.array(classify(inputs)["0"])
        wrong = (inputs["0"] == load_file(found.path)["0"][17]).all(axis=1)
        rows[wrong] = rows[wrong][:, ::-1] * 0 + [0, 0, 1]
        return {"0": rows}

    result = asked(Answering(planted), found, reference=reference).answers
    (parity,) = result.parity
    assert (result.parity_samples, result.parity_reason) == (32, "")
    assert parity.worst_sample == 17
    assert parity.snr_db < 20
    assert parity.largest_error > 0.1
    assert parity.agreement in (31 / 32, 1)


def test_a_kernel_that_is_wrong_everywhere_has_no_parity(tmp_path: Path) -> None:
    found = data(tmp_path)
    reference = reference_of(tmp_path, found, classify)
    shuffled = asked(
        Answering(lambda inputs: {"0": classify(inputs)["0"][:, ::-1].copy()}),
        found,
        reference=reference,
    )
    (parity,) = shuffled.answers.parity
    assert parity.snr_db < 3
    assert parity.agreement is not None
    assert parity.agreement < 0.7


def test_no_reference_answers_is_said(tmp_path: Path) -> None:
    result = asked(Answering(), data(tmp_path), reference=Reference(reason="no runtime here"))
    assert result.answers.parity == ()
    assert (result.answers.parity_samples, result.answers.parity_reason) == (0, "no runtime here")


def test_a_file_that_fails_has_no_answers_of_a_delegate(tmp_path: Path) -> None:
    reason = "no reference answers: the model fails on sample 0: a variable was never set"
    broken = Reference(reason=reason, fails=True)
    with pytest.raises(TrialError, match=r"plain kernels none.*a variable was never set") as failed:
        asked(Answering(), data(tmp_path), reference=broken)
    assert failed.value.code == "file_fails"


def test_other_shapes_than_the_reference_s(tmp_path: Path) -> None:
    found = data(tmp_path)
    open_end = replace(FLOAT, outputs=(TensorInfo("scores", (1, None), "float32"),))
    reference = replace(reference_of(tmp_path, found, classify), interface=open_end)
    result = asked(
        Answering(lambda inputs: {"0": classify(inputs)["0"][:, :2].copy()}),
        found,
        open_end,
        reference=reference,
    )
    assert "has the shape [2] on the device, and [3]" in result.answers.parity_reason


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"labels": None}, "no labels"),
        ({"source": "noise"}, "noise"),
        ({"reason": "they are of another model"}, "they are of another model"),
        ({"task": "detection"}, "detection"),
        ({"task": "divination"}, "no task 'divination'"),
        ({"labels": np.full(40, 7)}, "labels go up to 7"),
    ],
)
def test_what_cannot_be_scored_says_why(
    tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    result = asked(Answering(), data(tmp_path, **settings))
    assert (result.answers.scores, result.answers.task) == ((), "")
    assert words in result.answers.reason
    assert result.answers.samples == 40
    assert "output/0" in result.arrays
    assert not [name for name in result.arrays if name.startswith("reduced/")]


def test_text_labels_are_texts(tmp_path: Path) -> None:
    word = "été"
    rows = np.zeros((40, 8), np.uint8)
    rows[:, : len(word.encode())] = list(word.encode())
    seen: list[Any] = []

    def evaluate(outputs: Any, labels: Any) -> Any:
        seen.extend(labels)
        return np.ones(len(outputs))

    found = data(tmp_path, labels=rows, metadata={"labels": "text"})
    result = asked(Answering(), found, hooks=Hooks("d.py", evaluate=evaluate))
    assert seen == [word] * 40
    assert result.answers.task == "own"


def test_a_user_s_own_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluate(outputs: Any, labels: Any) -> Any:
        return np.abs(outputs - labels)

    hooks = Hooks(
        "d.py",
        decode=lambda outputs: outputs.argmax(axis=-1),
        evaluate=evaluate,
        direction="lower",
    )
    small_batches(monkeypatch, 9)
    result = asked(Answering(), data(tmp_path), hooks=hooks)
    (score,) = result.answers.scores
    assert (result.answers.task, score.name) == ("own", "loss")
    assert score.value > 0
    assert score.low is not None
    assert len(result.arrays["reduced/value"]) == 40


def test_one_number_of_all_samples_has_no_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = Hooks("d.py", evaluate=lambda outputs, _: float(outputs.max()))
    (score,) = asked(Answering(), data(tmp_path), hooks=hooks).answers.scores
    assert (score.name, score.low, score.high, score.n) == ("score", None, None, 40)
    small_batches(monkeypatch, 9)
    result = asked(Answering(), data(tmp_path), hooks=hooks)
    assert result.answers.scores == ()
    assert "several batches" in result.answers.reason


@pytest.mark.parametrize("hook", ["decode", "evaluate"])
def test_a_hook_that_raises_leaves_quality_out(tmp_path: Path, hook: str) -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("oops")

    found = data(tmp_path)
    result = asked(
        Answering(),
        found,
        hooks=Hooks("d.py", **{hook: broken}),
        reference=reference_of(tmp_path, found, classify),
    )
    assert result.answers.scores == ()
    assert hook in result.answers.reason
    assert "KeyError: 'oops'" in result.answers.reason
    assert result.answers.parity[0].snr_db == 150


def test_heat_leaves_answers_as_they_are(tmp_path: Path) -> None:
    device = Answering()
    device.invalid = True
    result = asked(device, data(tmp_path))
    assert result.answers.scores[0].value == 36 / 40
    assert result.result is not None
    assert "answered although heat slowed it down" in result.result.warnings


@pytest.mark.parametrize("code", ["inputs_bad", "outputs_unsupported"])
def test_samples_or_outputs_that_do_not_fit_are_said(tmp_path: Path, code: str) -> None:
    device = Answering()
    device.error = TrialError(code, "it does not fit")
    result = asked(device, data(tmp_path))
    assert (result.answers.samples, result.answers.reason) == (0, "it does not fit")
    assert result.arrays == {}


def test_a_device_that_fails_is_a_failed_trial(tmp_path: Path) -> None:
    device = Answering()
    device.error = TrialError("agent_died", "it is gone")
    with pytest.raises(TrialError, match="it is gone"):
        asked(device, data(tmp_path))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda i: {"0": classify(i)["0"][1:].copy()}, "came back as float32"),
        (lambda i: {"0": classify(i)["0"].astype(np.float64)}, "came back as float64"),
        (lambda i: {"1": classify(i)["0"]}, "the outputs file has 1"),
        (lambda i: {**classify(i), "1": classify(i)["0"]}, "the model has 1 outputs"),
        (lambda i: {"0": np.full((len(i["0"]), 3), np.nan, np.float32)}, "for sample 0"),
        (lambda i: {"0": np.zeros((len(i["0"]), 300_000), np.float32)}, "at most"),
    ],
)
def test_what_is_no_answer_to_the_samples(tmp_path: Path, model: Model, words: str) -> None:
    with pytest.raises(TrialError, match=words):
        asked(Answering(model), data(tmp_path))


def test_no_samples_at_all_is_said() -> None:
    device = Answering()
    found = ask(device, JOB, Evaluation(reason="input 'x' takes strings"), lambda _: None, 9, 0)
    assert (found.answers.samples, found.answers.reason) == (0, "input 'x' takes strings")
    assert device.asked == []


def levels(*values: int) -> Model:
    """One number a sample, in 256 steps: those levels in turn."""
    return lambda inputs: {"0": np.resize(np.array(values, np.int8), (len(inputs["0"]), 1))}


@pytest.mark.parametrize(
    ("expected", "given", "alike"),
    [
        (levels(127), levels(126), True),  # an output that does not vary, and its last digit
        (levels(3, 5), levels(4, 4), True),
        (levels(3, 5), levels(5, 3), False),
        (levels(127), levels(0), False),
    ],
)
def test_the_last_digit_is_no_noise(
    tmp_path: Path, expected: Model, given: Model, alike: bool
) -> None:
    interface = replace(
        FLOAT, outputs=(TensorInfo("score", (1, 1), "int8", Quantization(1 / 256, -128)),)
    )
    found = data(tmp_path)
    reference = replace(reference_of(tmp_path, found, expected), interface=interface)
    (parity,) = asked(Answering(given), found, interface, reference=reference).answers.parity
    assert (parity.snr_db == 150) == alike
    assert parity.snr_db < 20 or alike


def test_a_constant_output_and_rounding(tmp_path: Path) -> None:
    found = data(tmp_path)
    ones: Model = lambda inputs: {"0": np.ones((len(inputs["0"]), 3), np.float32)}  # noqa: E731
    near: Model = lambda inputs: {"0": ones(inputs)["0"] * np.float32(1 - 6e-8)}  # noqa: E731
    other: Model = lambda inputs: {"0": ones(inputs)["0"] * np.float32(0.9)}  # noqa: E731
    reference = reference_of(tmp_path, found, ones)
    assert asked(Answering(near), found, reference=reference).answers.parity[0].snr_db == 150
    assert asked(Answering(other), found, reference=reference).answers.parity[0].snr_db == -150

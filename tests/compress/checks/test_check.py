from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.checks import check
from mobilebench.errors import StepError
from mobilebench.models.datasets import load_dataset
from mobilebench.tflite.interpreter import Runner

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def samples(digits: Any) -> list[Any]:
    found = load_dataset(str(digits.data)).calibration_samples(32, 0)
    assert found is not None
    return list(found)


@pytest.fixture
def sound(digits: Any, samples: list[Any]) -> check.Examination:
    return check.examine(digits.tflite.read_bytes(), samples)


def test_a_sound_model(sound: check.Examination) -> None:
    assert sound.outputs.shape == (32, 10)
    assert sound.zero_share == 0
    assert sound.delegation["nodes"] == sound.delegation["delegated"] == 3
    assert sound.findings()["bytes"] == sound.size


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_nan_weights_are_caught(
    digits: Any, samples: list[Any], tmp_path: Path, broken: float
) -> None:
    from mobilebench.compress.pipeline.convert import convert_keras
    from mobilebench.models.sources import find_source, load_keras

    model = load_keras(find_source(str(digits.model))).model
    weights = model.get_weights()
    weights[2][3, 4] = broken
    model.set_weights(weights)
    content = convert_keras(model, tmp_path)
    wanted = np.asarray(model(np.stack(samples)))

    def checks() -> None:  # XNNPACK turns infinity into a plausible answer, Keras does not
        check.compare_conversion({"output_0": wanted}, check.examine(content, samples))

    with pytest.raises(StepError, match="NaN or infinity"):
        checks()


def test_a_wrong_conversion_is_caught(sound: check.Examination) -> None:
    same = check.compare_conversion({"scores": sound.outputs}, sound)
    assert same == {"conversion_error": 0.0}
    with pytest.raises(StepError, match="converted model differs"):
        check.compare_conversion({"scores": sound.outputs * 1.01}, sound)
    with pytest.raises(StepError, match="10 values where the model gives 9"):
        check.compare_conversion({"scores": sound.outputs[:, 1:]}, sound)


def test_every_output_counts(sound: check.Examination) -> None:
    two = replace(sound, parts={"large": slice(0, 9), "small": slice(9, 10)})
    outputs = np.array(sound.outputs)
    outputs[:, :9] *= 1000
    two = replace(two, outputs=outputs, size=1000)
    wanted = {"small": outputs[:, 9:], "large": outputs[:, :9]}
    assert check.compare_conversion(wanted, two) == {"conversion_error": 0.0}
    other = wanted | {"small": 1.1 * wanted["small"]}
    with pytest.raises(StepError, match=r"differs from the model by .* in output 'small'"):
        check.compare_conversion(other, two)
    with pytest.raises(StepError, match="gives large, small where the model gives large, tiny"):
        check.compare_conversion({"large": wanted["large"], "tiny": wanted["small"]}, two)
    outputs = outputs.copy()
    outputs[:, 9] *= 1.3
    smaller = replace(two, outputs=outputs, size=999)
    findings, (warning,) = check.compare_quantized(two, smaller)
    small = outputs[:, 9] / 1.3
    snr = 10 * np.log10(small.var() / ((0.3 * small) ** 2).mean())
    assert findings["outputs"]["small"]["snr_db"] == pytest.approx(snr)
    assert findings["outputs"]["large"]["snr_db"] == 150
    assert warning == (
        f"outputs moved: an error of {100 * 10 ** (-snr / 20):.0f} % of their spread "
        f"({snr:.1f} dB) when quantized, in output 'small'"
    )
    outputs[:, 9] = 0
    with pytest.raises(StepError, match=r"broke the model: .* an error of 1\d\d % .* 'small'"):
        check.compare_quantized(two, replace(smaller, outputs=outputs))


def test_what_is_no_classifier_is_judged_by_its_error(sound: check.Examination) -> None:
    """Restored values have no class, though one of them is the largest."""
    random = np.random.default_rng(0)
    restored = random.uniform(0, 2, (32, 640))
    before = replace(sound, parts={"restored": slice(0, 640)}, outputs=restored)
    outputs = restored + random.normal(0, 0.03, restored.shape)
    findings, warnings = check.compare_quantized(
        before, replace(before, outputs=outputs, size=before.size - 1)
    )
    assert warnings == ()
    assert findings["snr_db"] == pytest.approx(25.7, abs=0.3)
    assert "top1_agreement" not in findings
    labels = replace(before, labelled=True)
    found = check.compare_quantized(labels, replace(labels, outputs=outputs, size=1))
    assert found[0]["top1_agreement"] < 0.9
    assert "keep their class when quantized" in found[1][0]
    trained = replace(before, outputs=random.normal(1, 1, restored.shape))
    assert "outputs moved: an error of" in check.compare_trained(before, trained)[1][0]


def test_a_broken_quantization_is_caught(sound: check.Examination) -> None:
    smaller = replace(sound, size=sound.size - 1)
    findings, warnings = check.compare_quantized(sound, smaller)
    assert findings == {"cosine": pytest.approx(1), "snr_db": 150, "top1_agreement": 1.0}
    assert warnings == ()
    assert "the file did not get smaller" in check.compare_quantized(sound, sound)[1][0]
    with pytest.raises(StepError, match="quantization broke the model"):
        check.compare_quantized(sound, replace(smaller, outputs=sound.outputs[:, ::-1]))
    with pytest.raises(StepError, match="quantization broke the model"):
        check.compare_quantized(sound, replace(smaller, outputs=sound.outputs * 0))
    with pytest.raises(StepError, match="undid pruning"):
        check.compare_quantized(replace(sound, zeros=800, weights=1000), replace(smaller, zeros=0))
    moved = sound.outputs + 0.2 * np.random.default_rng(0).random(sound.outputs.shape)
    assert "outputs moved" in check.compare_quantized(sound, replace(smaller, outputs=moved))[1][0]


def test_retraining_may_move_outputs_but_not_flatten_them(sound: check.Examination) -> None:
    turned = replace(sound, outputs=sound.outputs[:, ::-1])
    assert "keep their class" in check.compare_trained(sound, turned)[1][0]
    flat = replace(sound, outputs=np.tile(sound.outputs[0], (32, 1)))
    with pytest.raises(StepError, match="same answer to every sample"):
        check.compare_trained(sound, flat)


def test_zeros_are_counted_in_the_file(sound: check.Examination) -> None:
    file = replace(sound, zeros=800, weights=1000)
    assert check.compare_zeros(0.8, 1000, file) == ()
    assert check.compare_zeros(0.805, 1000, file) == ()
    for asked in (0.85, 0.75):
        with pytest.raises(StepError, match=r"80\.0 % of the weights are zero in the file instead"):
            check.compare_zeros(asked, 1000, file)
    assert check.compare_zeros(0.8, 1000, replace(file, weights=5000)) == ()
    assert "could not be checked" in check.compare_zeros(0.8, 2000, file)[0]


def test_lost_delegation_is_named(sound: check.Examination) -> None:
    lost = {**sound.delegation, "left": {"FULLY_CONNECTED": 2}}
    (warning,) = check.compare_delegation(sound, replace(sound, delegation=lost))
    assert "leaves more to slower kernels: 2 FULLY_CONNECTED" in warning
    assert check.compare_delegation(replace(sound, delegation=lost), sound) == ()
    smaller = replace(sound, size=sound.size - 1, delegation=lost)
    assert warning in check.compare_quantized(sound, smaller)[1]
    assert warning in check.compare_trained(sound, smaller)[1]


def test_constant_answers_are_told(sound: check.Examination) -> None:
    flat = replace(sound, outputs=np.tile(sound.outputs.mean(axis=0), (32, 1)))
    assert check.base_warnings(sound) == ()
    assert "same answer to every sample" in check.base_warnings(flat)[0]


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_a_torn_file_is_refused(digits: Any, share: float) -> None:
    content = digits.tflite.read_bytes()
    with pytest.raises(StepError, match="cannot read it"):
        Runner(content[: int(len(content) * share)])


@pytest.mark.parametrize(
    ("lost", "gained", "is_said"), [(0, 0, False), (9, 0, True), (9, 6, False)]
)
def test_lost_right_answers_are_warned_of(
    monkeypatch: pytest.MonkeyPatch, lost: int, gained: int, is_said: bool
) -> None:
    """As where a copy of a model forgets what its Normalization was adapted to."""
    labels = np.arange(128) % 3
    before, after = np.eye(3)[labels], np.eye(3)[labels]
    after[:lost] = np.roll(after[:lost], 1, axis=1)
    before[100 : 100 + gained] = np.roll(before[100 : 100 + gained], 1, axis=1)
    answers = {b"before": before, b"after": after}

    class Answering:
        def __init__(self, content: bytes) -> None:
            self.content = content

        def run(self, _: Any) -> Any:
            return answers[self.content]

    monkeypatch.setattr(check, "Runner", Answering)
    said = check.compare_labels(b"before", b"after", [], labels)
    assert bool(said) == is_said
    if said:
        assert "of 128 training samples 93 % are classified correctly after this step" in said
        assert "100 % before" in said

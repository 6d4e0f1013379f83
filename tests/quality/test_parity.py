"""What rounding explains, and planted errors that it does not."""

from pathlib import Path

import numpy as np
import pytest
from mobilebench.models.array import Array
from mobilebench.quality.output import OutputTally
from mobilebench.quality.parity import TOLERANCES, differs, tolerance
from mobilebench.records.answers import OutputParity
from mobilebench.records.interface import TensorInfo
from mobilebench.tflite import precision
from mobilebench.tflite.file import dump, load
from mobilebench.tflite.interpreter import Runner

from tests.support.models import MODELS

DRAWS = np.random.default_rng(4)


def parity(reference: Array, found: Array, moved: Array | None = None) -> OutputParity:
    """``moved``: the reference's own answers to inputs that were moved by a rounding."""
    output = TensorInfo("output", (1, *reference.shape[1:]), "float32")
    tally, rounding = OutputTally(output), OutputTally(output, is_moved=True)
    tally.add(reference, found)
    if moved is None:
        return tally.parity(None)
    rounding.add(reference, moved)
    return tally.parity(rounding.rounding())


def softmax(logits: Array) -> Array:
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def shuffled(content: bytes) -> bytes:
    """The file with the numbers of its largest constant in another order."""
    model = load(content)
    buffer = max(
        (b for b in model.buffers if b.data is not None and len(b.data)), key=lambda b: len(b.data)
    )
    values = np.frombuffer(bytes(bytearray(buffer.data)), np.float32)
    buffer.data = np.frombuffer(DRAWS.permutation(values).tobytes(), np.uint8)
    return dump(model)


@pytest.mark.parametrize("name", ["small", "small_int8", "small_int8_input"])
def test_a_delegate_is_right_and_shuffled_weights_are_wrong(name: str) -> None:
    content = Path(MODELS / f"{name}.tflite").read_bytes()
    exactness = precision.read(content, name)
    allowed = tolerance(exactness.arithmetic, "cpu")
    samples = Runner(content).noise(32, 1)
    plain = Runner(content, delegate=False).run(samples)
    (step,) = exactness.steps
    assert not differs(parity(plain, Runner(content).run(samples)), allowed, step=step)
    if exactness.arithmetic == "float32":
        wrong = Runner(shuffled(content)).run(samples)
        assert differs(parity(plain, wrong), allowed, step=step)


def test_fixtures_have_the_precision_that_their_names_say() -> None:
    found = {
        name: precision.read((MODELS / f"{name}.tflite").read_bytes(), name)
        for name in ("small", "small_int8", "small_int8_input")
    }
    assert found["small"].arithmetic == "float32"
    assert found["small"].steps == (0.0,)
    assert found["small_int8_input"].arithmetic == "integer"


def test_a_kernel_without_the_channels_scales_is_found() -> None:
    """Hybrid Dense layers on some ARM builds: each class's logit over its channel's scale.

    Probabilities become 0 and 1 while most classes stay, of surely recognized samples nearly all.
    """
    logits = DRAWS.normal(size=(32, 10)) + 8 * np.eye(10)[DRAWS.integers(0, 10, 32)]
    logits[5] = 0
    logits[5, [2, 7]] = 5.0, 3.9  # 0.74 and 0.25
    right, wrong = softmax(logits), softmax(logits * DRAWS.uniform(50, 150, 10))
    found = parity(right, wrong)
    assert found.agreement is not None
    assert found.agreement > 0.9
    assert differs(found, tolerance("hybrid", "cpu"))


@pytest.mark.parametrize(
    ("arithmetic", "accelerator", "error"),
    [
        ("float32", "cpu", 1e-6),
        ("float32", "gpu", 2e-3),
        ("hybrid", "cpu", 5e-3),
        ("integer", "cpu", 2e-2),
    ],
)
@pytest.mark.parametrize("kind", ["values", "constant", "untrained classes", "sure classes"])
def test_rounding_is_no_difference(
    arithmetic: str, accelerator: str, error: float, kind: str
) -> None:
    logits = {
        "untrained classes": DRAWS.normal(0, 0.1, (32, 1000)),
        "sure classes": 20 * np.eye(10)[DRAWS.integers(0, 10, 32)],
    }
    noise = error * DRAWS.uniform(-1, 1, logits.get(kind, np.zeros((32, 16))).shape)
    if kind in logits:
        reference, found = softmax(logits[kind]), softmax(logits[kind] + noise)
    else:
        reference = DRAWS.normal(size=(32, 16)) if kind == "values" else np.full((32, 16), 3.0)
        found = reference + noise * (1 if kind == "values" else 0.2)
    allowed = tolerance(arithmetic, accelerator)  # type: ignore[arg-type]
    assert not differs(parity(reference, found), allowed)


@pytest.mark.parametrize("arithmetic", TOLERANCES)
def test_answers_of_another_network_are_never_rounding(arithmetic: str) -> None:
    allowed = TOLERANCES[arithmetic]  # type: ignore[index]
    for reference, other in (
        (DRAWS.normal(size=(32, 8)), DRAWS.normal(size=(32, 8))),
        (softmax(3 * DRAWS.normal(size=(32, 8))), softmax(3 * DRAWS.normal(size=(32, 8)))),
        (100 + DRAWS.normal(size=(32, 8)), 100 + DRAWS.normal(size=(32, 8)) * 3),
    ):
        assert differs(parity(reference, other), allowed)
    nothing = np.zeros((32, 8))
    assert differs(parity(DRAWS.normal(size=(32, 8)), nothing), allowed)


def test_a_step_of_a_quantized_output_is_no_difference() -> None:
    reference = np.zeros((32, 1))
    reference[4] = 1 / 256
    found = reference.copy()
    found[[7, 9]] = 1 / 256
    assert differs(parity(reference, found), TOLERANCES["integer"])
    assert not differs(parity(reference, found), TOLERANCES["integer"], step=1 / 256)
    assert differs(parity(reference, found + 0.1), TOLERANCES["integer"], step=1 / 256)


def test_a_run_that_kept_no_errors_is_judged_by_the_ratio() -> None:
    assert differs(OutputParity("output", 19.9, 0.1, 1.0, 0), TOLERANCES["integer"])
    assert not differs(OutputParity("output", 20.0, 0.1, 1.0, 0), TOLERANCES["integer"])


def test_an_accelerator_may_halve_real_numbers() -> None:
    assert tolerance("float32", "gpu") is tolerance("hybrid", "nnapi") is TOLERANCES["float16"]
    assert tolerance("integer", "nnapi") is TOLERANCES["integer"]
    assert tolerance("float32", "gpu", "float16") is TOLERANCES["float16"]
    assert tolerance("float32", "gpu", "float32") is TOLERANCES["float32"]
    assert tolerance(None, "cpu") is TOLERANCES["integer"]


@pytest.mark.parametrize("arithmetic", TOLERANCES)
def test_one_tie_of_class_numbers_is_rounding_and_many_are_not(arithmetic: str) -> None:
    """How far the numbers of two classes are apart means nothing."""
    allowed = TOLERANCES[arithmetic]  # type: ignore[index]
    for shape in ((32,), (32, 1), (4,)):
        reference = DRAWS.integers(0, 1000, shape)
        found = reference.copy()
        found[2] = 999 - found[2]
        assert not differs(parity(reference, found), allowed)
        assert differs(parity(reference, DRAWS.integers(0, 1000, shape)), allowed)


@pytest.mark.parametrize("arithmetic", TOLERANCES)
def test_a_mask_that_lost_its_few_places_is_not_its_files(arithmetic: str) -> None:
    """99 % of the classes are the same, as they would be by chance."""
    allowed = TOLERANCES[arithmetic]  # type: ignore[index]
    mask = (DRAWS.random((8, 64, 64)) < 0.01).astype(np.int32)
    assert differs(parity(mask, np.zeros_like(mask)), allowed)
    edge = mask.copy()
    edge[0, :2] = 0
    assert not differs(parity(mask, edge), allowed)


def test_a_chaotic_network_may_differ_as_far_as_rounding_moves_it() -> None:
    """Its answers to inputs that were moved by a rounding are as far from its own."""
    values = DRAWS.normal(size=(32, 16))
    error = 10 ** (-16 / 20)
    moved = values + error * DRAWS.normal(size=values.shape)
    found = values + error * DRAWS.normal(size=values.shape)
    assert differs(parity(values, found), TOLERANCES["hybrid"])
    assert not differs(parity(values, found, moved), TOLERANCES["hybrid"])
    assert differs(parity(values, DRAWS.normal(size=(32, 16)), moved), TOLERANCES["hybrid"])


def test_another_networks_nearly_equal_probabilities_are_found() -> None:
    """No probability has an error above 0.01."""
    logits = DRAWS.normal(0, 0.3, (32, 1000))
    right = softmax(logits)
    moved = softmax(logits + 0.06 * DRAWS.normal(size=logits.shape))
    found = softmax(logits + 0.06 * DRAWS.normal(size=logits.shape))
    other = softmax(DRAWS.normal(0, 0.3, (32, 1000)))
    for arithmetic in ("hybrid", "integer"):
        allowed = TOLERANCES[arithmetic]  # type: ignore[index]
        assert not differs(parity(right, found, moved), allowed)
        assert differs(parity(right, other, moved), allowed)


def test_two_rare_classes_that_changed_places_are_found() -> None:
    logits = DRAWS.normal(size=(32, 20)) + 8 * np.eye(20)[DRAWS.integers(0, 10, 32)]
    logits[:, 10:] -= 3
    right = softmax(logits)
    moved = softmax(logits + 0.05 * DRAWS.normal(size=logits.shape))
    found = softmax(logits + 0.05 * DRAWS.normal(size=logits.shape))
    swapped = found.copy()
    swapped[:, [14, 17]] = found[:, [17, 14]]
    allowed = TOLERANCES["hybrid"]
    assert not differs(parity(right, found, moved), allowed)
    alike = parity(right, swapped, moved)
    assert alike.snr_db > allowed.snr_db
    assert differs(alike, allowed)
    assert alike.channel is not None
    assert alike.channel.channel in (14, 17)

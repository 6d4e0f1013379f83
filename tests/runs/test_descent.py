"""Files of one model are told from files that were trained apart."""

from collections.abc import Callable

import numpy as np
import pytest
from ai_edge_litert.tools import flatbuffer_utils
from mobilebench.models.array import Array
from mobilebench.runs.descent import own_weights

from tests.support.models import BASELINE, CANDIDATE

RANDOM = np.random.default_rng(2)


def changed(content: bytes, change: Callable[[Array], Array]) -> bytes:
    """The file with other float32 weights."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    for tensor in model.subgraphs[0].tensors:
        data = model.buffers[tensor.buffer].data
        if tensor.type == 0 and data is not None and len(data) > 64:
            values = np.frombuffer(bytes(bytearray(data)), np.float32)
            model.buffers[tensor.buffer].data = np.frombuffer(
                change(values).astype(np.float32).tobytes(), np.uint8
            )
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def pruned(values: Array) -> Array:
    return np.where(np.abs(values) > np.quantile(np.abs(values), 0.3), values, 0)


@pytest.mark.parametrize(
    ("change", "is_one"),
    [
        (lambda v: v, True),
        (RANDOM.permutation, True),
        (pruned, True),
        (lambda v: RANDOM.normal(0, v.std() or 1, v.size), False),
        (lambda v: v + RANDOM.normal(0, 1e-3, v.size), False),
    ],
    ids=["the same", "shuffled", "pruned", "trained apart", "trained further"],
)
def test_by_their_weights(change: Callable[[Array], Array], is_one: bool) -> None:
    content = BASELINE.read_bytes()
    assert (own_weights(changed(content, change), content) <= 0.001) == is_one


def test_what_is_no_file_shares_nothing() -> None:
    assert own_weights(BASELINE.read_bytes(), b"") == 1
    assert own_weights(b"junk", BASELINE.read_bytes()) == 1


def test_a_last_layer_that_was_trained_anew_is_of_another_training() -> None:
    content = BASELINE.read_bytes()
    sizes: list[int] = []
    changed(content, lambda v: sizes.append(v.size) or v)

    def of_the_smallest(values: Array) -> Array:
        return values + 0.01 if values.size == min(sizes) else values

    assert own_weights(changed(content, of_the_smallest), content) > 0.001


def test_integers_in_another_order_are_the_same() -> None:
    content = CANDIDATE.read_bytes()
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    for tensor in model.subgraphs[0].tensors:
        data = model.buffers[tensor.buffer].data
        if tensor.type == 9 and data is not None and len(data) > 16:
            model.buffers[tensor.buffer].data = RANDOM.permutation(np.array(data))
    shuffled = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    assert shuffled != content
    assert own_weights(shuffled, content) == 0

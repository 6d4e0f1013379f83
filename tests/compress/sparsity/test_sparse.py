"""The format by its definition, and encoded files by what the runtime makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mobilebench.compress.checks.check import compare_encoded, examine
from mobilebench.compress.sparsity.format import encode, fits
from mobilebench.compress.steps.quantize import (
    DynamicInt4,
    DynamicInt8,
    Float16,
    Int8,
    Int16x8,
    WeightOnlyInt8,
)
from mobilebench.compress.steps.sparse import Sparse
from mobilebench.errors import StepError
from mobilebench.tflite.interpreter import Runner

BLOCKS = [(1, 1), (1, 4), (1, 16), (16, 1)]


def decode(encoding: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The dense tensor, walked through dimension by dimension as the schema describes it."""
    parameters, values = encoding.parameters, iter(encoding.values.ravel())
    dense = np.zeros(shape)
    block = dict(zip(parameters.blockMap or (), parameters.dimMetadata[len(shape) :], strict=True))

    def walk(level: int, position: int, at: tuple[int, ...]) -> None:
        if level == len(parameters.dimMetadata):
            where = list(at[: len(shape)])
            for (axis, size), inside in zip(block.items(), at[len(shape) :], strict=True):
                where[axis] = where[axis] * size.denseSize + inside
            dense[tuple(where)] = next(values)
            return
        dimension = parameters.dimMetadata[level]
        if dimension.format == 0:
            for i in range(dimension.denseSize):
                walk(level + 1, position * dimension.denseSize + i, (*at, i))
        else:
            start, end = dimension.arraySegments.values[position : position + 2]
            for i in range(int(start), int(end)):
                walk(level + 1, i, (*at, int(dimension.arrayIndices.values[i])))

    walk(0, 0, ())
    assert next(values, None) is None
    return dense


@given(
    st.sampled_from(BLOCKS),
    st.sampled_from([(16, 16), (32, 48), (16, 2, 3, 16), (16, 300)]),
    st.floats(0, 1),
    st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_an_encoding_is_the_tensor(
    block: tuple[int, int], shape: tuple[int, ...], density: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    weights = random.normal(size=shape) * (random.random(shape) < density)
    if not fits(shape, block):
        assert shape[-1] % block[1]
        return
    encoding = encode(weights.astype(np.float32), block)
    np.testing.assert_array_equal(decode(encoding, shape), weights.astype(np.float32))
    if block == (1, 1):
        assert encoding.values.size == (weights.astype(np.float32) != 0).sum()
        assert encoding.density == pytest.approx((weights != 0).mean())


def dense_layers(width: int, kept: float, block: int, outputs: int = 10) -> Any:
    """Dense layers whose kernels are zero but for a share of blocks along the inputs."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((width,)),
            layers.Dense(width, activation="relu", name="first"),
            layers.Dense(outputs, name="last"),
        ]
    )
    random = np.random.default_rng(0)
    kernel, bias = model.layers[0].get_weights()
    mask = random.random((width // block, width)) < kept
    model.layers[0].set_weights(
        [random.normal(size=kernel.shape) * np.repeat(mask, block, axis=0), bias]
    )
    return model


def convert(model: Any, folder: Any) -> bytes:
    from mobilebench.compress.pipeline.convert import convert_keras

    return convert_keras(model, folder)


def samples(width: int, count: int = 8) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return list(random.normal(size=(count, width)).astype(np.float32))


def encoded(content: bytes, x: list[np.ndarray], aim: str = "speed") -> tuple[Any, Any]:
    """The encoded file, compared with the dense one as in a recipe."""
    made = Sparse(aim=aim).encode(content)
    plain = [Runner(file, delegate=False).run(x) for file in (content, made.content)]
    after = examine(made.content, x)
    compare_encoded(examine(content, x), after, (plain[0], plain[1]), made.sparse_kernels)
    return made, after


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("step", "block", "aim", "stored", "smaller"),
    [
        (None, 4, "speed", ("sparse", "1x4"), 7),
        (None, 1, "speed", ("sparse", "1x1"), 5),
        (DynamicInt8(), 16, "speed", ("sparse", "1x16"), 6),
        (Int8(), 16, "size", ("sparse", "1x16"), 6),
        (Float16(), 1, "speed", ("unpacked at load", "1x1"), 3),
        (WeightOnlyInt8(), 16, "speed", ("unpacked at load", "1x16"), 5),
    ],
)
def test_dense_layers(
    tmp_path: Any, step: Any, block: int, aim: str, stored: tuple[str, str], smaller: float
) -> None:
    x = samples(512)
    content = convert(dense_layers(512, 0.1, block), tmp_path)
    if step is not None:
        content = step.quantize(content, x).content
    made, after = encoded(content, x, aim)
    found = [layer for layer in made.findings["layers"].values() if layer["stored"] != "dense"]
    assert [(layer["stored"], layer["block"]) for layer in found] == [stored]
    assert found[0]["zeros"] == pytest.approx(0.9 * 512 * 512, rel=0.02)
    assert len(made.content) < len(content) / smaller
    left = after.delegation["left"]
    assert left == ({"FULLY_CONNECTED": 1} if stored[0] == "sparse" else {})
    assert Sparse(aim=aim).encode(content).content == made.content


@pytest.mark.tensorflow
def test_what_the_runtime_would_get_wrong_stays_dense(tmp_path: Any) -> None:
    x = samples(512)
    single = convert(dense_layers(512, 0.1, 1), tmp_path)
    with pytest.raises(StepError, match="kernel for dynamic int8 would be slower"):
        Sparse().encode(DynamicInt8().quantize(single).content)
    blocks = Int8().quantize(convert(dense_layers(512, 0.1, 16), tmp_path), x).content
    with pytest.raises(StepError, match="static int8 would be slower"):
        Sparse().encode(blocks)
    with pytest.raises(StepError, match="weights of type int4 have no sparse format"):
        Sparse().encode(DynamicInt4().quantize(single, None).content)
    with pytest.raises(StepError, match="no sparse kernel for these types"):
        Sparse(aim="size").encode(Int16x8().quantize(single, x).content)
    with pytest.raises(StepError, match="too few zeros"):
        Sparse().encode(convert(dense_layers(64, 1.0, 1), tmp_path))
    wide = DynamicInt8().quantize(convert(wide_layer(16 * 257), tmp_path)).content
    with pytest.raises(StepError, match="longer than the dynamic int8 kernel can count"):
        Sparse().encode(wide)
    fits_just = DynamicInt8().quantize(convert(wide_layer(16 * 256), tmp_path)).content
    encoded(fits_just, samples(16 * 256, 2))


def wide_layer(inputs: int) -> Any:
    import keras

    model = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(64, name="wide")])
    kernel, bias = model.layers[0].get_weights()
    kernel[: inputs - 64] = 0  # the blocks that are kept are the last ones
    model.layers[0].set_weights([kernel, bias])
    return model


@pytest.mark.tensorflow
def test_rows_and_convolutions_are_unpacked_or_stay_dense(tmp_path: Any) -> None:
    import keras
    from keras import layers

    random = np.random.default_rng(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 16)),
            layers.Conv2D(32, 3, activation="relu", name="convolution"),
            layers.Reshape((36, 32)),
            layers.Dense(64, name="by_row"),
        ]
    )
    for layer in (model.layers[0], model.layers[2]):
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel * (random.random(kernel.shape) < 0.05), bias])
    x = list(random.normal(size=(4, 8, 8, 16)).astype(np.float32))
    content = convert(model, tmp_path)
    made, after = encoded(content, x)
    assert {layer["stored"] for layer in made.findings["layers"].values()} == {"unpacked at load"}
    assert after.delegation["left"] == {}
    for step in (DynamicInt8(), Int8()):
        with pytest.raises(StepError, match="for int8 in Dense layers only"):
            Sparse(aim="size").encode(step.quantize(content, x).content)


@pytest.mark.tensorflow
def test_a_kernel_that_layers_share_is_encoded_once(tmp_path: Any) -> None:
    import keras

    shared = keras.layers.Dense(256, activation="tanh", name="shared")
    inputs = keras.Input((256,))
    model = keras.Model(inputs, shared(shared(inputs)))
    kernel, bias = shared.get_weights()
    kernel[np.random.default_rng(0).random(kernel.shape) < 0.9] = 0
    shared.set_weights([kernel, bias])
    made, _ = encoded(convert(model, tmp_path), samples(256))
    assert len(made.findings["layers"]) == 1

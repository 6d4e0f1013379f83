"""Weights that are stored in half their size, or sparsely, and files that old converters wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.steps.quantize import DynamicInt8, Float16, Int8
from mobilebench.compress.steps.sparse import Sparse
from mobilebench.tflite.attached import attach, names
from mobilebench.tflite.file import dump, load
from mobilebench.tflite.floats import has_halves, unpacked
from mobilebench.tflite.graph import parse
from mobilebench.tflite.interpreter import Runner

MODELS = Path(__file__).parents[1] / "fixtures" / "models"


@pytest.fixture(scope="module")
def content() -> bytes:
    return (MODELS / "small.tflite").read_bytes()


@pytest.fixture(scope="module")
def images() -> list[Any]:
    return list(np.random.default_rng(0).random((40, 8, 8, 1)).astype(np.float32))


def test_halves_become_float32(content: bytes, images: list[Any]) -> None:
    halves = Float16().quantize(content).content
    assert has_halves(halves)
    whole = unpacked(halves)
    assert not has_halves(whole)
    assert not [o for o in parse(whole, "it").operators if o.kind == "DEQUANTIZE"]
    np.testing.assert_array_equal(Runner(halves).run(images), Runner(whole).run(images))
    assert len(whole) < len(content) + 1000, "the halves themselves are gone"
    for step in (DynamicInt8(), Int8(samples=20)):
        again = step.quantize(whole, images)
        assert "INT8" in str(again.findings["layers_by_type"])
    assert unpacked(whole) == whole, "there is nothing left to do"


def test_sparse_weights_become_dense(content: bytes, images: list[Any]) -> None:
    model = load(content)
    graph = model.subgraphs[0]
    for tensor in graph.tensors:
        data = model.buffers[tensor.buffer].data
        if data is not None and len(tensor.shape) > 1 and tensor.type == 0:
            values = data.view(np.float32).copy()
            values[np.abs(values) < np.quantile(np.abs(values), 0.9)] = 0
            model.buffers[tensor.buffer].data = values.view(np.uint8)
    pruned = dump(model)
    sparse = Sparse(aim="size").encode(pruned).content
    assert [o for o in parse(sparse, "it").operators if o.kind == "DENSIFY"]
    whole = unpacked(sparse)
    assert not [o for o in parse(whole, "it").operators if o.kind in ("DENSIFY", "DEQUANTIZE")]
    np.testing.assert_allclose(Runner(whole).run(images), Runner(pruned).run(images), atol=1e-6)


def test_old_operator_codes_and_names_of_two_tensors_are_mended(
    content: bytes, images: list[Any]
) -> None:
    model = load(content)
    for code in model.operatorCodes:
        assert code.builtinCode < 127
        code.deprecatedBuiltinCode, code.builtinCode = code.builtinCode, 0
    for tensor in model.subgraphs[0].tensors[1:]:
        tensor.name = b"alike"
    old = dump(model)
    mended = unpacked(old)
    assert all(
        code.builtinCode == code.deprecatedBuiltinCode for code in load(mended).operatorCodes
    )
    assert len({bytes(t.name) for t in load(mended).subgraphs[0].tensors}) == len(
        load(mended).subgraphs[0].tensors
    )
    made = Int8(samples=20).quantize(mended, images)
    assert "INT8" in str(made.findings["layers_by_type"])
    np.testing.assert_array_equal(Runner(mended).run(images), Runner(content).run(images))


def test_what_is_attached_stays(content: bytes) -> None:
    import io
    import zipfile

    archive = io.BytesIO(content)
    with zipfile.ZipFile(archive, "a") as made:
        made.writestr("labels.txt", "cat\ndog\n")
    labelled = archive.getvalue()
    assert names(content) == ()
    assert attach(content, content) == content
    small = Float16().quantize(unpacked(labelled)).content
    assert names(small) == ()
    again = attach(small, labelled)
    assert names(again) == ("labels.txt",)
    with zipfile.ZipFile(io.BytesIO(again)) as kept:
        assert kept.read("labels.txt") == b"cat\ndog\n"
        (entry,) = kept.infolist()
    assert entry.header_offset >= len(small), "places count from the file's beginning"
    assert attach(again, labelled) == again
    Runner(again).run(list(np.zeros((1, 8, 8, 1), np.float32)))

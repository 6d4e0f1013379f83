"""Ready files as other people make them: what runs is made, the rest is one sentence."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.steps.quantize import Float16, Int8
from mobilebench.errors import BadInputError
from mobilebench.models.spec import ModelSpec
from mobilebench.tflite.attached import names
from mobilebench.tflite.file import dump, load
from mobilebench.tflite.interpreter import Runner

from tests.support.compress import compress

MODELS = Path(__file__).parents[2] / "fixtures" / "models"


def spec_of(path: Path, **changes: Any) -> ModelSpec:
    return ModelSpec(name="foreign", source=str(path), data="random", **changes)


def test_halves_and_labels(tmp_path: Path) -> None:
    archive = io.BytesIO(Float16().quantize((MODELS / "small.tflite").read_bytes()).content)
    with zipfile.ZipFile(archive, "a") as made:
        made.writestr("labels.txt", "cat\ndog\n")
    path = tmp_path / "halves.tflite"
    path.write_bytes(archive.getvalue())
    recipes = ("as_is", "float32", "dynamic_int8", "int8")
    outcome = compress(spec_of(path), *recipes, cache=tmp_path / "cache")
    assert not outcome.failures
    as_is, float32, dynamic, static = outcome.artifacts
    assert as_is.path.read_bytes() == path.read_bytes()
    assert float32.bytes > as_is.bytes
    assert as_is.warnings == ()
    for made in (float32, dynamic, static):
        assert "its float16 weights were unpacked to float32 first" in made.warnings
        assert names(made.path.read_bytes()) == ("labels.txt",)


def test_a_refused_recipe_leaves_the_others(tmp_path: Path) -> None:
    spec = ModelSpec(name="m", source=str(MODELS / "small.tflite"))
    outcome = compress(spec, "as_is", "prune(0.5)", "int8", "dynamic_int8", cache=tmp_path)
    assert [made.recipe for made in outcome.artifacts] == ["as_is", "dynamic_int8"]
    retrains, calibrates = outcome.failures
    assert retrains.reason.startswith("recipe 'prune(0.5)' retrains, and a .tflite file cannot")
    assert calibrates.reason.startswith("recipe 'int8' calibrates, and the model has no data")
    with pytest.raises(BadInputError, match="model 'm': recipe 'int8' calibrates"):
        compress(spec, "int8", "prune(0.5)", cache=tmp_path)


def test_outputs_of_another_shape_for_each_sample(tmp_path: Path) -> None:
    spec = spec_of(MODELS / "varying.tflite")
    outcome = compress(spec, "as_is", "dynamic_int8", cache=tmp_path)
    assert not outcome.failures
    as_is, small = outcome.artifacts
    (warning,) = as_is.warnings
    assert warning.startswith("output 'above' has another shape for each sample")
    assert small.provenance["steps"][-1]["snr_db"] > 20, "the other output is compared"


def test_layers_in_a_loop(tmp_path: Path) -> None:
    outcome = compress(spec_of(MODELS / "loop.tflite"), "as_is", "int8", cache=tmp_path)
    assert not outcome.failures
    as_is, small = outcome.artifacts
    assert small.bytes < 0.8 * as_is.bytes
    assert any("layers that run in a loop" in warning for warning in small.warnings)
    samples = list(np.random.default_rng(3).random((8, 6, 8)).astype(np.float32))
    wanted, found = (Runner(a.path.read_bytes()).run(samples) for a in (as_is, small))
    assert np.abs(wanted - found).max() < 0.05
    within = Int8(samples=20, min_snr=30).quantize(as_is.path.read_bytes(), samples)
    assert within.findings


def test_an_input_that_takes_no_numbers(tmp_path: Path) -> None:
    model = load((MODELS / "small.tflite").read_bytes())
    graph = model.subgraphs[0]
    for code, words in ((5, "texts"), (8, "complex numbers")):
        graph.tensors[graph.inputs[0]].type = code
        (tmp_path / "model.tflite").write_bytes(dump(model))
        with pytest.raises(BadInputError, match=f"takes {words}, which no device is given"):
            compress(spec_of(tmp_path / "model.tflite"), "as_is", cache=tmp_path / "cache")


def test_operators_of_a_maker_s_own_are_named(tmp_path: Path) -> None:
    (failure,) = compress(
        spec_of(MODELS / "unsupported_operator.tflite"), "as_is", cache=tmp_path
    ).failures
    assert "Erfinv" in failure.reason

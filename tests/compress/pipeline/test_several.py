"""Models with several inputs and outputs: what works, and what is refused and why."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.artifact import Outcome
from mobilebench.compress.pipeline import worker
from mobilebench.compress.recipe import parse_recipe
from mobilebench.compress.service import compress_variants
from mobilebench.devices.agent import archive as agent_archive
from mobilebench.errors import StepError
from mobilebench.models.spec import ModelSpec
from mobilebench.tflite.interpreter import Runner
from mobilebench_agent import contract, indices
from mobilebench_agent.contract import Job, Result

pytestmark = pytest.mark.tensorflow

ROWS = 20
RECIPES = (
    "float32",
    "float16",
    "dynamic_int8",
    "int8(samples=16)",
    "prune(0.5, schedule=once, epochs=0)",
    "prune_channels(0.5, epochs=0)",
    "cluster(8, epochs=0)",
    "low_rank(rank=4, epochs=0)",
    "prune_channels(0.25, epochs=0) -> int8(samples=16)",
)


def two_and_two() -> Any:
    """Tokens (an embedding of few rows) and an image; a class and a box of another size."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    tokens = keras.Input((4,), dtype="int32", name="tokens")
    image = keras.Input((8, 8, 1), name="image")
    words = layers.Flatten()(layers.Embedding(ROWS, 6, name="words")(tokens))
    seen = layers.Flatten()(layers.Conv2D(8, 3, activation="relu", name="seen")(image))
    hidden = layers.Concatenate()([words, seen])
    hidden = layers.Dense(64, activation="relu", name="hidden")(hidden)
    kind = layers.Dense(3, activation="softmax", name="kind")(hidden)
    box = layers.Rescaling(100, name="box")(layers.Dense(4, name="corners")(hidden))
    return keras.Model([tokens, image], [kind, box], name="two_and_two")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("several")
    model = two_and_two()
    model.save(path / "model.keras")
    model.export(path / "saved", verbose=False)
    random = np.random.default_rng(0)
    np.savez(
        path / "data.npz",
        **{
            "x_calibration/image": random.normal(size=(24, 8, 8, 1)).astype(np.float32),
            "x_calibration/tokens": random.integers(0, ROWS, (24, 4)),
        },
    )
    np.savez(path / "labels.npz", x_train=np.zeros((2, 4)), y_train=[0, 1])
    np.savez(path / "one.npz", x_calibration=np.zeros((2, 4)))
    return path


def compress(folder: Path, source: str, data: str | None, *recipes: str) -> Outcome:
    given = str(folder / data) if data and data != "random" else data
    spec = ModelSpec(name="two", source=str(folder / source), data=given)
    return compress_variants(
        [(spec, parse_recipe(recipe)) for recipe in recipes],
        seed=0,
        cache=folder / "cache",
        on_progress=lambda _: None,
    )


@pytest.fixture(scope="module")
def outcome(folder: Path) -> Outcome:
    return compress(folder, "model.keras", "data.npz", *RECIPES)


def test_every_technique_that_needs_no_labels_works(outcome: Outcome) -> None:
    assert outcome.failures == ()
    sizes = {artifact.recipe: artifact.bytes for artifact in outcome.artifacts}
    assert len(sizes) == len(RECIPES)
    assert sizes["int8(samples=16)"] < 0.45 * sizes["float32"]
    assert sizes["prune_channels(0.5, epochs=0)"] < 0.5 * sizes["float32"]
    assert sizes["low_rank(rank=4, epochs=0)"] < 0.5 * sizes["float32"]


def test_each_output_is_compared(outcome: Outcome) -> None:
    made = {artifact.recipe: artifact.provenance["steps"] for artifact in outcome.artifacts}
    assert made["float32"][0]["conversion_error"] < 1e-3
    found = made["int8(samples=16)"][-1]
    assert found["calibration_samples"] == 16
    assert set(found["outputs"]) == {"output_0", "output_1"}
    assert found["outputs"]["output_0"]["top1_agreement"] > 0.8
    assert found["outputs"]["output_1"]["snr_db"] > 20


def test_inputs_are_matched_by_name(outcome: Outcome, folder: Path) -> None:
    """A file may have them in another order; the Keras model answers the same."""
    import keras

    model = keras.models.load_model(folder / "model.keras", compile=False)
    (plain,) = [a for a in outcome.artifacts if a.recipe == "float32"]
    runner = Runner(plain.path.read_bytes())
    samples = runner.noise(8, seed=1)
    tokens = np.stack([sample["tokens"] for sample in samples])  # type: ignore[call-overload]
    image = np.stack([sample["image"] for sample in samples])  # type: ignore[call-overload]
    assert tokens.dtype == np.int32
    assert set(np.unique(tokens)) <= set(range(ROWS))
    kind, box = model([tokens, image], training=False)
    rows = runner.run(samples)
    np.testing.assert_allclose(rows[:, runner.parts["output_0"]], kind, atol=1e-5)
    np.testing.assert_allclose(rows[:, runner.parts["output_1"]], box, rtol=1e-4, atol=1e-3)


def test_indices_stay_within_their_table(outcome: Outcome) -> None:
    for artifact in outcome.artifacts:
        runner = Runner(artifact.path.read_bytes())
        assert list(indices.table_rows(runner._interpreter).values()) == [ROWS], artifact.recipe
        (sample,) = runner.noise(1, seed=0)
        assert isinstance(sample, dict)
        beyond = sample | {"tokens": np.full(4, ROWS)}
        with pytest.raises(StepError, match="index out of bounds"):
            runner.run([beyond])


@pytest.mark.parametrize("kind", ["latency", "memory"])
def test_the_agent_measures_them(outcome: Outcome, kind: str) -> None:
    for artifact in outcome.artifacts[:4]:
        job = Job(
            contract.PROTOCOL_VERSION,
            "trial",
            kind,
            str(artifact.path),
            artifact.sha256,
            seconds=0,
            runs=5,
        )
        archive = agent_archive.build(artifact.path.parents[1])
        done = subprocess.run(
            [sys.executable, str(archive)],
            input=contract.encode(job),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        result = contract.decode(done.stdout.splitlines()[-1])
        assert isinstance(result, Result), result
        assert len(result.samples_ns) == (5 if kind == "latency" else 0)


def test_saved_models_and_files(outcome: Outcome, folder: Path) -> None:
    saved = compress(folder, "saved", "data.npz", "float32", "int8(samples=16)")
    assert saved.failures == ()
    (plain,) = [a for a in outcome.artifacts if a.recipe == "float32"]
    (folder / "ready.tflite").write_bytes(plain.path.read_bytes())
    ready = compress(folder, "ready.tflite", "data.npz", "as_is", "int8(samples=16)")
    assert ready.failures == ()
    noise = compress(folder, "ready.tflite", "random", "int8(samples=16)")
    (int8,) = noise.artifacts
    assert int8.warnings[0].startswith("calibrated with random data")


def test_they_learn_from_labels_of_each_output(folder: Path) -> None:
    random = np.random.default_rng(0)
    tokens = random.integers(0, ROWS, (64, 4))
    image = random.random((64, 8, 8, 1)).astype(np.float32)
    np.savez(
        folder / "train.npz",
        **{"x_train/tokens": tokens, "x_train/image": image},
        **{"y_train/kind": tokens[:, 0] % 3, "y_train/box": random.random((64, 4)) * 100},
        w_train=np.ones(64),
    )
    recipes = ("prune(0.5, epochs=1)", "quantization_aware(1) -> int8(samples=16)")
    made = compress(folder, "model.keras", "train.npz", *recipes)
    assert made.failures == ()
    pruned, _ = made.artifacts
    assert pruned.provenance["steps"][-1]["zeros_of_all_weights"] > 0.45


@pytest.mark.parametrize(
    ("source", "data", "recipe", "sentence"),
    [
        ("model.keras", "data.npz", "prune(0.5)", r"prune\(…, schedule=once, epochs=0\) needs"),
        ("model.keras", "data.npz", "prune_channels(0.5)", r"prune_channels\(…, epochs=0\) needs"),
        ("model.keras", "data.npz", "cluster", r"cluster\(…, epochs=0\) needs none"),
        ("model.keras", "data.npz", "low_rank(0.9)", r"low_rank\(…, epochs=0\) needs none"),
        ("model.keras", None, "cluster(epochs=0) -> distill", "2 inputs and 2 outputs"),
        ("model.keras", None, "prune(0.5, importance=taylor, schedule=once, epochs=0)", "samples$"),
        ("model.keras", None, "quantization_aware -> int8", "has no training samples"),
        ("model.keras", "one.npz", "int8", "samples for one input, and the model has 2: give"),
        ("saved", "one.npz", "int8", "give x_calibration/NAME for each of tokens, image"),
        ("saved", None, "prune(0.5)", "a SavedModel cannot be retrained"),
    ],
)
def test_what_they_lack_is_refused(
    folder: Path, source: str, data: str | None, recipe: str, sentence: str
) -> None:
    given = None if data is None else str(folder / data)
    spec = ModelSpec(name="two", source=str(folder / source), data=given)
    (folder / "scratch").mkdir(exist_ok=True)
    request = {
        "variants": [{"number": 0, "model": spec.model_dump(mode="json"), "recipe": recipe}],
        "seed": 0,
        "cache": str(folder / "cache"),
        "scratch": str(folder / "scratch"),
        "packings": [],
    }
    messages: list[dict[str, Any]] = []
    worker.work(request, messages.append, dict)
    # Before anything is made all is refused at once; what a step finds is refused of its variant.
    refusals = [message.get("message") or message.get("refused") for message in messages]
    (refusal,) = filter(None, refusals)
    assert re.search(sentence, refusal)

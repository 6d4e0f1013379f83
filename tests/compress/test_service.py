from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.artifact import Progress
from mobilebench.compress.checks import check
from mobilebench.compress.child import Child
from mobilebench.compress.pipeline import cache as cache_module
from mobilebench.compress.pipeline import requirements, worker
from mobilebench.compress.pipeline.cache import Cache, key_of, prepare
from mobilebench.compress.recipe import parse_recipe
from mobilebench.compress.service import Compressor, _table, compress_variants
from mobilebench.errors import BadInputError, InvalidRunError
from mobilebench.models.spec import ModelSpec
from safetensors.numpy import load_file, save_file

from tests.support.compress import compress, spec_of

pytestmark = pytest.mark.tensorflow

RECIPES = (
    "float32",
    "int8(samples=32)",
    "dynamic_int8",
    "prune(0.8, epochs=2)",
    "prune(0.8, epochs=2) → int8(samples=32)",
    "prune(threshold=1e-9, epochs=1)",  # prunes nothing
    "student(epochs=2)",
    "distill(epochs=2) → fine_tune(1) → float16",
)


@pytest.fixture(scope="module")
def first(digits: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """All recipes once: the cache, the outcome, the progress."""
    cache = tmp_path_factory.mktemp("cache")
    seen: list[Progress] = []
    return cache, compress(spec_of(digits), *RECIPES, cache=cache, seen=seen), seen


def broken_package(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: str) -> None:
    """Puts a package in front of the real one, in the child as well."""
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(code)
    monkeypatch.syspath_prepend(str(folder))


def test_artifacts_are_what_they_say(first: Any) -> None:
    _, outcome, _ = first
    made = {artifact.recipe: artifact for artifact in outcome.artifacts}
    assert list(made) == [recipe for recipe in RECIPES if "threshold" not in recipe]
    for artifact in made.values():
        content = artifact.path.read_bytes()
        assert artifact.sha256 == hashlib.sha256(content).hexdigest() == artifact.path.stem
        assert artifact.sizes["file"] == len(content)
        assert artifact.sizes["gzip"] == len(gzip.compress(content, 9))
        assert artifact.sizes.keys() == {"file", "gzip"}, "the slow ones were not asked for"
        losses = ("keep their class after this step", "are classified correctly after this")
        assert all(any(loss in text for loss in losses) for text in artifact.warnings)
        assert not artifact.warnings or artifact.recipe.startswith(("prune", "student", "distill"))
        assert artifact.provenance["recipe"] == artifact.recipe
        assert artifact.provenance["source"] == "digits.keras"
        assert artifact.provenance["student"] == "student.keras"
        assert "/" not in json.dumps(artifact.provenance["data"])
        steps = artifact.provenance["steps"]
        assert steps[0]["step"] == "convert"
        assert all(step["bytes"] and step["nodes_delegated"] for step in steps)
    pruned = made["prune(0.8, epochs=2)"]
    assert pruned.provenance["steps"][-1]["zeros"] == pytest.approx(0.8, abs=1e-3)
    assert pruned.bytes == made["float32"].bytes
    assert pruned.sizes["gzip"] < 0.4 * made["float32"].sizes["gzip"]
    small = made["prune(0.8, epochs=2) → int8(samples=32)"]
    assert small.provenance["steps"][-1]["zeros_in_file"] > 0.79
    assert small.bytes < 0.35 * pruned.bytes


def test_evaluation_sets_fit_the_model(first: Any) -> None:
    _, outcome, _ = first
    (evaluation,) = {artifact.evaluation for artifact in outcome.artifacts}
    assert evaluation.name == "digits.npz"
    assert evaluation.sha256 == hashlib.sha256(evaluation.path.read_bytes()).hexdigest()
    arrays = load_file(evaluation.path)
    assert arrays["0"].shape == (evaluation.count, 784)
    assert arrays["0"].dtype == np.float32
    assert arrays["labels"].shape == (evaluation.count,)
    assert arrays["labels"].dtype.kind in "iu"
    assert (evaluation.task, evaluation.reason) == ("", "")


def test_one_failure_does_not_stop_the_others(first: Any) -> None:
    _, outcome, _ = first
    (failure,) = outcome.failures
    assert failure.recipe == failure.step == "prune(threshold=1e-09, epochs=1)"
    assert "pruned nothing" in failure.reason


def test_progress_counts_up(first: Any) -> None:
    _, _, seen = first
    done = [progress.done for progress in seen]
    assert done == sorted(done)
    assert done[-1] == seen[-1].total == len(RECIPES)
    assert not any(progress.cached for progress in seen)
    assert any(progress.step.startswith("prune(0.8, epochs=2) ") for progress in seen)


def test_nothing_is_left_lying_about(first: Any) -> None:
    cache, _, _ = first
    assert not list(cache.glob("making-*"))
    assert not list((cache / "logs").iterdir())


def test_the_second_time_nothing_is_compressed(
    first: Any, digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, outcome, _ = first
    for package in ("tensorflow", "keras", "litert_quantizer"):
        broken_package(tmp_path, monkeypatch, package, "raise AssertionError('imported')")
    seen: list[Progress] = []
    good = [recipe for recipe in RECIPES if "threshold" not in recipe]
    again = compress(spec_of(digits), *good, cache=cache, seen=seen)
    assert again.artifacts == outcome.artifacts
    assert all(progress.cached for progress in seen)


def test_a_new_quantizer_needs_no_tensorflow(
    first: Any, digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, _, _ = first
    broken_package(tmp_path, monkeypatch, "tensorflow", "raise AssertionError('imported')")
    recipes = [f"prune(0.8, epochs=2) → float16{stored}" for stored in ("", " → sparse")]
    dense, sparse = compress(spec_of(digits), *recipes, cache=cache).artifacts
    assert sparse.bytes < 0.5 * dense.bytes
    assert sparse.warnings == dense.warnings
    last = sparse.provenance["steps"][-1]
    assert last["zeros_in_file"] == pytest.approx(0.8, abs=0.01)
    hidden, digit = last["layers"].values()
    assert (hidden["stored"], digit["why"]) == ("unpacked at load", "too few zeros")


def test_a_damaged_cache_is_made_anew(digits: Any, tmp_path: Path) -> None:
    spec = spec_of(digits, source=str(digits.tflite))
    (artifact,) = compress(spec, "dynamic_int8", cache=tmp_path).artifacts
    artifact.path.write_bytes(b"damaged")
    seen: list[Progress] = []
    (again,) = compress(spec, "dynamic_int8", cache=tmp_path, seen=seen).artifacts
    assert again == artifact
    assert not seen[-1].cached
    assert hashlib.sha256(again.path.read_bytes()).hexdigest() == again.sha256


@pytest.mark.parametrize("damage", ["labels", "truncated", "no hash"])
def test_a_damaged_evaluation_set_is_made_anew(digits: Any, tmp_path: Path, damage: str) -> None:
    spec = spec_of(digits, source=str(digits.tflite))
    (artifact,) = compress(spec, "as_is", cache=tmp_path).artifacts
    assert artifact.evaluation is not None
    path = artifact.evaluation.path
    if damage == "labels":
        arrays = load_file(path)
        save_file({**arrays, "labels": (arrays["labels"] + 1) % 10}, path)
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:100])
    else:
        path.with_name(f"{path.name}.sha256").unlink()
    assert compress(spec, "as_is", cache=tmp_path).artifacts == (artifact,)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == artifact.evaluation.sha256


def test_a_damaged_base_model_is_not_used(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        path.write_bytes(b"weights")

    (tmp_path / "scratch").mkdir()
    cache = Cache(tmp_path, tmp_path / "scratch")
    assert cache.find_model("key") is None
    cache.keep_model("key", write)
    kept = cache.find_model("key")
    assert kept is not None
    kept.write_bytes(b"others")
    assert cache.find_model("key") is None


def test_a_long_recipe_needs_no_name(digits: Any, tmp_path: Path) -> None:
    chain = " → ".join(f"prune({n / 100}, schedule=once, epochs=0)" for n in range(50, 69))
    recipe = parse_recipe(f"{chain} → dynamic_int8")
    again = parse_recipe(_table(recipe))
    assert again == recipe
    assert len(recipe.text) > 600
    (artifact,) = compress(spec_of(digits), f"{chain} → dynamic_int8", cache=tmp_path).artifacts
    assert artifact.recipe == recipe.text


def test_edited_code_makes_things_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key_of({"a": 1})
    assert before == key_of({"a": 1})
    monkeypatch.setattr(cache_module, "_code", lambda: "edited")
    assert key_of({"a": 1}) != before


def test_other_seeds_and_data_are_other_artifacts(digits: Any, tmp_path: Path) -> None:
    spec = spec_of(digits, source=str(digits.tflite))
    keys = {
        compress(variant, "dynamic_int8", cache=tmp_path, seed=seed).artifacts[0].provenance["key"]
        for variant, seed in (
            (spec, 0),
            (spec, 1),
            (spec_of(digits, source=spec.source, data=None), 0),
        )
    }
    assert len(keys) == 3


def test_ready_files(digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_package(tmp_path / "fake", monkeypatch, "tensorflow", "raise AssertionError('imported')")
    spec = ModelSpec(name="ready", source=str(digits.tflite), data="random")
    as_is, float32, int8 = compress(spec, "as_is", "float32", "int8", cache=tmp_path).artifacts
    assert as_is.path.read_bytes() == float32.path.read_bytes() == digits.tflite.read_bytes()
    assert as_is.evaluation is None
    assert as_is.warnings == ()
    assert int8.warnings == (
        "calibrated with random data: its speed and size count, its answers do not",
    )
    quantized = ModelSpec(name="quantized", source=str(int8.path), data="random")
    assert len(compress(quantized, "as_is", cache=tmp_path).artifacts) == 1
    with pytest.raises(BadInputError, match=r"weights of .* are quantized, and .*; use as_is"):
        compress(quantized, "float32", cache=tmp_path)
    (failure,) = compress(quantized, "int8", cache=tmp_path).failures
    assert failure.step == "int8"


def as_tflite(folder: Path, shape: list[int | None], function: Any) -> str:
    """A .tflite of a function of one float32 input."""
    import tensorflow as tf

    call = tf.function(function, input_signature=[tf.TensorSpec(shape, tf.float32)])
    module = tf.Module()
    module.call = call
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [call.get_concrete_function()], module
    )
    path = folder / "model.tflite"
    path.write_bytes(converter.convert())
    return str(path)


def test_ready_files_of_other_shapes(digits: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    weights = tf.random.stateless_normal((784, 10), (0, 0))
    spec = spec_of(digits, source=as_tflite(tmp_path, [4, 784], lambda x: tf.nn.relu(x @ weights)))
    (batched,) = compress(spec, "as_is", cache=tmp_path / "cache").artifacts
    assert batched.evaluation is not None
    assert batched.warnings == ()
    as_tflite(tmp_path, [4, 784], lambda x: tf.reshape(x, [28, 112]) @ weights[:112])
    (fixed,) = compress(spec, "as_is", cache=tmp_path / "cache").artifacts
    assert fixed.evaluation is None
    (warning,) = fixed.warnings
    assert "the evaluation data are not used: the model has a fixed batch of 4" in warning
    as_tflite(tmp_path, [1, 784], lambda x: (x @ weights, x + 1))
    (two,) = compress(spec, "as_is", cache=tmp_path / "cache").artifacts
    assert two.evaluation is not None
    assert two.warnings == ()
    spec = ModelSpec(name="open", source=as_tflite(tmp_path, [1, None, 4], lambda x: x * 2))
    with pytest.raises(BadInputError, match=r"has an open shape \[1, \?, 4\]; give one"):
        compress(spec, "as_is", "dynamic_int8", cache=tmp_path / "cache")
    spec = ModelSpec(name="open", source=as_tflite(tmp_path, [None, 4], lambda x: x * 2))
    (batch,) = compress(spec, "as_is", cache=tmp_path / "cache").artifacts
    assert batch.warnings == ()


def test_saved_models(digits: Any, tmp_path: Path) -> None:
    from mobilebench.models.sources import find_source, load_keras

    model = load_keras(find_source(str(digits.model))).model
    model.export(str(tmp_path / "saved"), verbose=False)
    spec = spec_of(digits, source=str(tmp_path / "saved"))
    float32, float16 = compress(spec, "float32", "float16", cache=tmp_path / "cache").artifacts
    assert float16.bytes < 0.55 * float32.bytes
    assert float32.evaluation is not None
    with pytest.raises(BadInputError, match="a SavedModel cannot be retrained"):
        compress(spec, "prune(0.5)", cache=tmp_path / "cache")


def test_bad_input_is_found_before_anything_is_made(digits: Any, tmp_path: Path) -> None:
    ready = spec_of(digits, source=str(digits.tflite))
    torn = tmp_path / "torn.tflite"
    torn.write_bytes(digits.tflite.read_bytes()[:5000])
    np.savez(tmp_path / "test.npz", x_test=np.zeros((2, 784)), y_test=[0, 1])
    only_test = str(tmp_path / "test.npz")
    cases: list[tuple[ModelSpec, str, str]] = [
        (ready, "distill", r"a \.tflite file cannot be retrained"),
        (spec_of(digits), "as_is", "is for ready .tflite files; use float32"),
        (spec_of(digits, student=None), "distill", r"set student \(--student\) to"),
        (spec_of(digits, data=None), "prune(0.5)", "data random has no training samples"),
        (spec_of(digits, data=None), "int8", r"the model has no data: .*--data random\) to"),
        (spec_of(digits, data=only_test), "int8", "neither calibration nor training samples"),
        (spec_of(digits, source="gone.keras"), "float32", r"gone\.keras does not exist"),
        (spec_of(digits, source=str(torn)), "as_is", r"torn\.tflite is torn"),
        (spec_of(digits, data="gone.npz"), "float32", r"gone\.npz does not exist"),
        (ModelSpec(name="m", source="zoo:lenet"), "float32", "'lenet'; did you mean lenet-5"),
        (ModelSpec(name="m", source="zoo:mobilenet-v2"), "prune(0.5)", "schedule=once, epochs=0"),
    ]
    for spec, recipe, sentence in cases:
        messages: list[dict[str, Any]] = []
        (tmp_path / "scratch").mkdir(exist_ok=True)
        worker.work(request(spec, recipe, tmp_path), messages.append, dict)
        assert [m["type"] for m in messages] == ["bad_input", "end"], messages
        assert re.search(sentence, messages[0]["message"])
    with pytest.raises(BadInputError, match="cannot be retrained"):
        compress(ready, "distill", cache=tmp_path / "cache")
    assert not list((tmp_path / "cache" / "logs").iterdir())


def request(spec: ModelSpec, recipe: str, folder: Path) -> dict[str, Any]:
    return {
        "variants": [{"number": 0, "model": spec.model_dump(mode="json"), "recipe": recipe}],
        "seed": 0,
        "cache": str(folder / "cache"),
        "scratch": str(folder / "scratch"),
        "packings": [],
    }


@pytest.mark.parametrize(
    ("missing", "source", "recipe", "sentence"),
    [
        ("tensorflow", "model", "float32", "TensorFlow: pip install 'mobilebench[compress]'"),
        (
            "litert_quantizer",
            "tflite",
            "int8",
            "litert-quantizer: pip install 'mobilebench[compress]'",
        ),
        ("ai_edge_litert", "tflite", "as_is", "LiteRT runtime: pip install 'mobilebench[agent]'"),
    ],
)
def test_missing_packages(
    digits: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
    source: str,
    recipe: str,
    sentence: str,
) -> None:
    monkeypatch.setattr(requirements, "_is_installed", lambda package: package != missing)
    (tmp_path / "scratch").mkdir()
    messages: list[dict[str, Any]] = []
    spec = spec_of(digits, source=str(getattr(digits, source)))
    worker.work(request(spec, recipe, tmp_path), messages.append, dict)
    assert messages[0]["type"] == "bad_input"
    assert sentence in messages[0]["message"]


def test_an_abort_is_a_failed_variant(
    digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import os, sys; print('last words', file=sys.stderr, flush=True); os.abort()"
    broken_package(tmp_path / "fake", monkeypatch, "litert_quantizer", code)
    spec = ModelSpec(name="ready", source=str(digits.tflite), data="random")
    outcome = compress(spec, "int8", "as_is", "float16", cache=tmp_path / "cache")
    assert [artifact.recipe for artifact in outcome.artifacts] == ["as_is"]
    assert [failure.recipe for failure in outcome.failures] == ["int8", "float16"]
    for failure in outcome.failures:
        assert "SIGABRT" in failure.reason
        log = Path(failure.reason.rpartition("see ")[2])
        assert "last words" in log.read_text()


def test_a_death_before_any_variant_is_told(digits: Any, tmp_path: Path) -> None:
    data = tmp_path / "data.py"
    data.write_text("import os; os._exit(7)")
    with pytest.raises(InvalidRunError, match=r"died \(exit code 7\); see .*\.log"):
        compress(spec_of(digits, data=str(data)), "float32", cache=tmp_path / "cache")


def test_an_interrupt_kills_the_child_and_leaves_nothing_half(digits: Any, tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.step.startswith("student"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compress_variants(
            [(spec_of(digits), parse_recipe("student(epochs=10000)"))],
            seed=0,
            cache=tmp_path,
            on_progress=interrupt,
        )
    assert not list(tmp_path.glob("making-*"))
    assert not list((tmp_path / "logs").iterdir())
    for kept in (tmp_path / "tflite").iterdir():
        assert hashlib.sha256(kept.read_bytes()).hexdigest() == kept.stem
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    commands = [Path(f"/proc/{child}/cmdline").read_text() for child in children]
    assert not any("mobilebench.compress.pipeline.worker" in command for command in commands)


def test_names_must_tell_variants_apart(digits: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="has recipe 'int8' twice"):
        compress(spec_of(digits), "int8", "static_wi8_ai8", cache=tmp_path)
    ready = spec_of(digits, source=str(digits.tflite))
    other = spec_of(digits, source=str(digits.folder / "other.tflite"))
    Path(other.source).write_bytes(digits.tflite.read_bytes() + b"more")
    outcome = compress_variants(
        [
            (ready, parse_recipe("as_is")),
            (other, parse_recipe({"name": "by hand", "recipe": "as_is"})),
        ],
        seed=0,
        cache=tmp_path,
        on_progress=lambda _: None,
    )
    assert [artifact.recipe for artifact in outcome.artifacts] == ["as_is", "by hand"]
    assert outcome.artifacts[1].bytes == outcome.artifacts[0].bytes + 4


def test_leftovers_of_a_killed_run_go_away(digits: Any, tmp_path: Path) -> None:
    for name, age in (("making-old", 3 * 24 * 3600), ("making-now", 0)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    compress(spec_of(digits, source=str(digits.tflite)), "as_is", cache=tmp_path)
    assert [folder.name for folder in tmp_path.glob("making-*")] == ["making-now"]


def test_old_logs_go_away(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name, days in (("old", 8), ("new", 6)):
        log = tmp_path / "logs" / f"{name}.log"
        log.write_text("")
        os.utime(log, (time.time() - days * 24 * 3600,) * 2)
    prepare(tmp_path)
    assert [log.name for log in (tmp_path / "logs").iterdir()] == ["new.log"]


def test_trainings_that_nobody_went_on_with_go_away(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    for name, days in (("a.training.npz", 31), ("b.training.npz", 29), ("c.keras", 31)):
        kept = tmp_path / "models" / name
        kept.write_text("")
        os.utime(kept, (time.time() - days * 24 * 3600,) * 2)
    prepare(tmp_path)
    left = sorted(kept.name for kept in (tmp_path / "models").iterdir())
    assert left == ["b.training.npz", "c.keras"]


def test_an_interruption_that_a_data_file_raises_is_bad_input(digits: Any, tmp_path: Path) -> None:
    data = tmp_path / "data.py"
    data.write_text("raise KeyboardInterrupt")
    with pytest.raises(BadInputError, match="a data file failed with KeyboardInterrupt"):
        compress(spec_of(digits, data=str(data)), "fine_tune(1)", cache=tmp_path)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_have_a_range(digits: Any, tmp_path: Path, seed: int) -> None:
    with pytest.raises(BadInputError, match="seed must be between 0 and 4294967295"):
        compress(spec_of(digits), "float32", cache=tmp_path, seed=seed)


def test_a_cache_that_cannot_be_written(digits: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match="cannot write the cache"):
        compress(spec_of(digits), "float32", cache=tmp_path / "file" / "cache")


def test_a_compressor_goes_on_in_one_process(digits: Any, tmp_path: Path) -> None:
    spec = spec_of(digits, source=str(digits.tflite))
    with Compressor(seed=0, cache=tmp_path, on_progress=lambda _: None) as compressor:
        (first,) = compressor.make([(spec, parse_recipe("dynamic_int8"))]).artifacts
        child = compressor._child
        assert child is not None
        with pytest.raises(BadInputError, match="cannot be retrained"):
            compressor.make([(spec, parse_recipe("distill"))])
        (second,) = compressor.make([(spec, parse_recipe("float16"))]).artifacts
        assert compressor._child is child
        os.kill(child.process.pid, signal.SIGKILL)
        child.process.wait()
        (third,) = compressor.make([(spec, parse_recipe("float32"))]).artifacts
    assert len({first.sha256, second.sha256, third.sha256}) == 3
    assert not list(tmp_path.glob("making-*"))
    assert compressor._child is None


def with_tensorflow(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each process that ends from now on: whether TensorFlow was loaded in it."""
    found: list[bool] = []
    end = Child.end

    def look(child: Child, *, keep_log: bool = False) -> None:
        maps = Path(f"/proc/{child.process.pid}/maps").read_text()
        found.append("libtensorflow" in maps)
        end(child, keep_log=keep_log)

    monkeypatch.setattr(Child, "end", look)
    return found


POST_TRAINING = (
    "float32",
    "float16",
    "dynamic_int8",
    "dynamic_int4",
    "weight_only_int8",
    "weight_only_int4",
    "int8(samples=8)",
    "int16x8(samples=8)",
    "float16 → sparse",
    "dynamic_int8(algorithm=octav)",
)


@pytest.mark.parametrize("at_once", [1, 2])
def test_ten_post_training_variants_start_tensorflow_once(
    digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    found = with_tensorflow(monkeypatch)
    outcome = compress(spec_of(digits), *POST_TRAINING, cache=tmp_path, at_once=at_once)
    assert len(outcome.artifacts) + len(outcome.failures) == len(POST_TRAINING)
    assert len(outcome.artifacts) >= 9
    assert found.count(True) == 1
    assert len(found) == at_once


def test_side_by_side_the_files_are_the_same(
    first: Any, digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, alone, _ = first
    recipes = (*RECIPES[:6], "prune(threshold=1e-9, epochs=1) → int8(samples=32)")
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(Child, "say", _noting(Child.say, asked))
    seen: list[Progress] = []
    outcome = compress(spec_of(digits), *recipes, cache=tmp_path, seen=seen, at_once=2)
    wanted = {artifact.recipe: artifact.sha256 for artifact in alone.artifacts}
    assert [artifact.recipe for artifact in outcome.artifacts] == list(RECIPES[:5])
    assert all(made.sha256 == wanted[made.recipe] for made in outcome.artifacts)
    one, other = outcome.failures
    assert one.step == other.step == "prune(threshold=1e-09, epochs=1)"
    assert one.reason == other.reason == alone.failures[0].reason
    assert len({pid for pid, _ in asked}) == 2
    done = [progress.done for progress in seen]
    assert done == sorted(done)
    assert done[-1] == len(recipes)
    assert not list(tmp_path.glob("making-*"))
    # All of it is there the next time, and no second process is needed to see that.
    asked.clear()
    seen.clear()
    again = compress(spec_of(digits), *RECIPES[:5], cache=tmp_path, seen=seen, at_once=2)
    assert [a.sha256 for a in again.artifacts] == [a.sha256 for a in outcome.artifacts]
    assert all(progress.cached for progress in seen)
    assert len(asked) == 1


def _noting(say: Any, asked: list[tuple[Any, ...]]) -> Any:
    def note(child: Child, message: dict[str, Any]) -> None:
        asked.append((child.process.pid, message))
        say(child, message)

    return note


def test_an_abort_costs_the_variant_and_not_those_beside_it(
    digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_package(tmp_path / "fake", monkeypatch, "litert_quantizer", "import os; os.abort()")
    spec = ModelSpec(name="ready", source=str(digits.tflite), data="random")
    outcome = compress(spec, "int8", "as_is", "float16", cache=tmp_path / "cache", at_once=3)
    assert [artifact.recipe for artifact in outcome.artifacts] == ["as_is"]
    assert [failure.recipe for failure in outcome.failures] == ["int8", "float16"]
    assert all("SIGABRT" in failure.reason for failure in outcome.failures)


def test_an_interrupt_kills_all_children(digits: Any, tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if "float16" in (progress.recipe, progress.step):
            raise KeyboardInterrupt

    ready = spec_of(digits, source=str(digits.tflite))
    with pytest.raises(KeyboardInterrupt):
        compress_variants(
            [(ready, parse_recipe(recipe)) for recipe in ("dynamic_int8", "float16")],
            seed=0,
            cache=tmp_path,
            on_progress=interrupt,
            at_once=2,
        )
    assert not list(tmp_path.glob("making-*"))
    assert not list((tmp_path / "logs").iterdir())


@pytest.mark.parametrize("at_once", [0, 65])
def test_jobs_have_a_range(digits: Any, tmp_path: Path, at_once: int) -> None:
    with pytest.raises(BadInputError, match="jobs must be between 1 and 64"):
        compress(spec_of(digits), "float32", cache=tmp_path, at_once=at_once)


def test_a_file_that_all_go_on_from_is_checked_once(
    digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scratch").mkdir()
    examined: list[str] = []
    examine = check.examine

    def note(content: bytes, samples: Any, **settings: Any) -> Any:
        examined.append(hashlib.sha256(content).hexdigest())
        return examine(content, samples, **settings)

    monkeypatch.setattr(check, "examine", note)
    spec = spec_of(digits, source=str(digits.tflite))
    recipes = ("dynamic_int8", "float16", "int8(samples=8)", "weight_only_int8")
    asked = request(spec, recipes[0], tmp_path)
    model = asked["variants"][0]["model"]
    asked["variants"] = [
        {"number": number, "model": model, "recipe": recipe}
        for number, recipe in enumerate(recipes)
    ]
    messages: list[dict[str, Any]] = []
    worker.work(asked, messages.append, dict)
    assert [m["type"] for m in messages if m["type"] != "progress"] == ["artifact"] * 4 + ["end"]
    assert len(examined) == len(set(examined)) == 1 + len(recipes)

"""A training that was interrupted goes on after the last step that was finished."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.artifact import Outcome, Progress
from mobilebench.compress.pipeline import keras_models, worker
from mobilebench.compress.pipeline.state_file import read_state, write_state
from mobilebench.compress.step import State
from mobilebench.models.spec import ModelSpec

from tests.support.command import MOBILEBENCH
from tests.support.compress import compress as compress_any
from tests.support.compress import spec_of

pytestmark = pytest.mark.tensorflow

FIRST = "prune(0.5, epochs=1)"
#: From the steps that a first command makes to those that the second one asks for.
CHAINS = {
    "distill(epochs=1) → prune(0.5, epochs=1)": " → cluster(8, epochs=1)",
    "low_rank(0.8, epochs=1)": " → distill(epochs=1)",
    "prune_channels(0.4, epochs=1)": " → quantization_aware(epochs=1) → int8(samples=32)",
}


def compress(
    spec: ModelSpec, *recipes: str, cache: Path, seen: list[Progress] | None = None
) -> Outcome:
    outcome = compress_any(spec, *recipes, cache=cache, seen=seen)
    assert not outcome.failures, outcome.failures
    return outcome


def states(cache: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in (cache / "models").glob("*.keras")}


def test_an_interrupted_command_goes_on_after_the_last_finished_step(
    digits: Any, tmp_path: Path
) -> None:
    def command(cache: str, into: str) -> subprocess.Popen[bytes]:
        (tmp_path / cache).mkdir(exist_ok=True)
        return subprocess.Popen(
            [*MOBILEBENCH, "compress",
             str(digits.model), f"{FIRST} → fine_tune(150)", "--data", str(digits.data),
             "--into", str(tmp_path / into)],
            env={**os.environ, "MOBILEBENCH_CACHE": str(tmp_path / cache)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    process = command("cache", "made")
    cache = tmp_path / "cache"
    deadline = time.monotonic() + 300
    # The base and the first step have been made, so the second is being trained.
    while len(list(cache.glob("artifacts/*.json"))) < 2 and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert b"Traceback" not in errors
    (kept,) = states(cache).items()
    assert not list(tmp_path.glob("made/*.tflite"))

    for into, where in (("made", "cache"), ("uninterrupted", "other")):
        again = command(where, into)
        _, errors = again.communicate(timeout=600)
        assert again.returncode == 0, errors
    assert kept in states(cache).items(), "the first step was trained again"
    assert len(states(cache)) == 2
    (resumed,) = (tmp_path / "made").glob("*.tflite")
    (whole,) = (tmp_path / "uninterrupted").glob("*.tflite")
    assert resumed.read_bytes() == whole.read_bytes()


def test_a_later_command_trains_only_what_is_new_and_makes_the_same_files(
    digits: Any, tmp_path: Path
) -> None:
    spec = spec_of(digits)
    recipes = [first + then for first, then in CHAINS.items()]
    whole = compress(spec, *recipes, cache=tmp_path / "whole").artifacts
    compress(spec, *CHAINS, cache=tmp_path / "parts")
    before = states(tmp_path / "parts")
    assert len(before) == 4
    seen: list[Progress] = []
    parts = compress(spec, *recipes, cache=tmp_path / "parts", seen=seen).artifacts
    assert [made.sha256 for made in parts] == [made.sha256 for made in whole]
    assert [made.provenance for made in parts] == [made.provenance for made in whole]
    assert [made.warnings for made in parts] == [made.warnings for made in whole]
    assert before.items() <= states(tmp_path / "parts").items()
    assert "low_rank(0.8, epochs=1): from the cache" in [progress.step for progress in seen]


def test_dropout_draws_the_same_after_an_interruption(digits: Any, tmp_path: Path) -> None:
    import keras

    model = keras.Sequential(
        [
            keras.Input((784,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.save(tmp_path / "dropout.keras")
    spec = spec_of(digits, source=str(tmp_path / "dropout.keras"))
    first = "prune_channels(0.25, epochs=1)"
    recipe = f"{first} → fine_tune(1)"
    (whole,) = compress(spec, recipe, cache=tmp_path / "whole").artifacts
    compress(spec, first, cache=tmp_path / "parts")
    (parts,) = compress(spec, recipe, cache=tmp_path / "parts").artifacts
    assert parts.sha256 == whole.sha256


def test_a_damaged_state_is_made_anew(digits: Any, tmp_path: Path) -> None:
    spec = spec_of(digits)
    compress(spec, FIRST, cache=tmp_path)
    (state,) = states(tmp_path)
    sound = state.read_bytes()
    state.write_bytes(sound[: len(sound) // 2])
    seen: list[Progress] = []
    compress(spec, f"{FIRST} → fine_tune(1)", cache=tmp_path, seen=seen)
    steps = [progress.step for progress in seen]
    assert f"{FIRST}: from the cache" not in steps
    assert len(state.read_bytes()) == len(sound)


def test_a_state_that_cannot_be_kept_is_no_failure(
    digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_state: State, path: Path) -> None:
        path.write_bytes(b"half")
        raise NotImplementedError("no get_config()")

    monkeypatch.setattr(keras_models, "write_state", refuse)
    (tmp_path / "scratch").mkdir()
    messages: list[dict[str, Any]] = []
    request = {
        "variants": [
            {
                "number": 0,
                "model": spec_of(digits).model_dump(mode="json"),
                "recipe": f"{FIRST} → fine_tune(1)",
            }
        ],
        "seed": 0,
        "cache": str(tmp_path / "cache"),
        "scratch": str(tmp_path / "scratch"),
        "packings": [],
    }
    worker.work(request, messages.append, dict)
    (artifact,) = (m["artifact"] for m in messages if m["type"] == "artifact")
    assert len(artifact["warnings"]) == 2
    assert "trains it again: no get_config()" in artifact["warnings"][0]
    assert not states(tmp_path / "cache")


def test_a_state_reads_as_it_was_written(state: State, tmp_path: Path) -> None:
    masks = tuple(
        np.arange(k.size).reshape(k.shape) % 3 > 0 for k in state.model.get_weights()[::2]
    )
    codes = tuple(mask.astype(np.int32) * 7 for mask in masks)
    full = State(
        state.model, kept=masks, findings={"a": [1, {"b": 0.5}]}, warnings=("w",), codes=codes
    )
    for number, one in enumerate((state, full)):
        path = tmp_path / f"{number}.keras"
        write_state(one, path)
        found = read_state(path)
        assert (found.findings, found.warnings) == (one.findings, one.warnings)
        for ours, theirs in ((found.kept, one.kept), (found.codes, one.codes)):
            assert (ours is None) == (theirs is None)
            for a, b in zip(ours or (), theirs or (), strict=True):
                assert a.dtype == b.dtype
                np.testing.assert_array_equal(a, b)
        for a, b in zip(found.model.get_weights(), one.model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)

"""A seed means the same file: in another process, with another cache, for each training step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mobilebench.compress.recipe import parse_recipe
from mobilebench.compress.service import compress_variants
from mobilebench.models.spec import ModelSpec

pytestmark = pytest.mark.tensorflow

RECIPES = (
    "prune(0.6, scope=sensitivity, importance=taylor, epochs=1)",
    "prune_channels(0.4, scope=sensitivity, importance=taylor, epochs=1)",
    "cluster(8, epochs=1) → int8(samples=32)",
    "low_rank(0.8, epochs=1) → distill(epochs=1)",
    "quantization_aware(epochs=1, weight_bits=4) → dynamic_int4",
    "distill(epochs=1) → prune(0.5, pattern='1x4', epochs=1) → fine_tune(1)",
    "distill(epochs=1, features=1)",
    "student(epochs=1)",
)


def hashes(spec: ModelSpec, cache: Path, seed: int) -> dict[str, str]:
    """What a child process of its own makes, with nothing in the cache."""
    outcome = compress_variants(
        [(spec, parse_recipe(recipe)) for recipe in RECIPES],
        seed=seed,
        cache=cache,
        on_progress=lambda _: None,
    )
    assert not outcome.failures, outcome.failures
    return {artifact.recipe: artifact.sha256 for artifact in outcome.artifacts}


def test_a_seed_gives_the_same_files_in_two_processes(digits: Any, tmp_path: Path) -> None:
    spec = ModelSpec(
        name="digits",
        source=str(digits.model),
        data=str(digits.data),
        student=str(digits.student),
    )
    first = hashes(spec, tmp_path / "first", 3)
    assert hashes(spec, tmp_path / "second", 3) == first
    other = hashes(spec, tmp_path / "third", 4)
    alike = [recipe for recipe in first if first[recipe] == other[recipe]]
    assert not alike, "each of these steps draws something at random"

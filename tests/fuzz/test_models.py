"""Whatever the bytes of a model: it is read, or one sentence says that it is torn."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from mobilebench.errors import BadInputError, StepError
from mobilebench.tflite import entry, hybrid, interface, precision
from mobilebench.tflite.inspect import distinct, layers, show
from rich.console import Console

from tests.support.fuzz import corpus, fuzz, kept
from tests.support.models import MODELS
from tests.support.mutate import mutated_bytes

GOOD = [path.read_bytes() for path in sorted(MODELS.glob("*.tflite"))]


def inspected(content: bytes, name: str) -> None:
    Console(file=io.StringIO()).print(show.one(layers.read(content, name)))


def entered(content: bytes, name: str) -> None:
    entry.enter(content, name, signature="serving_default", ready=True)


READERS: tuple[Callable[[bytes, str], Any], ...] = (
    interface.read, precision.read, precision.needs_xnnpack, hybrid.warnings, entry.signatures,
    entry.not_chosen, entered, inspected, distinct.distinct_operators,
)  # fmt: skip


def read(content: bytes) -> None:
    for reader in READERS:
        said = ""
        try:
            reader(content, "m.tflite")
        except (BadInputError, StepError) as error:
            said = str(error)
        assert len(said) < 5000


@pytest.mark.parametrize("path", corpus("models"), ids=lambda path: path.stem)
def test_models_that_once_broke_something(path: Path) -> None:
    read(path.read_bytes())


@fuzz(100)
def test_any_bytes_are_a_model_or_are_refused(number: int) -> None:
    random = Random(number)
    content = mutated_bytes(random.choice(GOOD), random)
    with kept(content, ".tflite"):
        read(content)

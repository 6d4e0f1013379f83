"""A training under way, kept after its epochs, so that an interrupted one ends with the same bytes.

Everything that the rest depends on is in it: weights and what draws random numbers, the
optimizer's slots, the generator that shuffles, what is pruned so far, and the best weights of
early stopping.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mobilebench.models.array import Array

#: So many times as long as writing takes, training goes on before the next is written.
_SPARING = 10


@dataclass
class Checkpoint:
    """A file of a training under way; it is gone when the training is over.

    Attributes:
        path: where it is.
        seconds: how long training goes on before the next is written, at least.
    """

    path: Path
    seconds: float = 1.0
    _next: float = field(init=False)

    def __post_init__(self) -> None:
        self._next = time.monotonic() + self.seconds

    def load(self, meant_for: str) -> dict[str, Array] | None:
        """What was kept of a training of the same settings; None if there is nothing whole."""
        try:
            with np.load(self.path, allow_pickle=False) as archive:
                found = {name: archive[name] for name in archive.files}
        except Exception:  # torn, or of a power cut: the training begins anew
            return None
        return found if str(found.get("meant_for")) == meant_for else None

    def is_due(self) -> bool:
        """Whether it is time for another."""
        return time.monotonic() >= self._next

    def save(self, meant_for: str, values: Mapping[str, Any]) -> None:
        """Replaces what was kept; a full disk costs the checkpoint, not the training."""
        start = time.monotonic()
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            with temporary.open("wb") as file:
                np.savez(file, meant_for=meant_for, **values)
            os.replace(temporary, self.path)
        except OSError:
            temporary.unlink(missing_ok=True)
        now = time.monotonic()
        self._next = now + max(self.seconds, _SPARING * (now - start) if self.seconds else 0.0)

    def remove(self) -> None:
        """The training is over."""
        self.path.unlink(missing_ok=True)


def packed(name: str, variables: Sequence[Any]) -> dict[str, Array]:
    """The values of variables by their places."""
    return {f"{name}_{number}": np.asarray(v) for number, v in enumerate(variables)}


def restore(name: str, kept: Mapping[str, Array], variables: Sequence[Any]) -> None:
    """Gives variables the values that :func:`packed` kept."""
    for number, variable in enumerate(variables):
        variable.assign(kept[f"{name}_{number}"])


def generator_state(random: np.random.Generator) -> str:
    """The state of a generator, as text."""
    return json.dumps(random.bit_generator.state)


def restore_generator(random: np.random.Generator, text: str) -> None:
    """Gives a generator the state of :func:`generator_state`."""
    random.bit_generator.state = json.loads(text)

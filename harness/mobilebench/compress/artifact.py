"""The results of compression: one .tflite a variant, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mobilebench.records.interface import Interface
from mobilebench.records.sizes import FILE


@dataclass(frozen=True)
class EvaluationSet:
    """Samples in a model's own input format, ready to be sent to a device, and their labels.

    Attributes:
        name: of the data; it distinguishes a subset from the full set.
        path: a safetensors file: ``"0"``, ``"1"``, … (count, *shape of one sample*), by the
            position of each input; and ``labels`` (count, …), if there are any. Labels that are
            texts are UTF-8, padded with zeros, as the file's metadata ``labels: text`` says.
        sha256: the file's hash.
        count: how many samples.
        task: what the model is for; empty: it is to be found from labels and outputs; ``own``: its
            data file scores.
        reason: why nothing can be scored; empty if something may.
    """

    name: str
    path: Path
    sha256: str
    count: int
    task: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Artifact:
    """One runnable .tflite, named by its hash.

    ``sizes`` has the bytes of the ``file``, and of what each packing makes of it.
    ``provenance`` has the model, data, seed, versions, and each step with its settings and
    what was checked after it. ``interface`` is what it takes and gives, and ``run_as``
    which signature and input shapes are run, where its source leaves that open.
    """

    model: str
    recipe: str
    sha256: str
    path: Path
    sizes: Mapping[str, int]
    interface: Interface | None = None
    run_as: str = ""
    evaluation: EvaluationSet | None = None
    warnings: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """The size of the file."""
        return self.sizes[FILE]


@dataclass(frozen=True)
class Failure:
    """A variant that could not be made: the step that failed and why, in one sentence."""

    model: str
    recipe: str
    step: str
    reason: str


@dataclass(frozen=True)
class Progress:
    """Where compression is: ``done`` of ``total`` variants, and what is under way.

    ``fraction`` says how much of ``step`` is done, 0 to 1; None where unknown. ``left`` is how long
    all variants will take from here (s), estimated from those that were made; None while none was.
    """

    done: int
    total: int
    model: str
    recipe: str
    step: str
    cached: bool = False
    fraction: float | None = None
    left: float | None = None


@dataclass(frozen=True)
class Outcome:
    """All that one call of compression delivered."""

    artifacts: tuple[Artifact, ...]
    failures: tuple[Failure, ...]

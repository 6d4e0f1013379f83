"""How long each operator of a file takes alone on a device."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError


@dataclass(frozen=True)
class DistinctOperator:
    """Operators of one kind with the same settings, shapes and types; weights may differ.

    Attributes:
        indices: their numbers in the file.
        kind: as TensorFlow Lite calls it, like ``CONV_2D``.
        names: of each one's first output.
        inputs, outputs: shapes and types of what one is given and computes, weights among them.
        macs: multiply-accumulates of one inference of one of them; None if they cannot be known.
        bytes: what one reads and writes at least: inputs, weights as they are stored, outputs.
    """

    indices: tuple[int, ...]
    kind: str
    names: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    macs: Annotated[int, Field(ge=0)] | None
    bytes: Annotated[int, Field(ge=0)]

    @property
    def count(self) -> int:
        """How many of them the file has."""
        return len(self.indices)

    @property
    def intensity(self) -> float | None:
        """Multiply-accumulates a byte: few mean that memory limits it; None if not known."""
        return self.macs / self.bytes if self.macs and self.bytes else None


#: The names of who runs an operator. ``unknown``: the runtime does not report it.
By = Literal["xnnpack", "gpu", "nnapi", "npu", "built-in kernels", "unknown"]


@dataclass(frozen=True)
class OperatorTime:
    """One distinct operator on a device.

    Attributes:
        operator: which.
        median_ns: of the timed inferences of one of them alone; None where it did not run.
        runs: how many were timed.
        by: who runs it.
        reason: why it did not run, or why it is not known who runs it; or empty.
    """

    operator: DistinctOperator
    median_ns: Annotated[float, Field(ge=0)] | None
    runs: int
    by: By
    reason: str = ""

    @property
    def total_ns(self) -> float | None:
        """Of all of them in the file."""
        return None if self.median_ns is None else self.median_ns * self.operator.count


@dataclass(frozen=True)
class OperatorTimes:
    """A file's operators on one runtime of a device.

    Attributes:
        device: as tables call it.
        runtime: the library, its version and the accelerator.
        virtual: whether the device's times are no phone's.
        model_ns: the whole file's median, measured in the same way; None where it did not run.
        rows: in the file's order.
        warnings: what the device reported of the trials, and what failed.
        alone: whether each ran alone; else a profiler timed them within the model.
    """

    device: str
    runtime: str
    virtual: bool
    model_ns: Annotated[float, Field(ge=0)] | None
    rows: tuple[OperatorTime, ...]
    warnings: tuple[str, ...] = ()
    alone: bool = True

    @property
    def sum_ns(self) -> float:
        """The operators' times together, as far as they are known."""
        return sum(row.total_ns or 0.0 for row in self.rows)

    def share(self, row: OperatorTime) -> float | None:
        """Of all operators' time (0 to 1); None where its time is not known."""
        return row.total_ns / self.sum_ns if row.total_ns is not None and self.sum_ns else None

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the run's folder."""
        return {
            "device": self.device,
            "runtime": self.runtime,
            "virtual": self.virtual,
            "alone": self.alone,
            "model_ns": self.model_ns,
            "sum_of_operators_ns": self.sum_ns,
            "warnings": list(self.warnings),
            "operators": [
                {
                    **asdict(row.operator),
                    "median_ns": row.median_ns,
                    "runs": row.runs,
                    "share": self.share(row),
                    "by": row.by,
                    "reason": row.reason,
                    "macs_per_byte": row.operator.intensity,
                }
                for row in self.rows
            ],
        }


@dataclass(frozen=True)
class Profile:
    """The operators of one variant of a run, in one place."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)

    model: str
    recipe: str
    device: str
    runtime: str
    times: OperatorTimes


_PROFILES = TypeAdapter(tuple[Profile, ...])


def read_profiles(text: str | bytes) -> tuple[Profile, ...]:
    """The profiles that a file holds.

    Raises:
        ValueError: it holds something else.
    """
    try:
        return _PROFILES.validate_json(text)
    except ValidationError as error:
        raise ValueError(f"it holds no profiles: {error.errors()[0]['msg']}") from error


def profiles_json(profiles: tuple[Profile, ...]) -> bytes:
    """What a file of profiles holds."""
    return _PROFILES.dump_json(profiles, indent=1)

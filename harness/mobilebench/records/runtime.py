"""How a model is run: accelerator, threads, delegate, CPUs; and how its file gets there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

#: What may run a model.
Accelerator = Literal["cpu", "gpu", "nnapi", "npu"]
#: What a suite may ask of an accelerator.
_OPTIONS = ("precision", "preference", "serialization")

#: How a model's file may be packed.
Packing = Literal["gzip", "xz", "zstd"]
#: Those of which a size is computed only where it is asked for: they take minutes for 100 MB.
SlowPacking = Literal["xz", "zstd"]


class Runtime(BaseModel):
    """How a model is run: accelerator, threads, delegate, CPUs; and how its file gets there.

    With ``packed`` the file is sent packed, the agent unpacks it in each trial, and the time that
    takes is part of the initialization. The app unpacks gzip.

    Attributes:
        precision: what an accelerator may compute float32 in; none: its delegate's own choice.
        preference: whether its delegate prepares for single fast answers or for a sustained rate;
            none: its own choice.
        serialization: what it prepared for a model is kept on the device, and read by later trials.
        cpus: the process is kept to these, as ``[4, 5]`` to two fast cores; none: the system
            chooses. In a suite it may be ``"big"``, too: ``cluster`` is that.
        cluster: the process is kept to the CPUs of the highest capacity, as the device says.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    accelerator: Accelerator = "cpu"
    precision: Literal["float32", "float16"] | None = None
    preference: Literal["fast", "sustained"] | None = None
    serialization: bool = False
    threads: int = Field(1, ge=1, le=256)
    xnnpack: bool = True
    packed: Packing | None = None
    cpus: tuple[Annotated[int, Field(ge=0, lt=4096)], ...] = ()
    cluster: Literal["big"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _cpus_by_a_word(cls, table: Any) -> Any:
        if not isinstance(table, dict) or not table.get("cpus"):
            return table
        if not isinstance(table["cpus"], str):  # an option in a suite's place
            return {key: value for key, value in table.items() if key != "cluster"}
        if table["cpus"] != "big":
            raise ValueError(f"cpus: should be a list of numbers or 'big' (got {table['cpus']!r})")
        return {**table, "cpus": (), "cluster": "big"}

    @field_validator("cpus")
    @classmethod
    def _each_once(cls, cpus: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(cpus)) < len(cpus):
            raise ValueError("a CPU is there twice")
        return tuple(sorted(cpus))

    @model_validator(mode="after")
    def _options_of_accelerators(self) -> Self:
        for name in _OPTIONS:
            if getattr(self, name) and self.accelerator not in ("gpu", "nnapi"):
                raise ValueError(f"{name} is an option of gpu and nnapi, not of {self.accelerator}")
        return self

    @model_serializer(mode="wrap")
    def _without_unset_options(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As runs had them before there were options."""
        newer = (*_OPTIONS, "cluster")
        return {k: v for k, v in handler(self).items() if v or k not in newer}

    @property
    def in_job(self) -> Mapping[str, Any]:
        """All of it that a job has; how the file gets there is not among it."""
        return {
            "accelerator": self.accelerator,
            **self.options,
            "threads": self.threads,
            "xnnpack": self.xnnpack,
            **self.placement,
        }

    @property
    def options(self) -> Mapping[str, Any]:
        """What is asked of the accelerator, as a job has it."""
        return {name: value for name in _OPTIONS if (value := getattr(self, name))}

    @property
    def placement(self) -> Mapping[str, Any]:
        """Where the process may run, as a job has it."""
        return {"cluster": self.cluster} if self.cluster else {"cpus": self.cpus}

    @property
    def place(self) -> str:
        """Where the process may run, as a sentence has it; empty: where the system lets it."""
        return place_of(self.cpus, self.cluster)

    @property
    def label(self) -> str:
        """Accelerator and options, as a sentence has them."""
        said = [str(v) for k, v in self.options.items() if k != "serialization"]
        said += ["serialized"] if self.serialization else []
        return f"{self.accelerator} ({', '.join(said)})" if said else self.accelerator

    @property
    def caution(self) -> str:
        """What must be known of it, in a sentence; empty for most."""
        if self.accelerator != "nnapi":
            return ""
        return (
            f"Runtime {self.name!r} uses NNAPI, which Android 15 deprecated: newer phones may run "
            "it on the CPU, or no longer have it."
        )


def place_of(cpus: Sequence[int], cluster: str | None) -> str:
    """Where a process may run, as a sentence has it; empty: where the system lets it."""
    if cluster:
        return f"on the {cluster} CPUs"
    if not cpus:
        return ""
    return f"on CPU{'s' if len(cpus) > 1 else ''} {', '.join(map(str, cpus))}"

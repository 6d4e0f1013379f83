"""How a model is run: accelerator, threads, delegate, CPUs; and how its file gets there."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

#: How a model's file may be packed.
Packing = Literal["gzip", "xz", "zstd"]
#: Those of which a size is computed only where it is asked for: they take minutes for 100 MB.
SlowPacking = Literal["xz", "zstd"]


class Runtime(BaseModel):
    """How a model is run: accelerator, threads, delegate, CPUs; and how its file gets there.

    With ``packed`` the file is sent packed, the agent unpacks it in each trial, and the time that
    takes is part of the initialization. The app unpacks gzip.

    Attributes:
        cpus: the process is kept to these, as ``[4, 5]`` to two fast cores; none: the system
            chooses.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    accelerator: Literal["cpu", "gpu", "nnapi"] = "cpu"
    threads: int = Field(1, ge=1, le=256)
    xnnpack: bool = True
    packed: Packing | None = None
    cpus: tuple[Annotated[int, Field(ge=0, lt=4096)], ...] = ()

    @field_validator("cpus")
    @classmethod
    def _each_once(cls, cpus: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(cpus)) < len(cpus):
            raise ValueError("a CPU is there twice")
        return tuple(sorted(cpus))

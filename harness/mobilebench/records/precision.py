"""How exactly a file computes: what right kernels may round differently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

#: ``integer``: activations are quantized once for all; ``hybrid``: weights are integers, and
#: activations are quantized anew in each inference; ``float32``: real numbers throughout, also
#: where weights are stored in fewer bits and made real before they are used.
Arithmetic = Literal["float32", "hybrid", "integer"]


@dataclass(frozen=True)
class Precision:
    """How exactly a file computes on a CPU.

    Attributes:
        arithmetic: of its coarsest operator.
        steps: of each output, in the file's order, the smallest difference between two values that
            it can give; 0 of real numbers that were not quantized before.
    """

    arithmetic: Arithmetic
    steps: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...] = ()

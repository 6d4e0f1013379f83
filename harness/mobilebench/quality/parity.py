"""How far a device's answers may be from the file's reference answers: rounding, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from mobilebench.records.answers import OutputParity
from mobilebench.records.precision import Arithmetic

#: An accelerator that is no CPU may make float16 of float32.
Rounding = Literal["float32", "float16", "hybrid", "integer"]


@dataclass(frozen=True)
class Tolerance:
    """What right kernels may differ by.

    An output differs where its signal-to-noise ratio is too low and its largest error is more than
    the format's resolution, too: where all samples get nearly the same answer, there is hardly a
    signal to be lost.

    Attributes:
        snr_db: the least signal-to-noise ratio about the reference's mean.
        resolution: the share of the output's largest value that the format does not resolve.
        probability: the error of a class's probability that means nothing.
        reason: what makes right answers differ.
    """

    snr_db: float
    resolution: float
    probability: float
    reason: str


#: By arithmetic; ``docs/quality.md`` has what was measured.
TOLERANCES: Mapping[Rounding, Tolerance] = MappingProxyType(
    {
        "float32": Tolerance(60.0, 1e-5, 1e-4, "sums of float32 are added in another order"),
        "float16": Tolerance(25.0, 5e-3, 0.01, "float16 keeps 11 bits of each number"),
        # A step of 8 bits is about 0.1 of logits within ±12, which moves a probability by a quarter
        # of that at most.
        "hybrid": Tolerance(30.0, 5e-3, 0.03, "activations may be rounded to the next step"),
        "integer": Tolerance(20.0, 5e-3, 0.03, "sums may be rounded to the next step"),
    }
)

#: So many steps of a quantized output are rounding: its own, and one before it.
_STEPS = 2


def tolerance(arithmetic: Arithmetic | None, accelerator: str) -> Tolerance:
    """What a file's answers may differ by on an accelerator.

    Args:
        arithmetic: of the file on a CPU; None where it is not known: then the widest counts.
        accelerator: ``cpu``, ``gpu`` or ``nnapi``.
    """
    if arithmetic is None:
        return TOLERANCES["integer"]
    if accelerator != "cpu" and arithmetic != "integer":
        return TOLERANCES["float16"]
    return TOLERANCES[arithmetic]


def differs(parity: OutputParity, allowed: Tolerance, *, step: float = 0.0) -> bool:
    """Whether an output's answers are not the file's.

    Args:
        parity: how alike they are.
        allowed: what rounding explains.
        step: the smallest difference between two values of a quantized output.
    """
    if parity.snr_db >= allowed.snr_db:
        return False
    if parity.error is None or parity.largest is None:
        return True
    resolved = allowed.resolution * parity.largest
    if parity.agreement is not None:
        resolved = max(resolved, allowed.probability)
    return parity.error > max(resolved, _STEPS * step)

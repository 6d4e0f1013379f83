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

    An output differs where its signal-to-noise ratio is too low, and the error is more than
    rounding makes of it: where all samples get nearly the same answer, or where a network is
    chaotic, there is hardly a signal to be lost.

    Attributes:
        snr_db: the least signal-to-noise ratio about the reference's mean.
        resolution: the share of the output's largest value that the format does not resolve.
        probability: the error of a class's probability that means nothing.
        classes_db: the least ratio of class numbers: of all over those that differ.
        reason: what makes right answers differ.
        is_asked: the ratio is asked for, and nothing else counts.
    """

    snr_db: float
    resolution: float
    probability: float
    classes_db: float
    reason: str
    is_asked: bool = False


#: By arithmetic; ``docs/quality.md`` has what was measured.
TOLERANCES: Mapping[Rounding, Tolerance] = MappingProxyType(
    {
        "float32": Tolerance(60.0, 1e-5, 1e-4, 13.0, "sums of float32 are added in another order"),
        "float16": Tolerance(25.0, 5e-3, 0.01, 7.0, "float16 keeps 11 bits of each number"),
        # A step of 8 bits is about 0.1 of logits within ±12, which moves a probability by a quarter
        # of that at most.
        "hybrid": Tolerance(30.0, 5e-3, 0.03, 3.0, "activations may be rounded to the next step"),
        "integer": Tolerance(20.0, 5e-3, 0.03, 3.0, "sums may be rounded to the next step"),
    }
)

#: So many steps of a quantized output are rounding: its own, and one before it.
_STEPS = 2
#: The resolution of real numbers, where it is known what a rounding makes of them.
_REAL = 1e-5
#: Errors may be so much above those of a rounding of the inputs, of all values and of one …
_BEYOND_DB = 6.0
CHANNEL_BEYOND_DB = 15.0
#: … whose error must be half as large as what varies of it.
CHANNEL_SNR_DB = 6.0


def asked(least_db: float) -> Tolerance:
    """A ratio that is asked for instead of what rounding explains."""
    return Tolerance(least_db, 0.0, 0.0, least_db, "", is_asked=True)


def tolerance(
    arithmetic: Arithmetic | None, accelerator: str, precision: str | None = None
) -> Tolerance:
    """What a file's answers may differ by on an accelerator.

    Args:
        arithmetic: of the file on a CPU; None where it is not known: then the widest counts.
        accelerator: ``cpu``, ``gpu``, ``nnapi`` or ``npu``.
        precision: what the accelerator was asked to compute in: by ``float32`` it is held to that.
    """
    if arithmetic is None:
        return TOLERANCES["integer"]
    if accelerator != "cpu" and arithmetic != "integer" and precision != "float32":
        return TOLERANCES["float16"]
    return TOLERANCES[arithmetic]


def differs(parity: OutputParity, allowed: Tolerance, *, step: float = 0.0) -> bool:
    """Whether an output's answers are not the file's.

    Args:
        parity: how alike they are.
        allowed: what rounding explains.
        step: the smallest difference between two values of a quantized output.
    """
    if allowed.is_asked:
        return parity.snr_db < allowed.snr_db
    if parity.unequal is not None:
        # One may be a tie, however few samples there are.
        return parity.unequal > 1 and parity.snr_db < allowed.classes_db
    return channel_differs(parity) or (
        parity.snr_db < allowed.snr_db and not _is_rounding(parity, allowed, step)
    )


def _is_rounding(parity: OutputParity, allowed: Tolerance, step: float) -> bool:
    """Whether an error is what rounding makes, however little the ratio is."""
    if parity.error is None or parity.largest is None:
        return False
    if parity.rounding_db is not None:
        resolved = _REAL * parity.largest
        if parity.snr_db >= parity.rounding_db - _BEYOND_DB:
            return True
    else:
        resolved = allowed.resolution * parity.largest
        if parity.agreement is not None:
            resolved = max(resolved, allowed.probability)
    return parity.error <= max(resolved, _STEPS * step)


def channel_differs(parity: OutputParity) -> bool:
    """Whether one value of the output's last axis is not the file's."""
    channel = parity.channel
    return (
        channel is not None
        and channel.snr_db < CHANNEL_SNR_DB
        and channel.snr_db < channel.rounding_db - CHANNEL_BEYOND_DB
    )

"""What is checked after each step: is the new .tflite sound, and did the step do anything?

Libraries have been seen to quantize nothing without an error, and to write files whose weights
are missing. Nothing of the kind reaches a device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.compress.step import StepError
from harness.compress.tflite import Runner
from harness.models.array import Array

#: How many samples a model is run on.
SAMPLES = 32

#: Mean cosine similarity with the outputs before: a quantizer below the first is broken, below
#: the second worth a warning.
_COSINE_BROKEN = 0.9
_COSINE_POOR = 0.98
#: Share of samples whose top class stays the same, below which a quantizer is worth a warning.
_AGREEMENT_POOR = 0.9
#: Share of weights that may stop being zero when quantized.
_ZEROS_LOST = 0.01
#: How far an encoding may move an output, as a share of the largest: the sums of a sparse kernel
#: have another order.
_ENCODING_TOLERANCE = 1e-4
#: How far a conversion may move an output, as a share of the largest.
_CONVERSION_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Examination:
    """What one .tflite did on the samples.

    ``outputs`` (samples, values) float32; ``zeros`` of the ``weights`` in the kernels of Dense
    and convolution; ``delegation`` as :func:`device_agent.delegation.describe` has it.
    """

    size: int
    outputs: Array
    classes: int | None
    zeros: int
    weights: int
    delegation: dict[str, Any]

    @property
    def zero_share(self) -> float | None:
        """The share of zeros in the kernels, None if there are none."""
        return self.zeros / self.weights if self.weights else None

    @property
    def is_constant(self) -> bool:
        """Whether every sample has the same answer."""
        return len(self.outputs) > 1 and bool((self.outputs == self.outputs[0]).all())

    def findings(self) -> dict[str, Any]:
        """For the provenance."""
        return {
            "bytes": self.size,
            "nodes": self.delegation.get("nodes"),
            "nodes_delegated": self.delegation.get("delegated"),
            "nodes_left": self.delegation.get("left"),
            "zeros_in_file": self.zero_share,
        }


def examine(content: bytes, samples: Sequence[Array]) -> Examination:
    """Loads a .tflite and runs it on the samples.

    Raises:
        StepError: it does not load, does not run, or answers with NaN or infinity.
    """
    runner = Runner(content)
    outputs = runner.run(samples)
    broken = int((~np.isfinite(outputs)).any(axis=1).sum())
    if broken:
        raise StepError(f"the model answers with NaN or infinity on {broken} of {len(samples)}")
    return Examination(len(content), outputs, runner.classes, *runner.zeros(), runner.delegation())


def base_warnings(base: Examination) -> tuple[str, ...]:
    """What to say of a model before any step."""
    if base.is_constant:
        return ("the model gives the same answer to every sample, so no check sees what it loses",)
    return ()


def compare_delegation(before: Examination, after: Examination) -> tuple[str, ...]:
    """Warns of operators that the delegate took before a step, and now leaves."""
    old, new = before.delegation["left"], after.delegation["left"]
    lost = [f"{new[name]} {name}" for name in new if new[name] > old.get(name, 0)]
    if not lost:
        return ()
    return (f"after this step the delegate leaves more to slower kernels: {', '.join(lost)}",)


def compare_zeros(asked: float, weights: int, after: Examination) -> tuple[str, ...]:
    """Checks that what pruning set to zero is zero in the file.

    Args:
        asked: the share of the prunable weights that must be zero.
        weights: how many prunable weights the model has.
        after: the file, which may have further kernels, of layers that are never pruned.

    Returns:
        warnings.

    Raises:
        StepError: the file has fewer zeros, or more without further kernels.
    """
    if after.weights < weights:
        found = f"{after.weights} of {weights} prunable weights"
        return (f"only {found} were found in the file, so its zeros could not be checked",)
    share = after.zeros / weights
    more = share > asked + _ZEROS_LOST and after.weights == weights
    if share < asked - _ZEROS_LOST or more:
        raise StepError(f"{share:.1%} of the weights are zero in the file instead of {asked:.1%}")
    return ()


def compare_conversion(wanted: Array, after: Examination) -> dict[str, Any]:
    """Checks a float32 .tflite against the outputs (samples, values) of the model it came from.

    Raises:
        StepError: it computes something else.
    """
    if wanted.shape != after.outputs.shape:
        raise StepError(
            f"the converted model gives {after.outputs.shape[1]} values "
            f"where the model gives {wanted.shape[1]}"
        )
    if not np.isfinite(wanted).all():
        raise StepError("the model itself answers with NaN or infinity before it is converted")
    largest = float(np.abs(wanted).max())
    error = float(np.abs(wanted - after.outputs).max())
    if error > _CONVERSION_TOLERANCE * max(largest, 1e-6):
        raise StepError(
            f"the converted model differs from the model by {error:.2g} "
            f"where its largest output is {largest:.2g}"
        )
    return {"conversion_error": error}


def compare_quantized(
    before: Examination, after: Examination
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Checks a quantized model against the float one: smaller, and nearly the same answers.

    Returns:
        findings and warnings.

    Raises:
        StepError: the file did not shrink, or the outputs are not those of this model.
    """
    if after.size >= before.size:
        raise StepError(
            f"the file did not get smaller ({before.size} to {after.size} bytes): "
            "nothing was quantized, or the model is too small to gain from it"
        )
    if before.zero_share and after.zero_share is not None:
        lost = before.zero_share - after.zero_share
        if lost > _ZEROS_LOST:
            raise StepError(
                f"quantization undid pruning: {lost:.1%} of the weights are not zero now"
            )
    findings = _compare(before, after)
    warnings = list(compare_delegation(before, after))
    if after.is_constant and not before.is_constant:
        warnings.append("the quantized model gives the same answer to every sample")
    cosine, agreement = findings["cosine"], findings.get("top1_agreement")
    if cosine < _COSINE_BROKEN:
        raise StepError(
            f"quantization broke the model: its outputs have a mean cosine similarity of "
            f"{cosine:.3f} with those before"
        )
    if cosine < _COSINE_POOR:
        warnings.append(f"outputs moved: mean cosine similarity {cosine:.3f} with those before")
    if agreement is not None and agreement < _AGREEMENT_POOR:
        warnings.append(f"only {agreement:.0%} of the samples keep their class when quantized")
    return findings, tuple(warnings)


def compare_encoded(
    before: Examination, after: Examination, plain: tuple[Array, Array], sparse_kernels: int
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Checks a file that stores the same weights in another way.

    Args:
        before: the dense file, under the default delegate.
        after: the encoded file, likewise.
        plain: the outputs of both without any delegate, where the arithmetic is the same.
        sparse_kernels: how many kernels the delegate is meant to leave to the runtime's own.

    Returns:
        findings and warnings.

    Raises:
        StepError: the file did not shrink, or it computes something else.
    """
    if after.size >= before.size:
        raise StepError(f"the file did not get smaller ({before.size} to {after.size} bytes)")
    wanted, found = plain
    largest = float(np.abs(wanted).max())
    error = float(np.abs(wanted - found).max()) if wanted.shape == found.shape else np.inf
    if not error <= _ENCODING_TOLERANCE * max(largest, 1e-6):
        raise StepError(
            f"the encoded model differs from the one before by {error:.2g} where its largest "
            f"output is {largest:.2g}"
        )
    findings = {**_compare(before, after), "encoding_error": error}
    cosine, warnings = findings["cosine"], []
    if cosine < _COSINE_BROKEN:
        raise StepError(
            f"under the delegate the encoded model computes something else: mean cosine "
            f"similarity {cosine:.3f}"
        )
    if cosine < _COSINE_POOR:
        warnings.append(f"outputs moved: mean cosine similarity {cosine:.3f} with those before")
    left = sum(after.delegation["left"].values()) - sum(before.delegation["left"].values())
    if left > sparse_kernels:
        warnings += compare_delegation(before, after)
    return findings, tuple(warnings)


def compare_trained(
    before: Examination, after: Examination
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Checks a retrained model, whose answers may move but must not all become one.

    Returns:
        findings and warnings.

    Raises:
        StepError: the model gives one answer to every sample where it told them apart before.
    """
    findings = _compare(before, after)
    if after.is_constant and not before.is_constant:
        raise StepError("the model gives the same answer to every sample")
    agreement = findings.get("top1_agreement")
    warnings = list(compare_delegation(before, after))
    if agreement is not None and agreement < 0.5:
        warnings.append(f"only {agreement:.0%} of the samples keep their class after this step")
    return findings, tuple(warnings)


def _compare(before: Examination, after: Examination) -> dict[str, Any]:
    if before.outputs.shape != after.outputs.shape:
        raise StepError(
            f"the model gives {after.outputs.shape[1]} values instead of {before.outputs.shape[1]}"
        )
    findings: dict[str, Any] = {"cosine": _mean_cosine(before.outputs, after.outputs)}
    if before.classes is not None:
        same = before.outputs.argmax(axis=1) == after.outputs.argmax(axis=1)
        findings["top1_agreement"] = float(same.mean())
    return findings


def _mean_cosine(a: Array, b: Array) -> float:
    """The mean over samples; two zero vectors are alike, one zero vector is unlike any other."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    both_zero = ~a.any(axis=1) & ~b.any(axis=1)
    products = np.divide((a * b).sum(axis=1), norms, out=np.zeros(len(a)), where=norms > 0)
    return float(np.where(both_zero, 1.0, products).mean())

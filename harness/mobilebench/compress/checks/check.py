"""The checks after each step: is the new .tflite sound, and did the step change anything?

Libraries have been seen to quantize nothing without an error, and to write files whose weights
are missing. Nothing of the kind reaches a device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mobilebench.compress.similarity import OutputSimilarity, compare
from mobilebench.errors import StepError
from mobilebench.models.array import Array, Sample
from mobilebench.text import percent
from mobilebench.tflite.interpreter import Runner

#: How many samples a model is run on.
SAMPLES = 32

#: Operators that only copy values: no kernel of theirs is a slower one.
_MOVING = ("CAST", "EMBEDDING_LOOKUP", "GATHER", "RESHAPE")
#: Share of weights that may stop being zero when quantized.
_ZEROS_LOST = 0.01
#: How far an encoding may move an output, as a share of the largest: the sums of a sparse kernel
#: have another order.
_ENCODING_TOLERANCE = 1e-4
#: How far a conversion may move an output, as a share of the largest.
_CONVERSION_TOLERANCE = 1e-3
#: How probable it may be that as many answers more become wrong than right by chance.
_CHANCE = 0.01

#: The shape of one sample's output, and its type.
Form = tuple[tuple[int, ...], np.dtype[Any]]


@dataclass(frozen=True)
class Examination:
    """What one .tflite did on the samples.

    ``outputs`` (samples, values) float32, of which each output has a ``part``; ``forms`` are the
    shape of one sample and the type of each, where they are more than a row of real numbers;
    ``left_out`` are the names of outputs that cannot be compared;
    ``labelled`` says that they are one score a class; ``zeros`` of the ``weights`` in the kernels
    of Dense and convolution; ``delegation`` as :func:`mobilebench_agent.delegation.describe` has
    it.
    """

    size: int
    outputs: Array
    parts: Mapping[str, slice]
    labelled: bool
    zeros: int
    weights: int
    delegation: dict[str, Any]
    forms: Mapping[str, Form] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def output(self, name: str) -> Array:
        """One output, (samples, *shape of one*)."""
        rows = self.outputs[:, self.parts[name]]
        shape, kind = self.forms.get(name, ((-1,), np.dtype(np.float32)))
        return rows.reshape(len(rows), *shape).astype(kind)

    @property
    def zero_share(self) -> float | None:
        """The share of zeros in the kernels, None if there are none."""
        return self.zeros / self.weights if self.weights else None

    @property
    def is_constant(self) -> bool:
        """Whether every sample has the same answer."""
        several = len(self.outputs) > 1 and self.outputs.shape[1] > 0
        return several and bool((self.outputs == self.outputs[0]).all())

    def findings(self) -> dict[str, Any]:
        """For the provenance."""
        return {
            "bytes": self.size,
            "nodes": self.delegation.get("nodes"),
            "nodes_delegated": self.delegation.get("delegated"),
            "nodes_left": self.delegation.get("left"),
            "zeros_in_file": self.zero_share,
        }


def examine(content: bytes, samples: Sequence[Sample], *, labelled: bool = False) -> Examination:
    """Loads a .tflite and runs it on the samples.

    Args:
        content: the file.
        samples: what it is run on.
        labelled: whether its data have labels, so that its only output is one score a class.

    Raises:
        StepError: it does not load, does not run, or answers with NaN or infinity.
    """
    runner = Runner(content)
    outputs = runner.run(samples)
    broken = int((~np.isfinite(outputs)).any(axis=1).sum())
    if broken:
        raise StepError(f"the model answers with NaN or infinity on {broken} of {len(samples)}")
    return Examination(
        len(content),
        outputs,
        runner.parts,
        labelled,
        *runner.zeros(),
        runner.delegation(),
        runner.forms,
        runner.left_out,
    )


def base_warnings(base: Examination) -> tuple[str, ...]:
    """What to say of a model before any step."""
    if base.left_out:
        names = ", ".join(map(repr, base.left_out))
        said = f"output {names} has another shape for each sample, or no real numbers"
        return (f"{said}: no check compares it",)
    if base.is_constant:
        return ("the model gives the same answer to every sample, so no check sees what it loses",)
    return ()


def compare_delegation(before: Examination, after: Examination) -> tuple[str, ...]:
    """Warns of operators that the delegate took before a step, and now leaves."""
    old, new = before.delegation["left"], after.delegation["left"]
    lost = [
        f"{new[name]} {name}"
        for name in new
        if new[name] > old.get(name, 0) and name not in _MOVING
    ]
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
        raise StepError(
            f"{percent(share)} of the weights are zero in the file instead of {percent(asked)}"
        )
    return ()


def compare_conversion(wanted: Mapping[str, Array], after: Examination) -> dict[str, Any]:
    """Checks a float32 .tflite against the model it came from, output by output.

    Args:
        wanted: the model's outputs by name, (samples, values) each; the name of an only output
            does not matter.
        after: the file.

    Returns:
        findings: the largest error beside its output's largest value decides.

    Raises:
        StepError: it computes something else.
    """
    if after.left_out:
        wanted = {name: values for name, values in wanted.items() if name in after.parts}
    if len(wanted) == len(after.parts) == 1:
        wanted = dict(zip(after.parts, wanted.values(), strict=True))
    if set(wanted) != set(after.parts):
        raise StepError(
            f"the converted model gives {', '.join(after.parts)} "
            f"where the model gives {', '.join(sorted(wanted))}"
        )
    errors = [0.0]
    for name, part in after.parts.items():
        expected, found = wanted[name], after.outputs[:, part]
        where = f" in output {name!r}" if len(wanted) > 1 else ""
        if expected.shape != found.shape:
            raise StepError(
                f"the converted model gives {found.shape[1]} values{where} "
                f"where the model gives {expected.shape[1]}"
            )
        if not np.isfinite(expected).all():
            raise StepError("the model itself answers with NaN or infinity before it is converted")
        largest = float(np.abs(expected).max())
        errors.append(float(np.abs(expected - found).max()))
        if errors[-1] > _CONVERSION_TOLERANCE * max(largest, 1e-6):
            raise StepError(
                f"the converted model differs from the model by {errors[-1]:.2g}{where} "
                f"where its largest output is {largest:.2g}"
            )
    return {"conversion_error": max(errors)}


def compare_quantized(
    before: Examination, after: Examination
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Checks a quantized model against the float one: nearly the same answers.

    Returns:
        findings and warnings.

    Raises:
        StepError: pruning was undone, or the outputs are not those of this model.
    """
    if before.zero_share and after.zero_share is not None:
        lost = before.zero_share - after.zero_share
        if lost > _ZEROS_LOST:
            raise StepError(
                f"quantization undid pruning: {percent(lost)} of the weights are not zero now"
            )
    found = _compare(before, after)
    warnings = list(compare_delegation(before, after))
    if after.size >= before.size:
        warnings.append(
            f"the file did not get smaller ({before.size} to {after.size} bytes): what describes "
            "its integers takes more than its few weights save"
        )
    if after.is_constant and not before.is_constant:
        warnings.append("the quantized model gives the same answer to every sample")
    for name, similarity in found.items():
        if similarity.is_broken:
            raise StepError(
                f"quantization broke the model: its outputs have {similarity.distance}"
                f"{_in(name, found)}; min_snr keeps its fragile layers wider, and "
                "quantization_aware before it trains for it"
            )
        warnings += [f"{text} when quantized{_in(name, found)}" for text in similarity.moved()]
    return _findings(found), tuple(warnings)


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
    found, errors = _compare(before, after), []
    for part in before.parts.values():
        wanted, given = (outputs[:, part] for outputs in plain)
        largest = float(np.abs(wanted).max())
        errors.append(float(np.abs(wanted - given).max()))
        if not errors[-1] <= _ENCODING_TOLERANCE * max(largest, 1e-6):
            raise StepError(
                f"the encoded model differs from the one before by {errors[-1]:.2g} where its "
                f"largest output is {largest:.2g}"
            )
    findings = {**_findings(found), "encoding_error": max(errors)}
    warnings = []
    for name, similarity in found.items():
        if similarity.is_broken:
            raise StepError(
                "under the delegate the encoded model computes something else: its outputs have "
                f"{similarity.distance}{_in(name, found)}"
            )
        warnings += [text + _in(name, found) for text in similarity.moved()]
    left = sum(after.delegation["left"].values()) - sum(before.delegation["left"].values())
    if left > sparse_kernels:
        warnings += compare_delegation(before, after)
    return findings, tuple(warnings)


def compare_trained(
    before: Examination, after: Examination, *, trained: bool = True
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Checks a model after a training step: answers may move but must not all become one.

    Args:
        before: the file of before.
        after: that of the step.
        trained: whether the step trained: without that nothing else makes good what it took.

    Returns:
        findings and warnings.

    Raises:
        StepError: the model gives one answer to every sample, and did not before.
    """
    found = _compare(before, after)
    if after.is_constant and not before.is_constant:
        raise StepError(
            "the model gives the same answer to every sample: too little is left of it, or its "
            "learning rate is too high"
        )
    warnings = list(compare_delegation(before, after))
    for name, similarity in found.items():
        moved = similarity.moved(trained=trained)
        warnings += [f"{text} after this step{_in(name, found)}" for text in moved]
    return _findings(found), tuple(warnings)


def compare_labels(before: bytes, after: bytes, samples: Sequence[Sample], labels: Array) -> str:
    """What a step loses of a classifier's right answers; empty if that may be chance.

    Answers may move a good deal and stay as right as before, or hardly move, and all to the wrong
    side.

    Args:
        before: the file of before.
        after: that of the step.
        samples: of the training data, on which a loss shows as well.
        labels: their class numbers.
    """
    from scipy.stats import binomtest

    right, still = (Runner(file).run(samples).argmax(axis=1) == labels for file in (before, after))
    lost, gained = int((right & ~still).sum()), int((~right & still).sum())
    if lost <= gained:
        return ""
    if binomtest(lost, lost + gained, alternative="greater").pvalue > _CHANCE:
        return ""
    now, then = (percent(float(of.mean()), 0) for of in (still, right))
    return (
        f"of {len(labels)} training samples {now} are classified correctly after this step, "
        f"and {then} before"
    )


def _compare(before: Examination, after: Examination) -> dict[str, OutputSimilarity]:
    """Each output by name, compared; but for those that another step made incomparable."""
    if before.left_out or after.left_out:
        both = [name for name in before.parts if name in after.parts]
        return {
            name: compare(before.output(name), after.output(name), labelled=False) for name in both
        }
    if before.outputs.shape != after.outputs.shape:
        raise StepError(
            f"the model gives {after.outputs.shape[1]} values instead of {before.outputs.shape[1]}"
        )
    labelled = before.labelled and len(before.parts) == 1
    return {
        name: compare(before.output(name), after.output(name), labelled=labelled)
        for name in before.parts
    }


def _findings(found: Mapping[str, OutputSimilarity]) -> dict[str, Any]:
    each = {name: similarity.findings() for name, similarity in found.items()}
    if len(each) == 1:
        (only,) = each.values()
        return only
    return {"outputs": each} if each else {}


def _in(name: str, found: Mapping[str, OutputSimilarity]) -> str:
    """Which output a sentence is of, where there are several."""
    return f", in output {name!r}" if len(found) > 1 else ""

"""Mixed precision: the few fragile layers stay wider, so that the outputs keep a stated quality.

Each layer is quantized alone, with all others in float32, and the outputs are compared with the
float model's on the calibration samples. The layers that do most harm are widened first, as few
as are needed (the sensitivity analysis of Wu et al. 2020, "Integer quantization for deep learning
inference"). With 4-bit weights a fragile layer gets 8 bits, with 8 bits float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobilebench.compress.quantizer import scheme as schemes
from mobilebench.compress.quantizer.scheme import Scheme, short
from mobilebench.errors import StepError
from mobilebench.models.array import Sample
from mobilebench.models.similarity import signal_to_noise
from mobilebench.records.answers import LARGEST_SNR_DB
from mobilebench.tflite.interpreter import Runner

#: On how many of the samples the outputs are compared.
SAMPLES = 32
#: Operators without weights that do arithmetic on quantized activations.
_ARITHMETIC = {
    "ADD", "SUB", "MUL", "DIV", "CONCATENATION", "MEAN", "SUM", "LOGISTIC", "TANH", "HARD_SWISH",
    "GELU", "RSQRT", "SQRT", "SQUARED_DIFFERENCE", "AVERAGE_POOL_2D",
}  # fmt: skip


@dataclass(frozen=True)
class Mixed:
    """A file, and which layers stayed wider in it.

    ``sensitivity`` has, for each layer quantized alone, the outputs' signal-to-noise ratio in dB,
    most fragile first; it is empty if nothing had to stay wider. ``wider`` says what the ``kept``
    layers got.
    """

    content: bytes
    snr: float
    kept: tuple[str, ...] = ()
    wider: str = ""
    sensitivity: dict[str, float] | None = None

    def findings(self) -> dict[str, Any]:
        """For the provenance."""
        found: dict[str, Any] = {"snr_db": self.snr}
        if self.sensitivity is not None:
            kept = [short(name) for name in self.kept]
            found |= {"kept_wider": kept, "kept_as": self.wider, "sensitivity_db": self.sensitivity}
        return found


def quantize_within(
    content: bytes,
    scheme: Scheme,
    statistics: Any,
    samples: Sequence[Sample],
    *,
    min_snr: float,
    report: Callable[[int, int], None],
) -> Mixed:
    """Quantizes all layers but the fewest, most fragile ones.

    Args:
        content: a float32 .tflite.
        scheme: what every other layer gets.
        statistics: of calibration, if the scheme needs any.
        samples: what the outputs are compared on.
        min_snr: what they must keep, in dB.
        report: called with how many trial quantizations are done, and of how many.

    Raises:
        StepError: only the float model is that good.
    """
    trials = _Trials(content, statistics, samples[:SAMPLES])
    whole = trials.quantize(scheme)
    if whole.snr >= min_snr:
        return whole
    wider = scheme.wider()
    if wider is not None and trials.quantize(wider).snr < min_snr:
        scheme, wider = wider, wider.wider()
    names = [
        layer.name
        for layer in trials.layers
        if (layer.stored is not None or (scheme.is_static and layer.kind in _ARITHMETIC))
        and not scheme.keeps_float(layer)
    ]
    total = len(names) + len(names).bit_length()
    alone: dict[str, float] = {}
    for done, name in enumerate(names):
        report(done, total)
        alone[name] = trials.alone(scheme, name)
    order = sorted(alone, key=alone.__getitem__)
    best = _fewest_wider(
        trials, scheme, wider, order, min_snr, lambda tried: report(len(names) + tried, total)
    )
    if best is None:
        raise StepError(
            f"the outputs keep {min_snr:g} dB only if no layer is quantized (all quantized: "
            f"{whole.snr:.1f} dB); ask for less with min_snr"
        )
    shown = {short(name): round(alone[name], 2) for name in order}
    kept_as = "float32" if wider is None else f"{wider.weight_bits}-bit weights"
    return Mixed(best.content, best.snr, best.kept, kept_as, shown)


def _fewest_wider(
    trials: _Trials,
    scheme: Scheme,
    wider: Scheme | None,
    order: Sequence[str],
    min_snr: float,
    report: Callable[[int], None],
) -> Mixed | None:
    """The file with the fewest of the most fragile layers wider that keeps ``min_snr``.

    A bisection: quality grows with the number of wider layers, or nearly so. None where only the
    float model would do.
    """
    few, many, best, tried = 0, len(order), None, 0
    while many - few > 1:
        report(tried)
        tried += 1
        middle = (few + many) // 2
        trial = trials.quantize(scheme, order[:middle], wider)
        if trial.snr >= min_snr:
            many, best = middle, trial
        else:
            few = middle
    if best is None and wider is not None:
        return trials.quantize(scheme, order, wider)
    return best


class _Trials:
    """Trial quantizations, compared with the float model's outputs."""

    def __init__(self, content: bytes, statistics: Any, samples: Sequence[Sample]) -> None:
        self._content = content
        self._statistics = statistics
        self._samples = samples
        self.layers = schemes.layers_of(content)
        self._looped = schemes.looped_of(content)
        runner = Runner(content)
        self._wanted = runner.run(samples)
        self._parts = tuple(runner.parts.values())

    def quantize(
        self, scheme: Scheme, kept: Sequence[str] = (), wider: Scheme | None = None
    ) -> Mixed:
        """The file with all layers quantized but those kept wider."""
        job = schemes.open_job(self._content)
        schemes.configure_all(job, scheme, self.layers, self._looped)
        for name in kept:
            schemes.configure(job, wider, schemes.exactly(name))
        content = schemes.run(job, self._statistics)
        return Mixed(content, self._snr(content), tuple(kept))

    def alone(self, scheme: Scheme, name: str) -> float:
        """The outputs' signal-to-noise ratio with one layer quantized."""
        job = schemes.open_job(self._content)
        (layer,) = [layer for layer in self.layers if layer.name == name][:1]
        schemes.configure(job, scheme.fitting(layer), schemes.exactly(name))
        return self._snr(schemes.run(job, self._statistics))

    def _snr(self, content: bytes) -> float:
        found = Runner(content).run(self._samples)
        if not np.isfinite(found).all():
            return -LARGEST_SNR_DB
        return min(signal_to_noise(self._wanted[:, p], found[:, p]) for p in self._parts)

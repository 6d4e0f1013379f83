"""Quantization: numbers of fewer bits, from a float32 .tflite. One step class a way to compute.

What each can do, and how it is done, is in :mod:`mobilebench.compress.quantizer`: ``scheme``;
ranges are observed in ``observe``, and fragile layers found in ``mixed``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from mobilebench.compress.step import Algorithm, Quantized, QuantizingStep, Ranges, unreported
from mobilebench.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobilebench.compress.quantizer.mixed import Mixed
    from mobilebench.compress.quantizer.scheme import Scheme
    from mobilebench.compress.step import Report
    from mobilebench.models.array import Sample


#: The widest Dense layer that GPTQ takes: it keeps a matrix of that many squared.
_WIDEST_GPTQ = 4096

_SAMPLES = Field(100, ge=1, le=10_000, description="how many samples to calibrate with, 1 to 10000")
_MIN_SNR = Field(
    None,
    gt=0,
    le=100,
    description="the signal-to-noise ratio that the outputs must keep, above 0 and at most 100 dB",
)
_KEEP_FLOAT = Field(
    None,
    pattern=r"[^,\s]",
    description="layers whose name contains this stay float32; commas between several",
)
_LOOPED = (
    "layers that run in a loop, as LSTM and GRU do, have integer weights and float activations: "
    "no ranges can be observed there"
)
_CONVOLUTION_BITS: Any = Field(
    4, description="bits of the convolutions' weights: 4, or 8 (which has faster kernels)"
)


class Float16(QuantizingStep):
    """Weights as 16-bit floats: half the file. A CPU computes with float32 as before."""

    name: ClassVar[str] = "float16"

    def quantize(
        self,
        content: bytes,
        samples: Sequence[Sample] = (),  # noqa: ARG002
        report: Report = unreported,  # noqa: ARG002
    ) -> Quantized:
        """See :meth:`QuantizingStep.quantize`."""
        from litert_quantizer import qtyping, quantizer

        from mobilebench.compress.quantizer import embedding, scheme

        scheme.require_float(content)
        job = scheme.open_job(embedding.with_lookups(content))
        job.update_quantization_recipe(
            scheme.EVERYWHERE,
            qtyping.TFLOperationName.ALL_SUPPORTED,
            op_config=qtyping.OpQuantizationConfig(
                weight_tensor_config=qtyping.TensorQuantizationConfig(
                    num_bits=16, dtype=qtyping.TensorDataType.FLOAT
                ),
                compute_precision=qtyping.ComputePrecision.FLOAT,
                explicit_dequantize=True,
            ),
            algorithm_key=quantizer.AlgorithmName.FLOAT_CASTING,
        )
        return _checked(scheme.run(job, None))


class IntegerStep(QuantizingStep):
    """What all integer schemes share.

    ``min_snr`` makes it mixed precision: the most fragile layers stay wider, as few as are needed
    for the outputs to keep that signal-to-noise ratio on the samples.
    """

    samples: int = _SAMPLES
    min_snr: float | None = _MIN_SNR
    keep_float: str | None = _KEEP_FLOAT

    @property
    def scheme(self) -> Scheme:
        """What the settings say of every layer."""
        raise NotImplementedError

    @property
    def bits_of_weights(self) -> tuple[int, int]:
        """Of Dense layers' weights, and of convolutions'."""
        return self.scheme.weight_bits, self.scheme.convolution_bits

    @property
    def _kept(self) -> tuple[str, ...]:
        """The parts of names that ``keep_float`` lists."""
        parts = (part.strip() for part in (self.keep_float or "").split(","))
        return tuple(part for part in parts if part)

    @property
    def is_fast(self) -> bool:
        """Whether operators that are slower on integers stay float."""
        return False

    @property
    def observed(self) -> Ranges:
        """How the ranges of all samples become one."""
        return "extremes"

    @property
    def calibration_count(self) -> int:
        """How many samples it looks at at most."""
        return self.samples if self.scheme.needs_samples or self.min_snr is not None else 0

    def quantize(
        self, content: bytes, samples: Sequence[Sample] = (), report: Report = unreported
    ) -> Quantized:
        """See :meth:`QuantizingStep.quantize`."""
        from mobilebench.compress.quantizer import embedding, mixed, observe, scheme, slow

        scheme.require_float(content)
        if not self.scheme.is_static:  # there GATHER itself has a scheme
            content = embedding.with_lookups(content)
        content = scheme.with_signature(content)
        if self.scheme.algorithm == "gptq":
            _require_gptq(content)
        warnings: tuple[str, ...] = ()
        if self.calibration_count:
            warnings = observe.check_samples(samples, self.samples)
        job = scheme.open_job(content)
        layers = scheme.layers_of(content)
        looped = scheme.looped_of(content)
        if self.scheme.integers_throughout and looped:
            raise StepError(f"io=int8 needs integers throughout: {_LOOPED}; leave io out")
        if self.scheme.is_static and any(looped.values()):
            warnings += (_LOOPED,)
        left = slow.slow_on_integers(content) if self.is_fast else ()
        own = replace(self.scheme, slow=left)
        scheme.configure_all(job, own, layers, looped)
        asked = tuple(layer.name for layer in layers if self.scheme.keeps_float(layer))
        statistics = None
        if self.scheme.needs_samples:
            statistics = observe.observe(
                job,
                content,
                samples,
                ranges=self.observed,
                default=self.scheme.algorithm == "gptq",
                report=report,
            )
        report(0, 0)  # the rest reports no progress
        if self.min_snr is None:
            plain = _checked(scheme.run(job, statistics), warnings=warnings, asked=asked)
            return _with_findings(plain, left)
        found = mixed.quantize_within(
            content, own, statistics, samples, min_snr=self.min_snr, report=report
        )
        made = _with_findings(_checked(found.content, found, warnings, asked), left)
        if self.scheme.weight_bits == 4 and "INT4" not in made.findings["layers_by_type"]:
            idle = f"min_snr={self.min_snr:g} leaves no layer with 4-bit weights"
            return replace(made, warnings=(*made.warnings, idle))
        return made


class DynamicInt8(IntegerStep):
    """Weights as 8-bit integers, activations quantized on the fly; no calibration.

    Depthwise convolutions keep float activations (weight-only): quantizing theirs on the fly
    takes them off the fast path.
    """

    name: ClassVar[str] = "dynamic_int8"

    algorithm: Algorithm = Field("min_max", description="min_max, octav, mse or gptq")

    @property
    def scheme(self) -> Scheme:
        """8-bit weights, float activations."""
        from mobilebench.compress.quantizer.scheme import Scheme

        return Scheme("dynamic", algorithm=self.algorithm, keep_float=self._kept)


class DynamicInt4(IntegerStep):
    """Weights as 4-bit integers, activations quantized on the fly to 8.

    Dense and embedding can have a scale of their own for each ``block`` of weights in a row.
    Convolutions have no fast 4-bit kernels; with ``convolution_bits=8`` they keep 8 bits.
    """

    name: ClassVar[str] = "dynamic_int4"

    algorithm: Algorithm = Field("min_max", description="min_max, octav, mse or gptq")
    block: Literal[32, 64, 128, 256] | None = Field(
        None, description="weights in a row with one scale in Dense: 32, 64, 128 or 256"
    )
    convolution_bits: Literal[4, 8] = _CONVOLUTION_BITS

    @property
    def scheme(self) -> Scheme:
        """4-bit weights, float activations."""
        from mobilebench.compress.quantizer.scheme import Scheme

        return Scheme(
            "dynamic", 4, self.convolution_bits, self.block, self.algorithm, keep_float=self._kept
        )


class WeightOnlyInt8(IntegerStep):
    """Weights as 8-bit integers, unpacked before computing in float32; no calibration."""

    name: ClassVar[str] = "weight_only_int8"

    algorithm: Algorithm = Field("min_max", description="min_max, octav, mse or gptq")

    @property
    def scheme(self) -> Scheme:
        """8-bit weights, float arithmetic."""
        from mobilebench.compress.quantizer.scheme import Scheme

        return Scheme("float", algorithm=self.algorithm, keep_float=self._kept)


class WeightOnlyInt4(IntegerStep):
    """Weights as 4-bit integers, unpacked before computing in float32, at each inference."""

    name: ClassVar[str] = "weight_only_int4"

    algorithm: Algorithm = Field("min_max", description="min_max, octav, mse or gptq")
    convolution_bits: Literal[4, 8] = _CONVOLUTION_BITS

    @property
    def scheme(self) -> Scheme:
        """4-bit weights, float arithmetic."""
        from mobilebench.compress.quantizer.scheme import Scheme

        return Scheme(
            "float", 4, self.convolution_bits, None, self.algorithm, keep_float=self._kept
        )


class _StaticStep(IntegerStep):
    """Integer arithmetic throughout (Jacob et al. 2018), with ranges from calibration.

    Weights of 4 bits are for Dense and convolutions; the latter have no fast kernels for them.
    """

    weight_bits: Literal[4, 8] = Field(8, description="bits of the weights, 4 or 8")
    convolution_bits: Literal[4, 8] | None = Field(
        None, description="bits of the convolutions' weights: weight_bits unless 8 is given"
    )
    algorithm: Literal["min_max", "octav", "mse"] = Field(
        "min_max", description="min_max, octav or mse"
    )
    ranges: Ranges = Field(
        "extremes",
        description="extremes (smallest and largest value seen) or average (of each sample's)",
    )

    @property
    def observed(self) -> Ranges:
        """How the ranges of all samples become one."""
        return self.ranges

    def _scheme(self, activations: Literal["int8", "int16"]) -> Scheme:
        from mobilebench.compress.quantizer.scheme import Scheme

        convolution_bits = self.convolution_bits or self.weight_bits
        return Scheme(
            activations,
            self.weight_bits,
            convolution_bits,
            None,
            self.algorithm,
            keep_float=self._kept,
        )


class Int8(_StaticStep):
    """Weights and activations as 8-bit integers.

    Operators that the CPU runtime computes slower on integers stay float, as do inputs and
    outputs; NPUs and microcontrollers want integers throughout (``io=int8``).
    """

    name: ClassVar[str] = "int8"

    arithmetic: Literal["fast", "integer"] = Field(
        "fast",
        description="fast (what a CPU computes slower on integers stays float) or integer "
        "(everything but a softmax is on integers)",
    )
    io: Literal["float", "int8"] = Field(
        "float", description="the type of inputs and outputs: float, or int8 (then all is integer)"
    )

    @property
    def scheme(self) -> Scheme:
        """8-bit activations."""
        return replace(self._scheme("int8"), integers_throughout=self.io == "int8")

    @property
    def is_fast(self) -> bool:
        """Whether operators that are slower on integers stay float."""
        return self.arithmetic == "fast" and self.io == "float"


class Int16x8(_StaticStep):
    """Activations as 16-bit integers, weights as 8-bit ones: precise, and slow on a CPU.

    XNNPACK has no kernels for it: expect tens of times the latency of int8.
    """

    name: ClassVar[str] = "int16x8"

    @property
    def scheme(self) -> Scheme:
        """16-bit activations."""
        return self._scheme("int16")


def _require_gptq(content: bytes) -> None:
    from mobilebench.compress.quantizer.scheme import layers_of

    widths = [x.shape[-1] for x in layers_of(content) if x.kind == "FULLY_CONNECTED" and x.stored]
    if not widths:
        raise StepError("algorithm=gptq is for Dense layers, and the model has none; use octav")
    widest = max(widths)
    if widest > _WIDEST_GPTQ:
        raise StepError(
            f"algorithm=gptq would need {8 * widest**2 / 2**30:.0f} GiB for the model's Dense "
            f"layer of {widest} inputs; {_WIDEST_GPTQ} are the most; use octav"
        )


def _with_findings(made: Quantized, left: Sequence[str]) -> Quantized:
    """What was made, with how many operators stayed float because they are faster so."""
    return replace(made, findings=made.findings | {"float_for_speed": len(left)}) if left else made


def _checked(
    content: bytes,
    found: Mixed | None = None,
    warnings: tuple[str, ...] = (),
    asked: tuple[str, ...] = (),
) -> Quantized:
    """The file with what is in it; layers that were left in float32 unasked are warned of."""
    from mobilebench.compress.quantizer import scheme

    counts, left = scheme.count_weights(content, (*asked, *(found.kept if found else ())))
    if left:
        kinds = ", ".join(f"{left.count(kind)} {kind}" for kind in sorted(set(left)))
        warnings = (*warnings, f"layers whose weights stay float32, for want of a scheme: {kinds}")
    findings: dict[str, object] = {"layers_by_type": counts}
    if found is not None:
        findings |= found.findings()
    return Quantized(content, findings, warnings)

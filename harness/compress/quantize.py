"""Quantization: numbers of fewer bits, by litert-quantizer, from a float32 .tflite.

No TensorFlow is needed, so a .tflite whose training code is lost can be quantized as well, and
the result is on a par with TensorFlow's own converter (MobileNetV2 int8: 3.03 ms against 3.04).
Inputs and outputs stay float32, so that every variant takes and gives the same numbers.
"""

from __future__ import annotations

import contextlib
import io
import logging
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.compress.step import QuantizingStep, StepError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.models.array import Array

#: Threads that calibration runs the model with.
_THREADS = 2


class Float16(QuantizingStep):
    """Weights as 16-bit floats: half the file. A CPU computes with float32 as before."""

    name: ClassVar[str] = "float16"

    def quantize(self, content: bytes, calibration: Sequence[Array] | None) -> bytes:  # noqa: ARG002
        """See :meth:`QuantizingStep.quantize`."""
        from litert_quantizer import qtyping, quantizer

        job = quantizer.Quantizer(content)
        job.update_quantization_recipe(
            ".*",
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
        return _run(job, None)


class DynamicInt8(QuantizingStep):
    """Weights as 8-bit integers, activations quantized on the fly; no calibration.

    Depthwise convolutions keep float activations (weight-only): quantizing theirs on the fly
    takes them off the fast path, which made MobileNetV2 nearly twice as slow.
    """

    name: ClassVar[str] = "dynamic_int8"

    def quantize(self, content: bytes, calibration: Sequence[Array] | None) -> bytes:  # noqa: ARG002
        """See :meth:`QuantizingStep.quantize`."""
        from litert_quantizer import qtyping, quantizer

        job = quantizer.Quantizer(content)
        job.add_dynamic_config(".*", qtyping.TFLOperationName.ALL_SUPPORTED, 8)
        job.add_weight_only_config(".*", qtyping.TFLOperationName.DEPTHWISE_CONV_2D, 8)
        return _run(job, None)


class WeightOnlyInt8(QuantizingStep):
    """Weights as 8-bit integers, unpacked before computing in float32; no calibration."""

    name: ClassVar[str] = "weight_only_int8"

    def quantize(self, content: bytes, calibration: Sequence[Array] | None) -> bytes:  # noqa: ARG002
        """See :meth:`QuantizingStep.quantize`."""
        from litert_quantizer import qtyping, quantizer

        job = quantizer.Quantizer(content)
        job.add_weight_only_config(".*", qtyping.TFLOperationName.ALL_SUPPORTED, 8)
        return _run(job, None)


class Int8(QuantizingStep):
    """Weights and activations as 8-bit integers (Jacob et al. 2018), with calibration.

    A softmax stays float: in steps of 1/256 a thousand near-equal classes all become 0, and
    XNNPACK has no int8 softmax, so nothing is lost (MobileNetV2: 3.1 ms either way).
    """

    name: ClassVar[str] = "int8"

    samples: int = Field(
        100, ge=1, le=10_000, description="how many samples to calibrate with, 1 to 10000"
    )

    @property
    def calibration_count(self) -> int:
        """How many samples it calibrates with at most."""
        return self.samples

    def quantize(self, content: bytes, calibration: Sequence[Array] | None) -> bytes:
        """See :meth:`QuantizingStep.quantize`."""
        from litert_quantizer import qtyping, quantizer

        job = quantizer.Quantizer(content)
        operation = qtyping.TFLOperationName
        job.add_static_config(".*", operation.ALL_SUPPORTED, 8, 8)
        for kept_float in (operation.INPUT, operation.OUTPUT, operation.SOFTMAX):
            job.update_quantization_recipe(
                ".*", kept_float, algorithm_key=quantizer.AlgorithmName.NO_QUANTIZE
            )
        if not calibration:
            raise StepError("int8 has no samples to calibrate with")
        return _run(job, _calibrate(job, content, calibration))


def _calibrate(job: Any, content: bytes, samples: Sequence[Array]) -> Any:
    """The ranges of all activations on the samples."""
    from harness.compress.tflite import Runner

    runner = Runner(content)
    if len(runner.inputs) != 1 or len(runner.signatures) != 1:
        raise StepError("int8 calibrates models with one input and one signature only")
    (signature,) = runner.signatures
    (name,) = runner.signatures[signature]
    shape = runner.inputs[0].shape
    feed = [{name: sample.reshape(shape)} for sample in samples]
    with _quiet():
        return job.calibrate({signature: feed}, num_threads=_THREADS)


def _run(job: Any, calibration: Any) -> bytes:
    with _quiet():
        result = job.quantize(calibration, enable_progress_bar=False, enable_progress_report=False)
    if not result.quantized_model:
        raise StepError("litert-quantizer returned no model")
    return bytes(result.quantized_model)


@contextlib.contextmanager
def _quiet() -> Any:
    """Keeps the library's prints and progress bars off the terminal."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(level)

"""Latency for steps that aim at one: the host measures, on its devices.

Compression knows no devices. Its child process writes files and asks; the host, which holds the
devices, answers with medians of fresh processes, as in any run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mobilebench.compress.step import DeviceLatency, unreported
from mobilebench.errors import StepError

if TYPE_CHECKING:
    from mobilebench.compress.step import Report


class NotMeasuredError(Exception):
    """The device gave no latency: why, in one sentence."""


class Measure(Protocol):
    """A function that measures latency."""

    def __call__(self, files: Sequence[Path], report: Report = unreported, /) -> Sequence[float]:
        """The latency of each .tflite in seconds, measured in turn so that they can be compared.

        Args:
            files: to measure.
            report: called with how many processes have ended, and of how many.

        Raises:
            NotMeasuredError: there is none.
        """
        ...


@dataclass(frozen=True)
class LatencyProbe:
    """What measures latency, and on which device.

    Attributes:
        device: the device with its runtime: whatever latency depends on.
        measure: gives the latencies of files.
    """

    device: str
    measure: Measure


def device_latency_for(
    latency_probe: LatencyProbe, model: Any, scratch: Path, report: Callable[[int], None]
) -> DeviceLatency:
    """Measures models against the Keras model of a step's beginning, each as float32 .tflite.

    Args:
        latency_probe: measures latency on a device.
        model: the Keras model before the step.
        scratch: a folder for the files.
        report: called with how many models have been measured.
    """
    from mobilebench.compress.pipeline.convert import convert_keras

    def write(candidate: Any) -> Path:
        content = convert_keras(candidate, scratch)
        path = scratch / f"{hashlib.sha256(content).hexdigest()}.tflite"
        path.write_bytes(content)
        return path

    whole: list[Path] = []
    done = 0

    def relative(candidate: Any) -> float:
        nonlocal done
        report(done)
        whole.extend([] if whole else [write(model)])
        file = write(candidate)
        try:
            before, after = latency_probe.measure([whole[0], file])
        except NotMeasuredError as error:
            raise StepError(f"no latency on {latency_probe.device}: {error}") from error
        finally:
            file.unlink()
        done += 1
        return after / before

    return DeviceLatency(latency_probe.device, relative)

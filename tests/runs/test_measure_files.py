"""Files measured in turn on a device that is this process's alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from mobilebench.compress.artifact import EvaluationSet
from mobilebench.devices.base import InvalidTrialError, TrialError
from mobilebench.devices.lease import TakenError
from mobilebench.models.hooks import Hooks
from mobilebench.records.runtime import Runtime
from mobilebench.records.trial import ATTEMPTS
from mobilebench.runs.debug_samples import samples_for
from mobilebench.runs.leases import Leases
from mobilebench.runs.measure_files import FileMeasurer
from mobilebench.tflite import interface

from tests.support.leased_device import LeasedDevice
from tests.support.models import BASELINE


def test_what_somebody_else_disturbed_is_measured_again() -> None:
    device = LeasedDevice()
    with Leases() as leases:
        leases.take(device)
        measurer = FileMeasurer(device, device.probe(), Runtime(name="cpu"), 0, leases)
        device.place.undisturbed = [False, True]
        assert measurer.latency([BASELINE], 1) == [[1e6]]
        assert len(device.jobs) == 2
        device.place.undisturbed = [False] * ATTEMPTS
        with pytest.raises(InvalidTrialError, match="somebody else had") as error:
            measurer.memory(BASELINE)
        assert error.value.code == "taken"
        device.place.undisturbed = [TakenError("a", None)]
        with pytest.raises(TakenError):
            measurer.memory(BASELINE)


def test_a_runtime_is_asked_for_as_a_whole() -> None:
    device = LeasedDevice()
    with Leases() as leases:
        leases.take(device)
        for table in (
            {"name": "big", "cpus": "big"},
            {"name": "gpu", "accelerator": "gpu", "precision": "float32", "preference": "fast"},
        ):
            runtime = Runtime.model_validate(table)
            FileMeasurer(device, device.probe(), runtime, 0, leases).latency([BASELINE], 1)
    big, gpu = device.jobs
    assert big.cluster == "big"
    assert (gpu.accelerator, gpu.precision, gpu.preference) == ("gpu", "float32", "fast")


def test_energy_is_what_an_inference_takes_beyond_the_idle_device() -> None:
    device = LeasedDevice()
    with Leases() as leases:
        leases.take(device)
        measurer = FileMeasurer(device, device.probe(), Runtime(name="cpu"), 0, leases)
        device.energy = lambda *_: 0.25
        assert measurer.energy(BASELINE) == pytest.approx(0.25, rel=1e-3)
        (job,) = device.jobs
        assert (job.kind, job.windows) == ("energy", 10)
        device.energy = lambda *_: None
        with pytest.raises(TrialError, match="no such counter"):
            measurer.energy(BASELINE)


def test_answers_that_are_not_the_files_are_not_scored(tmp_path: Path) -> None:
    content = BASELINE.read_bytes()
    _, samples = samples_for(content, "small", None, tmp_path)
    data = EvaluationSet("noise", samples.path, samples.digest, samples.count)
    taken, hooks = interface.read(content, "small"), Hooks()
    device = LeasedDevice()
    with Leases() as leases:
        leases.take(device)
        measurer = FileMeasurer(device, device.probe(), Runtime(name="cpu"), 0, leases)
        (parity,) = measurer.answers(BASELINE, taken, data, hooks).answers.parity
        assert parity.snr_db > 60
        device.right = {False: samples.count}  # always the same class
        with pytest.raises(TrialError, match="are not its file's: output") as error:
            measurer.answers(BASELINE, taken, data, hooks)
    assert error.value.code == "answers_differ"

"""Our latency beside that of TensorFlow's ``benchmark_model`` on the same device.

The two are kept apart: another executor in another environment, and no samples to test with.
"""

from __future__ import annotations

from pathlib import Path

from harness.devices.adb import AdbDevice, AdbError, parse_address
from harness.devices.base import TrialError
from harness.devices.benchmark_model import UpstreamJob, UpstreamTimings, measure
from harness.errors import BadInputError, InvalidRunError


def cross_check(model: Path, binary: Path, address: str, threads: int) -> UpstreamTimings:
    """Runs ``benchmark_model`` once.

    Args:
        model: a ``.tflite``.
        binary: the program, built for the device.
        address: the device's serial, or ``adb://HOST:PORT/SERIAL``.
        threads: of the run.

    Raises:
        BadInputError: a file or the device is not there.
        InvalidRunError: the program did not run, or did not say what it says when all is well.
    """
    for file in (model, binary):
        if not file.is_file():
            raise BadInputError(f"there is no file {file}")
    server, serial = parse_address(address)
    server.ensure()
    device = AdbDevice(server, serial)
    try:
        state = device.state()
        if state != "device":
            raise BadInputError(f"device {serial!r} is {state}; see: mobilebench devices")
        return measure(device, binary, model, UpstreamJob(threads))
    except (TrialError, AdbError) as error:
        raise InvalidRunError(f"benchmark_model on {serial!r}: {error}") from error

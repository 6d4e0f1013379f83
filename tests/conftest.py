"""What all tests share: fixtures, a cache of their own, and signals as a terminal sends them.

What is no fixture is in ``tests/support``.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import settings
from mobilebench.errors import BadInputError

from tests.support.models import BASELINE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.compress import Digits
    from tests.support.scripted_device import Open, ScriptedDevice

# A busy machine is no fault of what is tested.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# TensorFlow is quiet, and leaves a GPU alone.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

pytest_plugins = ["tests.phone.needs", "tests.phone.fixtures"]


@pytest.fixture(scope="session", autouse=True)
def _own_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's cache; all tests of one session share one.

    Of the whole session, for fixtures of modules measure and compress, too.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOBILEBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        # Nor do they wait for whoever measures on this machine.
        patch.setenv("MOBILEBENCH_LEASES", str(tmp_path_factory.getbasetemp() / "leases"))
        yield


@pytest.fixture
def model_file() -> Path:
    """A small convolutional classifier: 8x8x1 in, ten classes out, float32."""
    return BASELINE


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Digits:
    """A small trained classifier of the shipped digits."""
    from tests.support.compress import make_digits

    return make_digits(tmp_path_factory.mktemp("digits"))


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Measures on a scripted device, whatever device a suite names.

    There are no reference answers: a script does not answer as its model would.
    """

    def no_runtime(*_: object) -> NoReturn:
        raise BadInputError("it has no runtime")

    def use(device: ScriptedDevice) -> ScriptedDevice:
        monkeypatch.setattr("mobilebench.runs.run.open_device", lambda _spec: device)
        monkeypatch.setattr("mobilebench.runs.evaluations.LocalDevice", no_runtime)
        return device

    return use


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="Write the outputs below tests/golden/expected anew instead of comparing with them.",
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether outputs are to be taken over instead of compared."""
    return bool(request.config.getoption("--update-golden"))


def pytest_configure() -> None:
    """Undoes what ``nohup`` and a shell's ``&`` leave to every process that the tests start.

    Ctrl-C and a hang-up are among the things that are tested, and whoever ignores a signal passes
    that on to all its children.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Windows has no hang-up.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

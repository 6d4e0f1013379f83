"""What all tests share: small real models, and a cache of their own."""

import hashlib
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no fault of what is tested.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

pytest_plugins = ["tests.phone.needs"]

MODELS = Path(__file__).parent / "fixtures" / "models"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache; all tests of one session share one."""
    monkeypatch.setenv("MOBILEBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def model_file() -> Path:
    """A small convolutional classifier: 8x8x1 in, ten classes out, float32."""
    return MODELS / "small.tflite"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

"""The gate in a user's own tests.

    def test_the_new_model_is_as_good(mobilebench_gate):
        assert mobilebench_gate("main.tflite", "branch.tflite", data="eval.npz").passed

Loaded whenever pytest starts, so nothing but pytest is imported before a fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from mobilebench.devices.spec import DeviceSpec
    from mobilebench.runs.verdict import GateResult

_FIXTURES = frozenset({"mobilebench_gate", "mobilebench_device"})

#: For a device that another test, or somebody else, measures on.
_WAIT_MINUTES = 60.0


class Gate(Protocol):
    """What the fixture ``mobilebench_gate`` is."""

    def __call__(
        self,
        baseline: str | Path,
        candidate: str | Path,
        *,
        data: str | Path | None = None,
        policy: str | Path | Mapping[str, Any] | None = None,
        speed_only: bool = False,
        seconds: float | None = None,
        threads: int | None = None,
        cpus: Sequence[int] | None = None,
        seed: int | None = None,
    ) -> GateResult:
        """Runs both files and judges; a wrong argument fails the test with one sentence.

        Args:
            baseline: the ``.tflite`` known to be good.
            candidate: the ``.tflite`` to be judged.
            data: labelled data; None: their answers are compared with each other.
            policy: a policy file, or its contents as a mapping.
            speed_only: judges time and size alone, whatever the answers are.
            seconds: measured per trial; None: one second.
            threads: of the runtime; None: one.
            cpus: to which each trial is kept; None: it runs where the system lets it.
            seed: of inputs and order.
        """


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--mobilebench-device``."""
    parser.getgroup("mobilebench").addoption(
        "--mobilebench-device",
        default="local",
        metavar="ID",
        help="where mobilebench_gate measures: a serial, adb://HOST:PORT/SERIAL, or local "
        "(default: this machine)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    config.addinivalue_line(
        "markers",
        "mobilebench: measures models on a device; set by itself on every test that uses a "
        "mobilebench fixture (leave them out with -m 'not mobilebench')",
    )


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Marks the tests that measure."""
    for item in items:
        if _FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("mobilebench")


@pytest.fixture(scope="session")
def mobilebench_device(request: pytest.FixtureRequest) -> DeviceSpec:
    """The device of ``--mobilebench-device``, probed once; without it the test is skipped."""
    from mobilebench.errors import BadInputError
    from mobilebench.runs import selection

    chosen = str(request.config.getoption("--mobilebench-device"))
    try:
        specs = selection.choose_devices((chosen,), ())
        if len(specs) != 1:
            raise BadInputError(
                f"--mobilebench-device {chosen} means {len(specs)} devices: name one"
            )
        selection.open_device(specs[0]).probe()
    except BadInputError as error:
        pytest.skip(f"mobilebench cannot measure on {chosen}: {error}")
    return specs[0]


@pytest.fixture
def mobilebench_gate(
    request: pytest.FixtureRequest,
    mobilebench_device: DeviceSpec,
    tmp_path_factory: pytest.TempPathFactory,
) -> Gate:
    """A function that gates one file against another; see ``Gate``."""
    from mobilebench import api
    from mobilebench.errors import MobileBenchError

    def run(
        baseline: str | Path,
        candidate: str | Path,
        *,
        data: str | Path | None = None,
        policy: str | Path | Mapping[str, Any] | None = None,
        speed_only: bool = False,
        seconds: float | None = None,
        threads: int | None = None,
        cpus: Sequence[int] | None = None,
        seed: int | None = None,
    ) -> GateResult:
        try:
            result = api.gate(
                baseline,
                candidate,
                data=data,
                policy=policy,
                speed_only=speed_only,
                seconds=seconds,
                threads=threads,
                cpus=cpus,
                seed=seed,
                devices=mobilebench_device,
                # Tests that run side by side measure one after the other.
                wait_minutes=_WAIT_MINUTES,
                results=tmp_path_factory.mktemp("mobilebench"),
                command=["pytest", request.node.nodeid],
            )
        except MobileBenchError as error:
            problem = str(error)
        else:
            from mobilebench.report.exports.gate import summary

            request.node.add_report_section("call", "mobilebench", summary(result))
            return result
        # Outside of the handler: the sentence says all, the chain of causes nothing more.
        pytest.fail(f"mobilebench: {problem}", pytrace=False)

    return run

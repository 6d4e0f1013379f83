"""A search's bench: what the device suffers is no candidate's fault."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mobilebench.compress.artifact import Artifact
from mobilebench.compress.recipe import parse_recipe
from mobilebench.devices.base import InvalidTrialError, TrialError
from mobilebench.errors import BadInputError, DeviceError, MobileBenchError
from mobilebench.search.bench import ROUNDS, DeviceBench
from mobilebench.search.candidate import Candidate


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (InvalidTrialError("too_hot", "it did not cool down"), DeviceError, "unfit"),
        (TrialError("link_lost", "it went away"), DeviceError, "lost"),
        (TrialError("agent_died", "the process ended"), BadInputError, ""),
    ],
)
def test_passing_trouble_ends_the_search_and_fails_nothing(
    error: TrialError, kind: type[MobileBenchError], code: str
) -> None:
    data: Any = object()
    artifact = Artifact("m", "as_is", "0", Path("m"), {}, interface=data, evaluation=data)

    def fail(*_: object) -> None:
        raise error

    spec: Any = SimpleNamespace(name="m", source="m.tflite")
    compressor: Any = SimpleNamespace(make=lambda _: SimpleNamespace(artifacts=[artifact]))
    measurer: Any = SimpleNamespace(answers=fail, device=SimpleNamespace(name="a"))
    hooks: Any = None
    with pytest.raises(kind, match=error.reason) as caught:
        DeviceBench(spec, compressor, measurer, hooks, 0)
    assert getattr(caught.value, "code", "") == code


class DriftingDevice:
    """Slows down by a tenth with each process; what a file takes is in its name (ns)."""

    facts = SimpleNamespace(emulated=False)

    def __init__(self, uneven: float = 1.0) -> None:
        self.pace = 1.0
        self.uneven = uneven
        self.rounds = 0

    def latency(self, files: list[Path], rounds: int) -> list[list[float]]:
        found: list[list[float]] = [[] for _ in files]
        for _ in range(rounds):
            self.rounds += 1
            self.pace *= 1.1
            for file, medians in zip(files, found, strict=True):
                medians.append(float(file.name) * self.pace)
            found[-1][-1] *= self.uneven**self.rounds
        return found


def bench_on(device: Any, monkeypatch: pytest.MonkeyPatch) -> DeviceBench:
    def make(pairs: Any) -> Any:
        text = pairs[0][1].text
        path = Path({"as_is": "1000", "dynamic_int8": "300", "int8": "270"}[text])
        return SimpleNamespace(artifacts=[Artifact("m", text, path.name, path, {})])

    spec: Any = SimpleNamespace(name="m", source="m.tflite")
    compressor: Any = SimpleNamespace(make=make)
    hooks: Any = None
    monkeypatch.setattr(DeviceBench, "_scored", lambda *_: None)
    return DeviceBench(spec, compressor, device, hooks, 0, 1000.0)


def test_drift_of_the_device_does_not_decide_which_is_faster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    device: Any = DriftingDevice()
    bench = bench_on(device, monkeypatch)
    first, second = (bench.make(parse_recipe(text)) for text in ("dynamic_int8", "int8"))
    assert isinstance(first, Artifact)
    assert isinstance(second, Artifact)
    took = bench.measure("latency", first)
    assert took == pytest.approx(300)
    best = Candidate("dynamic_int8", "measured", values={"latency": took}, sha256=first.sha256)
    assert bench.measure("latency", second, best) == pytest.approx(270)
    assert device.rounds == 4  # two each: they agreed
    gone = Candidate("dynamic_int8", "measured", values={"latency": took}, sha256="gone")
    assert bench.measure("latency", second, gone) == pytest.approx(270)


def test_ratios_that_disagree_are_measured_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    device: Any = DriftingDevice(uneven=1.2)
    bench = bench_on(device, monkeypatch)
    made = bench.make(parse_recipe("int8"))
    assert isinstance(made, Artifact)
    bench.measure("latency", made)
    assert device.rounds == ROUNDS

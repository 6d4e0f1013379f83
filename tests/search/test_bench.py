"""A search's bench: what the device suffers is no candidate's fault."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mobilebench.compress.artifact import Artifact
from mobilebench.devices.base import InvalidTrialError, TrialError
from mobilebench.errors import BadInputError, DeviceError, MobileBenchError
from mobilebench.search.bench import DeviceBench


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

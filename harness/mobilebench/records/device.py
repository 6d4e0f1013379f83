"""What a device is, and who measures on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: Who measures: the app or the agent of this project, or TensorFlow's own program.
AGENT, BENCHMARK_MODEL = "agent", "benchmark_model"


@dataclass(frozen=True)
class DeviceFacts:
    """What a device is: recorded with every run, so that unlike things are never compared."""

    name: str
    kind: str
    agent: str
    runtime: str
    runtime_version: str
    virtual: bool = False
    info: dict[str, Any] = field(default_factory=dict)
    executor: str = AGENT

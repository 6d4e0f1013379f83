"""A scripted device with a lease in memory, and a suite for it."""

from __future__ import annotations

from mobilebench.devices.lease import Holder, Lease
from mobilebench.records.device import DeviceFacts
from mobilebench.suite.schema import Suite

from tests.support.models import BASELINE, CANDIDATE
from tests.support.scripted_device import ScriptedDevice


class Place:
    """A lease in memory: a script of answers, and what became of it."""

    key = "the only one"

    def __init__(self) -> None:
        self.answers: list[Exception | None] = []
        self.undisturbed: list[bool | Exception] = []
        self.log: list[str] = []

    def take(self, holder: Holder) -> Lease:
        assert holder.host
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            self.log.append("refused")
            raise answer
        self.log.append("taken")
        return self

    def ensure(self) -> bool:
        answer = self.undisturbed.pop(0) if self.undisturbed else True
        if isinstance(answer, Exception):
            raise answer
        return answer

    def release(self) -> None:
        self.log.append("released")


class LeasedDevice(ScriptedDevice):
    """A scripted device with such a lease."""

    def __init__(self, name: str = "a", place: Place | None = None) -> None:
        super().__init__()
        self.name = name
        self.place = place or Place()

    def probe(self) -> DeviceFacts:
        self.place.log.append("probed")
        return super().probe()


def leased_suite(*names: str) -> Suite:
    return Suite.model_validate(
        {
            "name": "leases",
            "protocol": {"blocks": 1},
            "models": [
                {"name": "m", "source": str(BASELINE), "ready": {"new": str(CANDIDATE)}},
            ],
            "devices": [{"name": name} for name in names or ("a",)],
        }
    )

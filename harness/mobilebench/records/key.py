"""What a number belongs to: one variant of a model, on one device, with one runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mobilebench.records.trial import Trial


class Place(NamedTuple):
    """Where variants may be compared: one model on one device with one runtime."""

    model: str
    device: str
    runtime: str

    def key(self, recipe: str) -> Key:
        """A variant there."""
        return Key(self.model, recipe, self.device, self.runtime)


class Key(NamedTuple):
    """One row of a summary; trials, samples and estimates are found by it."""

    model: str
    recipe: str
    device: str
    runtime: str

    @classmethod
    def of(cls, trial: Trial) -> Key:
        """What a trial measured."""
        return cls(trial.model, trial.recipe, trial.device, trial.runtime)

    @property
    def place(self) -> Place:
        """The key without its recipe."""
        return Place(self.model, self.device, self.runtime)

    def __str__(self) -> str:
        """For a sentence."""
        return " · ".join(self)

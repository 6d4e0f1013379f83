"""Each value of an output's last axis by itself: a class, a channel, a coordinate.

Of a thousand classes two may be mixed up, or one channel's scale be forgotten, and the output as a
whole hardly shows it.
"""

from __future__ import annotations

import numpy as np

from mobilebench.models.array import Array
from mobilebench.models.similarity import Spread, has_classes, ratio_db
from mobilebench.quality.parity import CHANNEL_BEYOND_DB, CHANNEL_SNR_DB
from mobilebench.records.answers import ChannelParity

#: Longer axes are no values side by side.
_MOST = 1 << 14
#: Errors of so many parts of the largest value are those of real numbers.
_REAL = 1e-5
#: Probabilities below this are alike.
_LEAST_PROBABILITY = 1e-6


class Channels:
    """The power of what varies of each value of an output's last axis, and of its error.

    Probabilities that are real numbers are compared by their logarithms, in which a rounding moves
    those of rare classes as far as those of others.

    Args:
        step: what the next integer of a quantized output means; 0: it is not quantized.
    """

    def __init__(self, step: float = 0.0) -> None:
        self._step = step
        self._logarithms: bool | None = None
        self._signal = Spread()
        self._noise: Array = np.zeros(1)
        self._rows = 0
        self._largest = 0.0

    def add(self, reference: Array, found: Array) -> None:
        """Takes the next samples: (count, *shape of one sample*) of real numbers, both."""
        if reference.dtype.kind != "f" or reference.ndim < 2 or not reference.size:
            return
        if not 1 < reference.shape[-1] <= _MOST:
            return
        if self._logarithms is None:
            self._logarithms = not self._step and has_classes(reference)
        width = reference.shape[-1]
        wanted, given = (a.astype(np.float64).reshape(-1, width) for a in (reference, found))
        if self._logarithms:
            wanted, given = (np.log(np.maximum(a, _LEAST_PROBABILITY)) for a in (wanted, given))
        with np.errstate(over="ignore", invalid="ignore"):
            self._signal.add(wanted)
            self._noise = self._noise + ((given - wanted) ** 2).sum(axis=0)
        self._rows += len(wanted)
        self._largest = max(self._largest, float(np.abs(wanted).max()))

    def noise(self) -> Array:
        """The power of each value's error; a single 0 where there are no values side by side."""
        return self._noise

    def worst(self, rounding: Array) -> ChannelParity | None:
        """The value whose error is most beyond what a rounding makes of it; None: there are none.

        Args:
            rounding: the noise of the same output where the inputs were moved by a rounding.
        """
        if not self._rows or rounding.shape != self._noise.shape:
            return None
        # Some values happened not to be moved: none is thought to be moved less than their mean.
        least = self._rows * max(self._step, _REAL * self._largest) ** 2
        allowed = np.maximum(np.maximum(rounding, rounding.mean()), least)
        powers = list(zip(self._signal.power, self._noise, allowed, strict=True))
        found = [
            ChannelParity(number, ratio_db(signal, noise), ratio_db(signal, moved))
            for number, (signal, noise, moved) in enumerate(powers)
        ]

        def excess(channel: ChannelParity) -> float:
            beyond = channel.rounding_db - channel.snr_db - CHANNEL_BEYOND_DB
            return min(beyond, CHANNEL_SNR_DB - channel.snr_db)

        return max(found, key=excess)

"""Projections that are written as einsums, alone or within attention, as two thinner ones each."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

from mobilebench.models.array import Array
from mobilebench.models.kernels import summed_axes

#: Two matrices for one (inputs, outputs), or None where they would be no smaller.
Factors = Callable[[Array], tuple[Array, Array] | None]

#: Attention's projections, as its attributes ``_NAME_dense`` call them.
_PROJECTIONS = ("query", "key", "value", "gate", "output")


def factors_of(dense: Any, factors: Factors) -> tuple[Array, Array] | None:
    """Two matrices for the kernel of an EinsumDense; None where it is none, or stays."""
    count = summed_axes(dense.equation)
    if count is None or _letters(dense.equation) is None:
        return None
    kernel = dense.kernel.numpy()
    return factors(kernel.reshape(math.prod(kernel.shape[:count]), -1))


def thin(dense: Any, rank: int) -> Any:
    """An EinsumDense as two: to ``rank`` numbers without an activation, and on from there."""
    import keras

    found = _letters(dense.equation)
    assert found is not None
    taken, rest, summed, outs, given, new = found
    config = dense.get_config()
    shape = config["output_shape"]
    sizes = dict(zip(_free(given), [shape] if isinstance(shape, int) else shape, strict=False))
    between = [sizes[letter] for letter in _free(rest)]
    plain = {"activation": None, "bias_axes": None, "activity_regularizer": None}
    kind = keras.layers.EinsumDense
    first = kind.from_config(
        {
            **config,
            **plain,
            "name": f"{dense.name}_narrow",
            "equation": f"{taken},{summed}{new}->{rest}{new}",
            "output_shape": [*between, rank],
        }
    )
    second = kind.from_config(
        {
            **config,
            "name": f"{dense.name}_wide",
            "equation": f"{rest}{new},{new}{outs}->{given}",
        }
    )
    return keras.Sequential([first, second], name=dense.name)


def fill(pair: Any, dense: Any, narrow: Array, wide: Array) -> None:
    """Gives both of a pair their weights, and the second the bias of the layer before."""
    first, second = pair.layers
    first.kernel.assign(narrow.reshape(first.kernel.shape))
    second.kernel.assign(wide.reshape(second.kernel.shape))
    if dense.bias is not None:
        second.bias.assign(dense.bias)


def multiply(copy: Any, narrow: Array, wide: Array) -> None:
    """Gives a copy of the layer before the product of both."""
    copy.kernel.assign((narrow @ wide).reshape(copy.kernel.shape))


def projections_of(attention: Any) -> dict[str, Any]:
    """The projections that an attention layer consists of, by name."""
    found = {name: getattr(attention, f"_{name}_dense", None) for name in _PROJECTIONS}
    return {name: dense for name, dense in found.items() if dense is not None}


@functools.cache
def thin_attention() -> Any:
    """The class of attention layers of which some projections are pairs; known to Keras after."""
    import keras

    @keras.saving.register_keras_serializable("mobilebench")
    class ThinAttention(keras.layers.MultiHeadAttention):  # type: ignore[misc]
        """Attention whose projections go through ``ranks`` numbers, by their names."""

        def __init__(self, *, ranks: Mapping[str, int], **settings: Any) -> None:
            super().__init__(**settings)
            self.ranks = dict(ranks)

        def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
            super().build(query_shape, value_shape, key_shape)
            for name, dense in projections_of(self).items():
                if name in self.ranks:
                    pair = thin(dense, self.ranks[name])
                    pair.build((None, *_input_shape(dense)))
                    self._tracker.untrack(dense)
                    setattr(self, f"_{name}_dense", pair)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "ranks": self.ranks}

    return ThinAttention


def _input_shape(dense: Any) -> tuple[int | None, ...]:
    """The shape of one sample of what an EinsumDense was built for; lengths that vary are None."""
    taken, kernel = dense.equation.split("->")[0].split(",")
    sizes = dict(zip(kernel, dense.kernel.shape, strict=True))
    return tuple(sizes.get(letter) for letter in taken[1:])


def _free(letters: str) -> str:
    """The letters of a tensor whose sizes an EinsumDense is given: all but the batch's."""
    return letters.replace("...", "") if "..." in letters else letters[1:]


def _letters(equation: str) -> tuple[str, str, str, str, str, str] | None:
    """The parts of ``taken,summed+outs->given``, with ``rest``, what of the input is not summed.

    Returns:
        taken, rest, summed, outs, given, and a letter that is free; None if there is no such form.
    """
    equation = equation.replace(" ", "")
    operands, given = equation.split("->")
    taken, kernel = operands.split(",")
    count = summed_axes(equation)
    if count is None:
        return None
    summed, outs = kernel[:count], kernel[count:]
    rest = "".join(letter for letter in taken if letter not in summed)
    if any(letter in taken for letter in outs) or not set(rest) <= set(given) or "." in kernel:
        return None  # a kernel for each place, or sums of the inputs alone
    new = next(letter for letter in "zyxwvutsrqponmlkjihgfedcba" if letter not in equation)
    return taken, rest, summed, outs, given, new

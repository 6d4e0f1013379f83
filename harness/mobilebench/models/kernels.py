"""The kernels of a Keras model: what pruning, clustering and training for integers work on.

They are the weights that inputs are multiplied with, and the rows of embeddings: of Dense and
convolution layers, of the cells of recurrent layers, of attention's projections, and of layers of
the user's own. Depthwise kernels, biases and normalizations are left alone: they are few, and
sensitive.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mobilebench.models.copies import flat

#: What Keras' own layers call such weights.
_NAMES = ("kernel", "recurrent_kernel", "pointwise_kernel", "embeddings")


@dataclass(frozen=True)
class Kernel:
    """One kernel.

    Attributes:
        variable: its Keras variable.
        layer: the layer, or the cell of one, that has it.
        inputs: how many of its leading axes are summed over: the others are outputs. None where
            it is no such matrix, as in an embedding.
    """

    variable: Any
    layer: Any
    inputs: int | None

    @property
    def name(self) -> str:
        """What messages call it."""
        return name_of(self.variable)

    @property
    def size(self) -> int:
        """How many weights it has."""
        return math.prod(self.variable.shape)

    @property
    def matrix(self) -> tuple[int, ...] | None:
        """Its shape as (…, inputs, outputs); None where it is no such matrix."""
        shape = tuple(self.variable.shape)
        if self.inputs is None:
            return None
        if self.inputs == len(shape) - 1:
            return shape
        return math.prod(shape[: self.inputs]), math.prod(shape[self.inputs :])


def kernels_of(model: Any) -> list[Kernel]:
    """The kernels of all layers, nested models and cells included, each once."""
    found: dict[int, Kernel] = {}
    for layer in flat(model):
        for kernel in _own(layer):
            found.setdefault(id(kernel.variable), kernel)
    return list(found.values())


def prunable(model: Any) -> list[Any]:
    """The variables of :func:`kernels_of`."""
    return [kernel.variable for kernel in kernels_of(model)]


def aligned(kernels: Sequence[Kernel], like: Sequence[Kernel]) -> list[Kernel]:
    """The kernels in the order of those of the same paths of another model."""
    places = {kernel.variable.path: kernel for kernel in kernels}
    paths = [kernel.variable.path for kernel in like]
    if len(places) != len(kernels) or set(paths) != set(places):
        return list(kernels)  # names that several layers share
    return [places[path] for path in paths]


def name_of(variable: Any) -> str:
    """What messages call a variable: its layer's path, and its own name unless that is kernel."""
    return str(variable.path).removesuffix("/kernel")


def _own(layer: Any) -> Iterator[Kernel]:
    import keras

    kinds = keras.layers
    if isinstance(layer, kinds.DepthwiseConv1D | kinds.DepthwiseConv2D):
        return
    ours = type(layer).__module__.startswith("keras.")
    for variable in layer._trainable_variables:
        shape = tuple(variable.shape)
        named = variable.name in _NAMES
        alike = not ours and "bias" not in variable.name and sum(n > 1 for n in shape) > 1
        if len(shape) < 2 or not (named or alike):
            continue
        inputs: int | None = len(shape) - 1
        if isinstance(layer, kinds.EinsumDense):
            inputs = summed_axes(layer.equation)
        elif isinstance(layer, kinds.Embedding) or not named:
            inputs = None
        yield Kernel(variable, layer, inputs)


def summed_axes(equation: str) -> int | None:
    """How many leading axes of an einsum's kernel are summed over; None if they do not lead."""
    operands, output = equation.replace(" ", "").split("->")
    kernel = operands.split(",")[1]
    summed = [letter not in output for letter in kernel]
    count = sum(summed)
    return count if all(summed[:count]) and 0 < count < len(kernel) else None

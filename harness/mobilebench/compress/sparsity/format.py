"""TensorFlow Lite's sparse format: only the blocks that are not all zero are stored.

The format is that of the schema's ``SparsityParameters`` (tensorflow/lite/schema/schema.fbs),
after the tensor algebra compiler TACO (Kjolstad et al. 2017): dimensions in order of traversal,
each dense or compressed (CSR: where each row begins, and the position of each block in it), and
blocks as further, dense dimensions at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mobilebench.models.array import Array

#: A block: how many outputs, how many inputs (or input channels) it spans.
Block = tuple[int, int]


@dataclass(frozen=True)
class Encoding:
    """A tensor as its blocks that are not all zero.

    Attributes:
        block: outputs and inputs that a block spans; (1, 1) is single weights.
        density: the share of blocks that are stored.
        most_in_a_row: how many blocks the fullest row stores.
        parameters: the schema's ``SparsityParametersT``.
        values: the stored blocks, one after the other.
    """

    block: Block
    density: float
    most_in_a_row: int
    parameters: Any
    values: Array

    @property
    def bytes(self) -> int:
        """Bytes of the values and of their places."""
        compressed = next(d for d in self.parameters.dimMetadata if d.format)
        places = (compressed.arraySegments.values, compressed.arrayIndices.values)
        return int(self.values.nbytes + sum(place.nbytes for place in places))


def fits(shape: tuple[int, ...], block: Block) -> bool:
    """Whether a kernel (outputs, …, inputs) is made of whole blocks."""
    return len(shape) >= 2 and shape[0] % block[0] == 0 and shape[-1] % block[1] == 0


def encode(weights: Array, block: Block) -> Encoding:
    """Encodes a kernel whose first dimension is the outputs and whose last is the inputs.

    Args:
        weights: (outputs, inputs), or (outputs, height, width, inputs).
        block: which must fit; along one of the two dimensions only.
    """
    from ai_edge_litert import schema_py_generated as schema

    rows, columns = block
    shape = weights.shape
    if rows > 1:  # (outputs / rows, …, inputs, rows)
        blocks = np.moveaxis(weights.reshape(shape[0] // rows, rows, *shape[1:]), 1, -1)
    else:
        blocks = weights.reshape(*shape[:-1], shape[-1] // columns, columns)
    stored = (blocks != 0).any(axis=-1)
    by_row = stored.reshape(-1, stored.shape[-1])
    in_row = by_row.sum(axis=1)

    segments = _indices(np.concatenate([[0], np.cumsum(in_row)]))
    positions = _indices(np.nonzero(by_row)[1])
    compressed = schema.DimensionMetadataT(
        schema.DimensionType.SPARSE_CSR, 0, *segments, *positions
    )
    dense = [schema.DimensionMetadataT(denseSize=int(n)) for n in stored.shape[:-1]]
    parameters = schema.SparsityParametersT(list(range(len(shape))), None, [*dense, compressed])
    if block != (1, 1):
        parameters.traversalOrder.append(len(shape))
        parameters.blockMap = [0 if rows > 1 else len(shape) - 1]
        parameters.dimMetadata.append(schema.DimensionMetadataT(denseSize=max(block)))
    return Encoding(
        block,
        float(stored.mean()),
        int(in_row.max(initial=0)),
        parameters,
        np.ascontiguousarray(blocks[stored]),
    )


def _indices(values: Array) -> tuple[int, Any]:
    """The smallest of the schema's three kinds of integer vector that holds the values."""
    from ai_edge_litert import schema_py_generated as schema

    kinds = (
        (np.uint8, schema.SparseIndexVector.Uint8Vector, schema.Uint8VectorT),
        (np.uint16, schema.SparseIndexVector.Uint16Vector, schema.Uint16VectorT),
        (np.int32, schema.SparseIndexVector.Int32Vector, schema.Int32VectorT),
    )
    largest = int(values.max(initial=0))
    dtype, kind, make = next(k for k in kinds if largest <= np.iinfo(k[0]).max)
    return kind, make(values.astype(dtype))

"""Sparse encoding: a pruned file that is as small as what is left in it.

Pruning alone makes the download smaller; in the file every zero takes as much room as any other
weight. This step stores the blocks that are not all zero, and their places. What that brings
depends on the kernels that the runtime has (measured with LiteRT 2.3 on x86-64, 1024 x 1024):

- Dense layers in float32, blocks of 1x4 along the inputs: 2 times as fast as XNNPACK's dense
  kernel at 70 % zeros, 6 times at 90 %; single weights: even at 80 %, 2 times at 90 %.
- Dense layers in dynamic int8, blocks of 1x16: 1.5 times at 70 %, 4 times at 90 %. In any other
  block the runtime computes nonsense without an error, so none is ever written.
- Dense layers in static int8, blocks of 1x16: right, but slower than XNNPACK.
- Everything else is unpacked at load (a DENSIFY operator): smaller, as fast as before. XNNPACK
  refuses a model in which it computes with int8 weights behind one, so those stay dense.

A sparse kernel is version 8 of FULLY_CONNECTED, as the converter marks it. XNNPACK leaves that
version to the runtime; under a version that it takes, it reads the blocks as if they were dense.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from mobilebench.compress.step import Encoded, EncodingStep
from mobilebench.errors import StepError

if TYPE_CHECKING:
    from mobilebench.compress.sparsity.format import Encoding
    from mobilebench.compress.sparsity.graph import Kernel

#: A layer with at least so many weights outgrows a core's own cache, and gains soonest.
_LARGE = 2**18
#: A file that is not smaller by so many bytes is not worth a further operator.
_LEAST_SAVED = 512

#: For each kind of kernel that the runtime computes without unpacking: its block, and the share
#: of blocks up to which it is no slower than XNNPACK's dense kernel, in a large layer and in a
#: small one. Static int8 has never been seen to be as fast.
_KERNELS = {
    "float32 in blocks": ((1, 4), 0.35, 0.1),
    "float32": ((1, 1), 0.12, 0.0),
    "dynamic int8": ((1, 16), 0.35, 0.15),
    "static int8": ((1, 16), 0.0, 0.0),
}
_BLOCKS = ((1, 1), (1, 4), (1, 16), (16, 1))


class Sparse(EncodingStep):
    """Stores pruned weights in TensorFlow Lite's sparse format, where the runtime can use it."""

    name: ClassVar[str] = "sparse"
    leading: ClassVar[str] = "aim"

    aim: Literal["speed", "size"] = Field(
        "speed",
        description="speed (encode what does not get slower) or size (all that the runtime runs)",
    )

    def encode(self, content: bytes) -> Encoded:
        """See :meth:`EncodingStep.encode`."""
        from mobilebench.compress.sparsity.graph import Graph

        graph = Graph(content)
        layers: dict[str, dict[str, Any]] = {}
        for number, kernel in enumerate(graph.kernels()):
            # Names may have been removed, and nothing makes them unique.
            name = kernel.name if kernel.name and kernel.name not in layers else f"kernel {number}"
            choice = _choose(kernel, self.aim)
            if isinstance(choice, str):
                layers[name] = {"stored": "dense", "why": choice, **_count(kernel)}
                continue
            encoding, unpacked = choice
            graph.store(kernel, encoding, unpacked=unpacked)
            layers[name] = {
                "stored": "unpacked at load" if unpacked else "sparse",
                "block": "{}x{}".format(*encoding.block),
                "blocks_kept": encoding.density,
                "bytes": encoding.bytes,
                **_count(kernel),
            }
        computed = sum(layer["stored"] == "sparse" for layer in layers.values())
        if all(layer["stored"] == "dense" for layer in layers.values()):
            why = "; ".join(sorted({layer["why"] for layer in layers.values()}))
            raise StepError(
                f"{self.text()} encoded nothing: "
                + (why or "the file has no constant kernel of Dense or convolution")
            )
        return Encoded(graph.content(), {"layers": layers, "sparse_kernels": computed}, computed)


def _choose(kernel: Kernel, aim: str) -> tuple[Encoding, bool] | str:
    """An encoding and whether it is unpacked at load; or why the kernel stays dense."""
    from mobilebench.compress.sparsity.format import encode, fits

    if kernel.dtype not in ("float32", "float16", "int8"):
        return f"weights of type {kernel.dtype} have no sparse format"
    reasons = [] if kernel.kinds else [kernel.without]
    computed = []
    for kind in kernel.kinds:
        block, large, small = _KERNELS[kind]
        if not fits(kernel.weights.shape, block):
            reasons.append(f"{kernel.weights.shape[-1]} inputs are no multiple of {block[1]}")
            continue
        encoding = encode(kernel.weights, block)
        limit = kernel.limit(encoding)
        no_slower = encoding.density <= (large if kernel.weights.size >= _LARGE else small)
        if limit:
            reasons.append(limit)
        elif _saved(kernel, encoding) < _LEAST_SAVED:
            reasons.append("too few zeros, or not in whole blocks")
        elif no_slower or (aim == "size" and not kernel.unpackable):
            computed.append(encoding)
        else:
            reasons.append(f"the runtime's sparse kernel for {kind} would be slower")
    if computed:
        return min(computed, key=lambda encoding: encoding.bytes), False
    if not kernel.unpackable:
        return reasons[0]
    encodings = [encode(kernel.weights, b) for b in _BLOCKS if fits(kernel.weights.shape, b)]
    best = min(encodings, key=lambda encoding: encoding.bytes)
    if _saved(kernel, best) < _LEAST_SAVED:
        return "too few zeros"
    return best, True


def _saved(kernel: Kernel, encoding: Encoding) -> int:
    return int(kernel.weights.nbytes) - encoding.bytes


def _count(kernel: Kernel) -> dict[str, int]:
    zeros = int((kernel.weights == 0).sum())
    return {"weights": int(kernel.weights.size), "zeros": zeros}

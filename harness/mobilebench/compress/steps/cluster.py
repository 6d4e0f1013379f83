"""Weight sharing: a layer's weights take few values, found by k-means and trained on together.

Han, Mao and Dally 2016 store such a layer as a short table and an index a weight. No runtime reads
that format, but a general compressor finds the repetition: the download shrinks, the file on the
device does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from mobilebench.compress.step import State, Step, StepContext, TrainingStep
from mobilebench.compress.training.retrain import retrain
from mobilebench.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mobilebench.models.array import Array

_ITERATIONS = 30


class Cluster(TrainingStep):
    """Shares weights within each kernel and embedding, then trains the shared values.

    Zeros stay zeros, with a value of their own that is not counted.
    """

    name: ClassVar[str] = "cluster"
    leading: ClassVar[str] = "clusters"
    after: ClassVar[Mapping[str, str]] = {
        name: f"weights that share a value would no longer do so; {name} first, then cluster"
        for name in ("prune", "prune_channels", "low_rank")
    }

    clusters: int = Field(
        16, ge=2, le=256, description="how many values a layer's weights may take, 2 to 256"
    )

    def objection(self, earlier: Step) -> str:
        """A second clustering must leave fewer values than the first."""
        if isinstance(earlier, Cluster) and self.clusters >= earlier.clusters:
            return "it would change nothing; each must go further than the one before"
        return ""

    def train(self, state: State, context: StepContext) -> State:
        """See :meth:`TrainingStep.train`."""
        import numpy as np

        from mobilebench.compress.reach import require_reach
        from mobilebench.models.copies import copy_of
        from mobilebench.models.kernels import prunable

        model = copy_of(state.model)
        kernels = prunable(model)
        if not kernels:
            raise StepError(
                "cluster found no Dense, convolution or recurrent kernel and no embedding in the "
                "model"
            )
        reached = require_reach(self.text(), model, kernels)
        before = [kernel.numpy() for kernel in kernels]
        shared = [share(weights, self.clusters) for weights in before]
        if all(np.array_equal(b, s.values()) for b, s in zip(before, shared, strict=True)):
            raise StepError(
                f"{self.text()} shared nothing: no layer has more than {self.clusters} values"
            )
        for kernel, s in zip(kernels, shared, strict=True):
            kernel.assign(s.values())
        codes = tuple(s.codes for s in shared)
        warnings = retrain(
            self,
            model,
            context.training_data,
            loss=state.loss,
            kernels=kernels,
            masking=lambda _done: [c > 0 for c in codes],
            codes=codes,
        )
        findings = {
            "clusters_asked": self.clusters,
            "shared_of_all_weights": reached,
            "values_by_layer": {
                kernel.path: int(np.count_nonzero(np.unique(kernel.numpy()))) for kernel in kernels
            },
        }
        return State(model, state.kept, state.loss, findings, warnings, codes=codes)


@dataclass(frozen=True)
class Shared:
    """A kernel whose weights take few values.

    Attributes:
        codes: which value each weight has, in the kernel's shape; 0 is zero.
        table: the values, the first of them zero.
    """

    codes: Array
    table: Array

    def values(self) -> Array:
        """The kernel."""
        found: Array = self.table[self.codes]
        return found


def share(weights: Array, clusters: int) -> Shared:
    """The kernel with at most so many values besides zero, by Lloyd's algorithm.

    The first centroids are spread evenly from the smallest weight to the largest: that keeps the
    few large weights, which matter most (Han et al. 2016, section 3.2).
    """
    import warnings

    import numpy as np
    from scipy.cluster.vq import kmeans2, vq

    flat = weights[weights != 0].astype(np.float64)
    codes = np.zeros(weights.shape, dtype=np.int32)
    if not flat.size:
        return Shared(codes, np.zeros(1, dtype=weights.dtype))
    start = np.unique(flat)
    if start.size > clusters:
        start = np.linspace(flat.min(), flat.max(), clusters)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a value that no weight is near is left out below
            start, _ = kmeans2(flat[:, None], start[:, None], _ITERATIONS, minit="matrix")
        start = np.unique(start)
    nearest, _ = vq(flat[:, None], start[:, None])
    used, numbers = np.unique(nearest, return_inverse=True)
    table = start[used].astype(weights.dtype)
    table[table == 0] = np.finfo(weights.dtype).tiny  # a shared value is not a pruned weight
    codes[weights != 0] = numbers + 1
    return Shared(codes, np.concatenate([np.zeros(1, weights.dtype), table]))

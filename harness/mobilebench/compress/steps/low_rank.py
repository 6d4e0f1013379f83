"""Low rank: a wide layer becomes two thin ones, by the singular values of its kernel.

The truncated singular value decomposition is the best approximation of that rank (Eckart and Young
1936); Denton et al. 2014 put it to use for networks. Two thin layers are smaller, and faster where
the rank is well below both widths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from mobilebench.compress.step import State, StepContext, TrainingStep
from mobilebench.compress.training.retrain import retrain
from mobilebench.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mobilebench.compress.lowrank.layers import Pair
    from mobilebench.models.array import Array

#: What is saved of all weights at least: less is no step worth its loss.
_LEAST_SAVED = 0.01


class LowRank(TrainingStep):
    """Splits layers in two thin ones wherever that saves weights, then trains on.

    Dense layers and 1 x 1 convolutions, attention's projections, embeddings, and what recurrent
    layers multiply their inputs with.
    """

    name: ClassVar[str] = "low_rank"
    leading: ClassVar[str] = "energy"
    before: ClassVar[Mapping[str, str]] = {
        "prune": "the two thin layers would have none of the zeros; split first, then prune"
    }

    energy: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="the share of each kernel's squared singular values to keep, between 0 and 1",
    )
    rank: int | None = Field(
        None, ge=1, le=100_000, description="the width between the two layers, 1 or more"
    )

    @model_validator(mode="after")
    def _one_goal(self) -> LowRank:
        if (self.energy is None) == (self.rank is None):
            raise ValueError("needs either an energy, as in low_rank(0.9), or rank=")
        return self

    def train(self, state: State, context: StepContext) -> State:
        """See :meth:`TrainingStep.train`."""
        from mobilebench.compress.reach import others, require_reach

        model, ranks, split = self._split(state.model)
        if not ranks:
            raise StepError(
                f"{self.text()} split nothing: no layer of the model would become smaller; keep "
                "less of it"
            )
        reached = require_reach(self.text(), state.model, split)
        before, after = state.model.count_params(), model.count_params()
        if before - after < _LEAST_SAVED * before:
            raise StepError(
                f"{self.text()} saves {before - after} of {before} weights, next to nothing: it "
                f"would split {', '.join(ranks)}, and the others are in "
                f"{others(state.model, split)}; keep less of it"
            )
        warnings = retrain(self, model, context.training_data, loss=state.loss)
        findings = {
            "parameters_before": before,
            "parameters": after,
            "split_of_all_weights": reached,
            "ranks": ranks,
        }
        return State(model, None, state.loss, findings, warnings)

    def _split(self, model: Any) -> tuple[Any, dict[str, int], list[Any]]:
        """The model with its layers split, the rank of each that was, and the old kernels."""
        import keras

        from mobilebench.compress.lowrank.layers import pair_of
        from mobilebench.models.copies import copy_of, require_alike, take_state

        pairs: dict[str, Pair] = {}

        def clone(layer: Any) -> Any:
            found = pair_of(layer, self._factors)
            if found is None:
                return layer.__class__.from_config(layer.get_config())
            pairs[layer.name] = found
            return found.build()

        copy = keras.models.clone_model(model, clone_function=clone)
        multiplied = copy_of(model)  # what the split model must compute
        ranks: dict[str, int] = {}
        # By their order: a class of the user's may make its copies under other names.
        for layer, new, product in zip(model.layers, copy.layers, multiplied.layers, strict=True):
            if layer.name in pairs:
                pair = pairs[layer.name]
                pair.fill(new)
                pair.multiply(product)
                ranks |= pair.ranks
            elif not isinstance(layer, keras.layers.InputLayer):
                take_state(new, layer)
        require_alike(copy, multiplied)
        return copy, ranks, [kernel for pair in pairs.values() for kernel in pair.kernels]

    def _factors(self, matrix: Array) -> tuple[Array, Array] | None:
        """Two matrices whose product is nearest to one (inputs, outputs); None: no smaller."""
        import numpy as np

        inputs, outputs = matrix.shape
        left, values, right = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
        rank = self.rank
        if rank is None:
            kept = np.cumsum(values**2) / max(float((values**2).sum()), np.finfo(float).tiny)
            rank = int(np.searchsorted(kept, self.energy or 0.0)) + 1
        if rank * (inputs + outputs) >= inputs * outputs:
            return None
        root = np.sqrt(values[:rank])  # shared out evenly, so that both halves train alike
        narrow, wide = left[:, :rank] * root, root[:, None] * right[:rank]
        return narrow.astype(matrix.dtype), wide.astype(matrix.dtype)

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

    from mobilebench.models.array import Array


class LowRank(TrainingStep):
    """Splits Dense layers and 1 x 1 convolutions wherever that saves weights, then trains on."""

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
        model, ranks = self._split(state.model)
        if not ranks:
            raise StepError(
                f"{self.text()} split nothing: no Dense layer or 1 x 1 convolution of the model "
                "would become smaller; keep less of it"
            )
        warnings = retrain(self, model, context.training_data, loss=state.loss)
        findings = {
            "parameters_before": state.model.count_params(),
            "parameters": model.count_params(),
            "ranks": ranks,
        }
        return State(model, None, state.loss, findings, warnings)

    def _split(self, model: Any) -> tuple[Any, dict[str, int]]:
        """The model with its layers split, and the rank of each that was."""
        import keras

        from mobilebench.models.copies import copy_of, require_alike, take_state

        halves: dict[str, tuple[Array, Array]] = {}

        def clone(layer: Any) -> Any:
            found = self._halves(layer)
            if found is None:
                return layer.__class__.from_config(layer.get_config())
            halves[layer.name] = found
            return _pair(layer, found[0].shape[-1])

        copy = keras.models.clone_model(model, clone_function=clone)
        multiplied = copy_of(model)  # what the split model must compute
        for layer in model.layers:
            if layer.name in halves:
                narrow, wide = halves[layer.name]
                first, second = copy.get_layer(layer.name).layers
                first.set_weights([narrow])
                second.set_weights([wide, *layer.get_weights()[1:]])
                kernel = multiplied.get_layer(layer.name).kernel
                kernel.assign((narrow @ wide).reshape(kernel.shape))
            elif not isinstance(layer, keras.layers.InputLayer):
                take_state(copy.get_layer(layer.name), layer)
        require_alike(copy, multiplied)
        return copy, {name: int(narrow.shape[-1]) for name, (narrow, _) in halves.items()}

    def _halves(self, layer: Any) -> tuple[Array, Array] | None:
        """The two kernels that take the layer's place, or None where it stays."""
        import keras
        import numpy as np

        dense = isinstance(layer, keras.layers.Dense)
        point = isinstance(layer, keras.layers.Conv2D) and set(layer.kernel_size) == {1}
        if not (dense or (point and layer.groups == 1)):
            return None
        kernel = layer.kernel.numpy()
        inputs, outputs = kernel.shape[-2:]
        left, values, right = np.linalg.svd(
            kernel.reshape(inputs, outputs).astype(np.float64), full_matrices=False
        )
        rank = self.rank
        if rank is None:
            kept = np.cumsum(values**2) / max(float((values**2).sum()), np.finfo(float).tiny)
            rank = int(np.searchsorted(kept, self.energy or 0.0)) + 1
        if rank * (inputs + outputs) >= inputs * outputs:
            return None
        root = np.sqrt(values[:rank])  # shared out evenly, so that both halves train alike
        narrow = (left[:, :rank] * root).reshape(*kernel.shape[:-1], rank)
        wide = (root[:, None] * right[:rank]).reshape(*kernel.shape[:-2], rank, outputs)
        return narrow.astype(kernel.dtype), wide.astype(kernel.dtype)


def _pair(layer: Any, rank: int) -> Any:
    """A narrow linear layer and one of the old width, under the old layer's name."""
    import keras

    wide = layer.get_config()
    narrow = {**wide, "name": f"{layer.name}_narrow", "use_bias": False, "activation": None}
    narrow["units" if isinstance(layer, keras.layers.Dense) else "filters"] = rank
    if "strides" in wide:  # the narrow one has skipped what the wide one would
        wide = {**wide, "strides": (1, 1)}
    pair = [
        layer.__class__.from_config(narrow),
        layer.__class__.from_config({**wide, "name": f"{layer.name}_wide"}),
    ]
    return keras.Sequential(pair, name=layer.name)

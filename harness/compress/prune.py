"""Magnitude pruning: the smallest weights become zero, for good.

The weights of smallest magnitude matter least (Han et al. 2015). Taking them away little by
little while the network is trained on costs less accuracy than taking them at once: the
*gradual* schedule follows the cubic of Zhu and Gupta 2017, s(t) = s_f + (s_i − s_f)(1 − t)³.

Zeros make a file compress better (the download), and a float32 .tflite no smaller and no faster
by themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from harness.compress.step import IdleTrainingError, State, StepError, TrainingStep, Workshop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.models.array import Array

#: The share of the training after which the gradual schedule has reached its goal.
_RAMP = 0.6


class Prune(TrainingStep):
    """Sets the smallest weights of Dense and convolution kernels to zero.

    Depthwise kernels, biases and normalizations are left alone: they are few, and sensitive.
    """

    name: ClassVar[str] = "prune"
    leading: ClassVar[str] = "sparsity"

    sparsity: float | None = Field(
        None, gt=0, lt=1, description="the share of weights to set to zero, between 0 and 1"
    )
    threshold: float | None = Field(
        None, gt=0, description="the magnitude below which a weight is set to zero, above 0"
    )
    scope: Literal["global", "layer"] = Field(
        "global",
        description="global (the smallest of the whole network) or layer (of each layer alike)",
    )
    schedule: Literal["gradual", "once"] = Field(
        "gradual", description="gradual (while training on) or once (then train on)"
    )
    epochs: int = Field(
        15, ge=0, le=10_000, description="passes over the training data, 0 to 10000"
    )
    learning_rate: float | None = Field(
        None, gt=0, le=1, description="the first learning rate, above 0 and at most 1"
    )

    @model_validator(mode="after")
    def _one_goal(self) -> Prune:
        if (self.sparsity is None) == (self.threshold is None):
            raise ValueError("needs either a sparsity, as in prune(0.8), or threshold=")
        if self.threshold is not None and self.scope == "layer":
            raise ValueError("takes scope=layer with a sparsity only: a threshold is one for all")
        if self.schedule == "gradual" and self.epochs == 0:
            raise ValueError("with epochs=0 needs schedule=once: gradual pruning is training")
        return self

    @property
    def passes(self) -> int:
        """Passes over the training data."""
        return self.epochs

    def train(self, state: State, workshop: Workshop) -> State:
        """See :meth:`TrainingStep.train`."""
        from harness.models.training import copy_of, fit

        model = copy_of(state.model)
        kernels = prunable(model)
        if not kernels:
            raise StepError("prune found no Dense or convolution kernel in the model")
        start = [kernel.numpy() for kernel in kernels]
        before = zero_share(start)
        goal = self.sparsity
        if goal is None and self.threshold is not None:
            goal = _share_below(start, self.threshold)
        if goal is None or goal <= before:
            raise StepError(
                f"{self.text()} pruned nothing: {before:.1%} of the weights are zero already"
                + ("" if goal is None else f", and it asks for {goal:.1%}")
            )

        at_once = smallest_left_out(start, goal, self.scope)

        def masking(done: float) -> list[Array]:
            if self.schedule == "once":
                return at_once
            now = [kernel.numpy() for kernel in kernels]
            return smallest_left_out(now, cubic(done / _RAMP, before, goal), self.scope)

        if workshop.lessons is None:
            for kernel, mask in zip(kernels, at_once, strict=True):
                kernel.assign(kernel.numpy() * mask)
        else:
            learned = fit(
                model,
                workshop.lessons,
                epochs=self.epochs,
                learning_rate=self.learning_rate,
                loss=state.loss,
                kernels=kernels,
                masking=masking,
            )
            if not learned:
                raise IdleTrainingError
        after = [kernel.numpy() for kernel in kernels]
        reached = zero_share(after)
        if reached < goal - 0.01:
            raise StepError(f"{self.text()} reached {reached:.1%} zeros instead of {goal:.1%}")
        findings = {
            "zeros_asked": goal,
            "zeros_before": before,
            "zeros": reached,
            "zeros_by_layer": {
                k.path: zero_share([w]) for k, w in zip(kernels, after, strict=True)
            },
        }
        return State(model, tuple(w != 0 for w in after), state.loss, findings)


def prunable(model: Any) -> list[Any]:
    """The kernels of the model's Dense and convolution layers, nested models included."""
    import keras

    kinds = (
        keras.layers.Dense,
        keras.layers.Conv1D,
        keras.layers.Conv2D,
        keras.layers.Conv3D,
        keras.layers.Conv2DTranspose,
    )
    kernels = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            kernels += prunable(layer)
        elif isinstance(layer, kinds):
            kernels.append(layer.kernel)
    return kernels


def cubic(done: float, start: float, goal: float) -> float:
    """The sparsity when ``done`` (0 to 1) of the ramp is over (Zhu and Gupta 2017, eq. 1)."""
    return float(goal + (start - goal) * (1 - min(max(done, 0.0), 1.0)) ** 3)


def smallest_left_out(weights: Sequence[Array], share: float, scope: str) -> list[Array]:
    """Masks that leave out the given share of weights, the smallest in magnitude.

    Args:
        weights: one array a kernel.
        share: 0 to 1; exactly that many weights are left out, rounded to the nearest.
        scope: ``global`` ranks all weights together, ``layer`` each kernel by itself.
    """
    import numpy as np

    if scope == "layer":
        return [smallest_left_out([w], share, "global")[0] for w in weights]
    magnitudes = np.concatenate([np.abs(w).ravel() for w in weights])
    count = round(share * magnitudes.size)
    keep = np.ones(magnitudes.size, dtype=np.bool_)
    if count:
        keep[np.argpartition(magnitudes, count - 1)[:count]] = False
    edges = np.cumsum([w.size for w in weights])[:-1]
    return [part.reshape(w.shape) for part, w in zip(np.split(keep, edges), weights, strict=True)]


def zero_share(weights: Sequence[Array]) -> float:
    """The share of zeros among all weights."""
    return sum(int((w == 0).sum()) for w in weights) / sum(w.size for w in weights)


def _share_below(weights: Sequence[Array], threshold: float) -> float:
    return sum(int((abs(w) < threshold).sum()) for w in weights) / sum(w.size for w in weights)

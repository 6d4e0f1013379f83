"""Pruning: the least important weights become zero and stay so.

The least important are those of smallest magnitude (Han et al. 2015), or those on which the loss
depends least (:mod:`mobilebench.compress.pruning.importance`). Removing them gradually while the
network is trained on costs less accuracy than removing them at once: the *gradual* schedule
(:mod:`mobilebench.compress.pruning.schedule`).

Zeros make a file compress better (the download). The file itself gets smaller, and Dense layers
faster, when the zeros lie in blocks (``pattern``) and ``sparse`` follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from mobilebench.compress.step import State, Step, StepContext, TrainingStep, epochs_field
from mobilebench.compress.training.retrain import retrain
from mobilebench.errors import StepError
from mobilebench.text import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobilebench.compress.pruning.importance import Scores
    from mobilebench.models.array import Array
    from mobilebench.models.kernels import Kernel

#: How much less than was asked for may be zero of all weights before it is warned of.
_LEAST_OF_ALL = 0.9
_TWO_OF_FOUR = "2:4"


class Prune(TrainingStep):
    """Sets the least important weights of kernels to zero.

    Of Dense, convolution and recurrent layers, of attention's projections, and of embeddings.
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
    scope: Literal["global", "layer", "sensitivity"] = Field(
        "global",
        description="global (the least important of the whole network), layer (of each layer "
        "alike) or sensitivity (of each layer as much as it bears, by a scan)",
    )
    importance: Literal["magnitude", "taylor"] = Field(
        "magnitude",
        description="magnitude (small weights go first) or taylor (those that the loss hardly "
        "depends on)",
    )
    pattern: Literal["2:4", "1x4", "1x16", "16x1"] | None = Field(
        None,
        description="'2:4' (two of every four inputs) or blocks, outputs x inputs: '1x4', '1x16' "
        "or '16x1'",
    )
    schedule: Literal["gradual", "once"] = Field(
        "gradual", description="gradual (while training on) or once (then train on)"
    )
    epochs: int = epochs_field(15)

    @model_validator(mode="after")
    def _one_goal(self) -> Prune:
        if self.pattern == _TWO_OF_FOUR:
            if self.threshold is not None or self.sparsity not in (None, 0.5):
                raise ValueError("with pattern='2:4' takes no other sparsity than 0.5")
            if self.scope == "sensitivity":
                raise ValueError(
                    "with pattern='2:4' has one sparsity for all: no scope=sensitivity"
                )
        elif (self.sparsity is None) == (self.threshold is None):
            raise ValueError("needs either a sparsity, as in prune(0.8), or threshold=")
        if self.threshold is not None and self.scope != "global":
            raise ValueError(
                f"takes scope={self.scope} with a sparsity only: a threshold is one for all"
            )
        if self.threshold is not None and (self.pattern or self.importance != "magnitude"):
            raise ValueError("takes a threshold for the magnitude of single weights only")
        if self.schedule == "gradual" and self.epochs == 0:
            raise ValueError("with epochs=0 needs schedule=once: gradual pruning is training")
        return self

    def objection(self, earlier: Step) -> str:
        """A second pruning must ask for more zeros than the first."""
        if not isinstance(earlier, Prune) or self.sparsity is None or earlier.sparsity is None:
            return ""
        if self.sparsity <= earlier.sparsity:
            return "it would change nothing; each must go further than the one before"
        return ""

    @property
    def needs_training_data(self) -> bool:
        """Whether it trains, or ranks or scans with data."""
        return self.epochs > 0 or self.scope == "sensitivity" or self.importance == "taylor"

    def train(self, state: State, context: StepContext) -> State:
        """See :meth:`TrainingStep.train`."""
        import numpy as np

        from mobilebench.compress.pruning import masks
        from mobilebench.compress.pruning.importance import zero_share
        from mobilebench.compress.pruning.schedule import Masking
        from mobilebench.compress.reach import others, require_reach, size_of
        from mobilebench.models.copies import copy_of
        from mobilebench.models.kernels import kernels_of

        model = copy_of(state.model)
        found = kernels_of(model)
        every = [kernel.variable for kernel in found]
        shapes = [self._matrix(kernel) for kernel in found]
        fitting = [shape is not None and masks.fits(shape, self.pattern) for shape in shapes]
        matrices = [shape for shape, fit in zip(shapes, fitting, strict=True) if shape and fit]
        kernels = [kernel for kernel, fit in zip(every, fitting, strict=True) if fit]
        if not kernels:
            raise StepError(
                "prune found no Dense, convolution or recurrent kernel and no embedding in the "
                "model" + (f" that is made of whole {self.pattern}" if every else "")
            )
        require_reach(self.text(), model, kernels)
        start = [kernel.numpy() for kernel in kernels]
        before = zero_share(start)
        goal = self._goal(start, before)
        values = [k.inputs is None for k, fit in zip(found, fitting, strict=True) if fit]
        scores = self._scores(model, kernels, state, context, values)
        shares: float | list[float] = goal
        findings: dict[str, Any] = {}
        if self.scope == "layer":
            shares = [goal] * len(kernels)
        elif self.scope == "sensitivity":
            shares, findings["sensitivity"] = self._scan(
                model, kernels, scores(), goal, state, context, matrices
            )
        kept = state.kept or tuple(np.ones(kernel.shape, np.bool_) for kernel in every)
        masking = Masking(
            [k for k, fit in zip(kept, fitting, strict=True) if fit],
            start,
            scores,
            shares,
            self.pattern,
            once=self.schedule == "once",
            matrices=matrices,
        )
        warnings = retrain(
            self, model, context.training_data, loss=state.loss, kernels=kernels, masking=masking
        )
        if not self.epochs:
            for kernel, mask in zip(kernels, masking(1.0), strict=True):
                kernel.assign(kernel.numpy() * mask)
        self._verify(kernels, masking(1.0))
        after = [kernel.numpy() for kernel in every]
        names = [kernel.name for kernel in found]
        zeros = sum(int((w == 0).sum()) for w in after)
        findings |= {
            "zeros_asked": goal,
            "zeros_before": before,
            "zeros": zero_share(after),
            "zeros_of_all_weights": zeros / size_of(model.weights),
            "zeros_by_layer": {name: zero_share([w]) for name, w in zip(names, after, strict=True)},
        }
        dense = ", ".join(name for name, fit in zip(names, fitting, strict=True) if not fit)
        if dense:
            warnings += (f"left dense, not made of whole {self.pattern}: {dense}",)
        if findings["zeros_of_all_weights"] < _LEAST_OF_ALL * goal:
            zero = percent(findings["zeros_of_all_weights"], 0)
            less = f"{zero} of all weights are zero, not {percent(goal, 0)}"
            warnings += (f"{less}: the others are in {others(model, kernels)}",)
        return State(model, tuple(w != 0 for w in after), state.loss, findings, warnings)

    def _matrix(self, kernel: Kernel) -> tuple[int, ...] | None:
        """The shape in which a kernel's weights are ranked; None where the pattern has none."""
        return tuple(kernel.variable.shape) if self.pattern is None else kernel.matrix

    def _goal(self, start: Sequence[Array], zeros: float) -> float:
        """The share of weights that are to be zero, which is more than are zero now."""
        if self.sparsity is not None:
            goal = self.sparsity
        elif self.threshold is None:
            goal = 0.5  # 2:4
        else:
            small = sum(int((abs(w) < self.threshold).sum()) for w in start)
            goal = small / sum(w.size for w in start)
        if not goal:
            raise StepError(f"{self.text()} pruned nothing: no weight is below the threshold")
        if goal <= zeros:
            raise StepError(
                f"{self.text()} pruned nothing: {percent(zeros)} of the weights are zero already, "
                f"and it asks for {percent(goal)}"
            )
        return goal

    def _scores(
        self,
        model: Any,
        kernels: Sequence[Any],
        state: State,
        context: StepContext,
        are_values: Sequence[bool],
    ) -> Scores:
        from mobilebench.compress.pruning.importance import comparable, magnitude, taylor

        if self.threshold is not None:
            return magnitude(kernels)
        if self.importance == "magnitude":
            return magnitude(kernels, comparable([k.numpy() for k in kernels], are_values))
        if context.training_data is None:
            raise StepError("importance=taylor needs training data, and there are none")
        return taylor(model, kernels, context.training_data, state.loss)

    def _scan(
        self,
        model: Any,
        kernels: Sequence[Any],
        scores: Sequence[Array],
        goal: float,
        state: State,
        context: StepContext,
        matrices: Sequence[tuple[int, ...]],
    ) -> tuple[list[float], dict[str, Any]]:
        from mobilebench.compress.pruning.sensitivity import scan

        if context.training_data is None:
            raise StepError("scope=sensitivity needs training data, and there are none")
        found = scan(
            model,
            kernels,
            scores,
            context.training_data,
            loss=state.loss,
            pattern=self.pattern,
            matrices=matrices,
        )
        rates = found.rates(goal)
        return rates, found.document(rates)

    def _verify(self, kernels: Sequence[Any], masks: Sequence[Array]) -> None:
        from mobilebench.models.kernels import name_of

        for kernel, mask in zip(kernels, masks, strict=True):
            if not mask.any():
                less = "a lower sparsity" if self.threshold is None else "a lower threshold"
                if self.scope == "global" and self.threshold is None:
                    less = f"scope=layer or scope=sensitivity, or {less}"
                raise StepError(
                    f"{self.text()} leaves nothing of layer {name_of(kernel)}; use {less}"
                )
            if kernel.numpy()[~mask].any():
                raise StepError(f"{self.text()}: weights that were set to zero came back")

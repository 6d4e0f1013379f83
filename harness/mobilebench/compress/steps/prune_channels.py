"""Structured pruning: whole channels and units are removed.

What remains is an ordinary, narrower network (Li et al. 2017), so unlike zeros among the
weights it is smaller *and* faster on every runtime, and everything that comes after, int8 above
all, works on it as on any other. :mod:`mobilebench.compress.channels` knows which channels belong
together, and that the narrow network computes what the wide one does with them at zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from mobilebench.compress.step import State, StepContext, TrainingStep, epochs_field
from mobilebench.compress.training.retrain import retrain
from mobilebench.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mobilebench.compress.channels.allocation import Allocation
    from mobilebench.compress.channels.graph import ChannelGraph


class PruneChannels(TrainingStep):
    """Removes the least important channels and units, then trains on.

    Channels that are tied together, by residual adds or gates, go together. Layers that cannot
    spare any, such as those before a LayerNormalization, keep theirs.
    """

    name: ClassVar[str] = "prune_channels"
    leading: ClassVar[str] = "sparsity"
    before: ClassVar[Mapping[str, str]] = {
        "prune": "it would remove channels with the very weights that prune kept; remove channels "
        "first, then prune what is left"
    }

    sparsity: float | None = Field(
        None, gt=0, lt=1, description="the share of channels to remove, between 0 and 1"
    )
    max_parameters: float | None = Field(
        None, gt=0, lt=1, description="the share of parameters that may stay, between 0 and 1"
    )
    max_macs: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="the share of multiply-accumulates that may stay, between 0 and 1",
    )
    max_latency: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="the share of the latency that may stay, measured, between 0 and 1",
    )
    scope: Literal["layer", "global", "sensitivity"] = Field(
        "layer",
        description="layer (of each layer alike), global (the least important of the whole "
        "network) or sensitivity (of each layer as much as costs the same loss)",
    )
    importance: Literal["l1", "l2", "taylor"] = Field(
        "l2",
        description="l1 or l2 (the norm of a channel's filter) or taylor (how the loss would "
        "change, which takes training data)",
    )
    multiple: int = Field(
        1, ge=1, le=1024, description="what layers' channels are rounded to, 1 to 1024"
    )
    epochs: int = epochs_field(15)

    @model_validator(mode="after")
    def _one_goal(self) -> PruneChannels:
        goals = (self.sparsity, self.max_parameters, self.max_macs, self.max_latency)
        if sum(goal is not None for goal in goals) != 1:
            raise ValueError(
                "needs one goal: a sparsity, as in prune_channels(0.5), "
                "or max_parameters=, max_macs= or max_latency="
            )
        return self

    @property
    def needs_training_data(self) -> bool:
        """Whether it retrains, or ranks channels by the loss."""
        return bool(self.epochs) or self.importance == "taylor" or self.scope == "sensitivity"

    @property
    def needs_device(self) -> bool:
        """Whether it measures."""
        return self.max_latency is not None

    def train(self, state: State, context: StepContext) -> State:
        """See :meth:`TrainingStep.train`."""
        from mobilebench.compress.channels.cost import cost_of
        from mobilebench.compress.channels.graph import channel_graph, name_of
        from mobilebench.compress.channels.rewrite import deviation, shrink

        graph = channel_graph(state.model)
        if not graph.pools:
            raise StepError(_why_nothing(state.model, graph))
        allocate = self._allocation(state, context, graph)
        share, how = self._share(state, context, graph, allocate)
        keep = allocate(share)
        if keep.all():
            raise StepError(
                f"{self.text()} removed nothing: no layer has so many channels that this share "
                "is one of them" + (f", rounded to {self.multiple}" if self.multiple > 1 else "")
            )
        smaller = shrink(state.model, graph, keep)
        seed = context.training_data.seed if context.training_data else 0
        error = deviation(state.model, smaller, graph, keep, seed)
        warnings = retrain(self, smaller, context.training_data, loss=state.loss)
        before, after = cost_of(graph), cost_of(graph, keep)
        findings = {
            "share": share,
            **how,
            "channels_before": sum(len(pool.channels) for pool in graph.pools),
            "channels_removed": int((~keep).sum()),
            "parameters_before": before.parameters,
            "parameters": after.parameters,
            "macs_before": before.macs,
            "macs": after.macs,
            "masked_error": error,
            "channels_by_layer": {
                name_of(path): [len(made.outputs[0]), int(keep[made.outputs[0]].sum())]
                for path, made in graph.layers().items()
                if made.rule is not None and made.rule.flow == "new"
            },
            "held": graph.held,
        }
        return State(smaller, None, state.loss, findings, warnings)

    def _allocation(self, state: State, context: StepContext, graph: ChannelGraph) -> Allocation:
        from mobilebench.compress.channels.allocation import by_layer, by_sensitivity, over_all
        from mobilebench.compress.channels.importance import norm_importance, taylor_importance
        from mobilebench.compress.channels.sensitivity import scan
        from mobilebench.compress.pruning.importance import require_samples

        if self.needs_training_data and context.training_data is None:
            raise StepError("there is no training data")
        taylor = self.importance == "taylor"
        if taylor or self.scope == "sensitivity":
            assert context.training_data is not None
            what = "importance=taylor" if taylor else "scope=sensitivity"
            require_samples(context.training_data, what)
        if self.importance == "taylor":
            assert context.training_data is not None
            scores = taylor_importance(state.model, graph, context.training_data, state.loss)
        else:
            scores = norm_importance(graph, int(self.importance[1:]))
        if self.scope == "layer":
            return by_layer(graph, scores, self.multiple)
        if self.scope == "global":
            return over_all(graph, scores, self.multiple)
        assert context.training_data is not None
        curves = scan(state.model, graph, scores, context.training_data, state.loss)
        return by_sensitivity(graph, scores, self.multiple, curves)

    def _share(
        self, state: State, context: StepContext, graph: ChannelGraph, allocate: Allocation
    ) -> tuple[float, dict[str, Any]]:
        """The share of channels to remove, given or found, and how it was found."""
        from mobilebench.compress.channels.target import share_for_cost, share_for_latency

        if self.sparsity is not None:
            return self.sparsity, {}
        if self.max_latency is None:
            quantity = "parameters" if self.max_parameters is not None else "macs"
            goal = self.max_parameters or self.max_macs or 0.0
            return share_for_cost(graph, allocate, quantity, goal, self.text()), {}
        if context.device_latency is None:
            raise StepError("there is no device to measure latency on")
        share, measured = share_for_latency(
            state.model, graph, allocate, self.max_latency, context.device_latency, self.text()
        )
        without = self.model_copy(update={"max_latency": None, "sparsity": share})
        return share, {**measured, "same_without_measuring": without.text()}


def _why_nothing(model: Any, graph: ChannelGraph) -> str:
    held = [f"layer {name!r} {reason}" for name, reason in graph.held.items()]
    if held:
        more = f" (and {len(held) - 1} more layers)" if len(held) > 1 else ""
        return f"model {model.name!r} has no channel that can be removed: {held[0]}{more}"
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.Model) and not hasattr(layer, "_nodes_by_depth"):
            return (
                f"{type(layer).__name__} has a call() of its own, in which it cannot be seen which "
                "channels belong together; build it from layers with keras.Model(inputs, outputs)"
            )
    return (
        f"model {model.name!r} has no channel that can be removed: there is no hidden Dense or "
        "convolution layer between its inputs and outputs"
    )

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.artifact import Outcome, Progress
from mobilebench.compress.channels.allocation import Curve, by_layer, by_sensitivity, over_all
from mobilebench.compress.channels.graph import ChannelGraph, Pool, channel_graph
from mobilebench.compress.channels.importance import norm_importance, taylor_importance
from mobilebench.compress.pipeline.build import ModelBuilder
from mobilebench.compress.pipeline.cache import Cache
from mobilebench.compress.pipeline.latency import LatencyProbe, NotMeasuredError
from mobilebench.compress.recipe import parse_recipe
from mobilebench.compress.service import compress_variants
from mobilebench.compress.step import DeviceLatency, State, StepContext, unreported
from mobilebench.compress.steps.distill import Distill
from mobilebench.compress.steps.fine_tune import FineTune
from mobilebench.compress.steps.prune import Prune
from mobilebench.compress.steps.prune_channels import PruneChannels
from mobilebench.compress.teachers import keras_teacher
from mobilebench.errors import BadInputError, StepError
from mobilebench.models.sources import build_fresh, find_source
from mobilebench.models.spec import ModelSpec

pytestmark = pytest.mark.tensorflow

NONE = StepContext(None, lambda: None)


@pytest.fixture
def context(digits: Any, training_data: Any) -> StepContext:
    return StepContext(training_data, lambda: build_fresh(find_source(str(digits.student))))


@pytest.fixture(scope="module")
def convolutional() -> Any:
    """Two convolutions and a Dense layer, on flat digits."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((784,)),
            layers.Reshape((28, 28, 1)),
            layers.Conv2D(8, 5, strides=3, activation="relu", name="first"),
            layers.Conv2D(16, 3, strides=2, activation="relu", name="second"),
            layers.Flatten(),
            layers.Dense(24, activation="relu", name="hidden"),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="convolutional",
    )


def widths(model: Any) -> list[int]:
    return [layer.kernel.shape[-1] for layer in model.layers if hasattr(layer, "kernel")]


def graph_of(*sizes: int) -> ChannelGraph:
    """Nothing but pools."""
    edges = np.cumsum([0, *sizes]).tolist()
    pools = tuple(
        Pool((f"layer_{i}",), np.arange(a, b)) for i, (a, b) in enumerate(itertools.pairwise(edges))
    )
    return ChannelGraph(int(edges[-1]), (), {}, pools, {})


# Which channels go.


def test_dead_filters_go_first(convolutional: Any) -> None:
    """Where half of the filters compute nothing, half can go without a change."""
    from mobilebench.models.copies import copy_of

    model = copy_of(convolutional)
    random = np.random.default_rng(0)
    for layer in model.layers[1:-1]:
        if hasattr(layer, "kernel"):
            dead = random.permutation(layer.kernel.shape[-1])[::2]
            kernel = layer.kernel.numpy()
            kernel[..., dead] = 0
            layer.kernel.assign(kernel)
    pruned = PruneChannels(sparsity=0.5, epochs=0).train(State(model), NONE)
    assert widths(pruned.model) == [4, 8, 12, 10]
    x = random.random((16, 784), np.float32)
    np.testing.assert_allclose(np.asarray(pruned.model(x)), np.asarray(model(x)), rtol=0, atol=1e-6)


def test_norms_are_those_of_the_filters(convolutional: Any) -> None:
    graph = channel_graph(convolutional)
    for order, norm in ((1, lambda f: np.abs(f).sum()), (2, lambda f: np.sqrt((f**2).sum()))):
        scores = norm_importance(graph, order)
        for pool in graph.pools:
            kernel = convolutional.get_layer(pool.layers[0]).kernel.numpy()
            wanted = np.array([norm(kernel[..., i]) for i in range(kernel.shape[-1])])
            np.testing.assert_allclose(scores[pool.channels], wanted / wanted.mean(), rtol=1e-5)


def test_taylor_sees_what_a_channel_is_used_for(state: State, training_data: Any) -> None:
    """The derivative is that of the loss; a channel without consumers has none."""
    from mobilebench.compress.channels.rewrite import run_masked
    from mobilebench.models.copies import copy_of
    from mobilebench.models.objective import cross_entropy, logits_of

    model = copy_of(state.model)
    kernel = model.get_layer("digit").kernel
    deaf = kernel.numpy()
    deaf[3] = 0
    kernel.assign(deaf)
    graph = channel_graph(model)
    (pool,) = graph.pools
    scores = taylor_importance(model, graph, training_data, None)[pool.channels]
    assert scores[3] == 0
    assert (scores > 0).mean() > 0.5, "the others, but for dead ReLUs"
    with logits_of(model):  # rank correlation with what removing each one really costs
        x, y = training_data.x[:500], training_data.y[:500].astype(np.int32)

        def loss(without: int | None) -> float:
            keep = np.ones(graph.count, np.bool_)
            keep[pool.channels[without] if without is not None else []] = False
            return float(cross_entropy(run_masked(model, graph, keep, [x])[0], y))

        cost = [abs(loss(i) - loss(None)) for i in range(len(scores))]
    ranks = [np.argsort(np.argsort(values)) for values in (scores, cost)]
    assert np.corrcoef(ranks)[0, 1] > 0.4


def test_a_layer_gives_its_share_and_the_least_first() -> None:
    graph = graph_of(10, 4)
    scores = np.array([*range(10), 3, 1, 0, 2])
    keep = by_layer(graph, scores, 1)(0.5)
    assert keep.tolist() == [False] * 5 + [True] * 5 + [True, False, False, True]
    assert by_layer(graph, scores, 4)(0.5).sum() == 4 + 4, "rounded to fours"
    assert by_layer(graph, scores, 1)(1.0).sum() == 2, "one is left of each"


def test_a_network_gives_its_least_but_no_layer_nearly_all() -> None:
    graph = graph_of(16, 16)
    scores = np.array([*range(16), *range(100, 116)])
    keep = over_all(graph, scores, 1)(0.25)
    assert keep.tolist() == [False] * 8 + [True] * 24
    keep = over_all(graph, scores, 1)(0.5)
    assert keep[:16].sum() == 2
    assert keep[16:].sum() == 14
    for share in np.linspace(0, 0.9, 10):
        assert over_all(graph, scores, 1)(share).sum() == 32 - round(32 * share)


def test_sensitive_layers_give_less() -> None:
    graph = graph_of(20, 20)
    scores = np.arange(40.0)
    curves = [Curve((0.0, 0.5, 0.9), (0.0, 1.0, 2.0)), Curve((0.0, 0.5, 0.9), (0.0, 0.1, 0.2))]
    allocate = by_sensitivity(graph, scores, 1, curves)
    keep = allocate(0.3)
    assert keep[:20].sum() > keep[20:].sum() + 6
    for share in np.linspace(0.05, 0.95, 10):
        assert allocate(share).sum() == pytest.approx(40 * (1 - share), abs=1)
    flat = [Curve((0.0, 0.9), (0.0, 0.0))] * 2
    assert by_sensitivity(graph, scores, 1, flat)(0.5).sum() == 20
    assert curves[0].share_within(0.5) == pytest.approx(0.25)
    assert curves[0].share_within(9) == 0.9


# The step.


def test_channels_are_gone_and_the_rest_learns_on(state: State, context: StepContext) -> None:
    before = [weight.copy() for weight in state.model.get_weights()]
    once = PruneChannels(sparsity=0.5, epochs=0).train(state, NONE)
    pruned = PruneChannels(sparsity=0.5, epochs=2).train(state, context)
    assert widths(pruned.model) == [16, 10]
    assert pruned.findings["channels_by_layer"] == {"hidden": [32, 16], "digit": [10, 10]}
    assert pruned.findings["parameters"] == pruned.model.count_params() == 785 * 16 + 17 * 10
    assert pruned.findings["macs"] * 2 == pruned.findings["macs_before"] == 784 * 32 + 32 * 10
    assert pruned.findings["masked_error"] < 1e-5
    training_data: Any = context.training_data

    def accuracy(model: Any) -> float:
        return float((np.asarray(model(training_data.x)).argmax(1) == training_data.y).mean())

    assert accuracy(pruned.model) > accuracy(once.model)
    again = PruneChannels(sparsity=0.5, epochs=2).train(state, context)
    for weight, other in zip(pruned.model.weights, again.model.weights, strict=True):
        np.testing.assert_array_equal(weight, other)
    for weight, now in zip(before, state.model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, now)  # the model before is as it was


@pytest.mark.parametrize("scope", ["layer", "global", "sensitivity"])
@pytest.mark.parametrize("goal", ["max_parameters", "max_macs"])
def test_targets_are_met_and_not_by_far(
    convolutional: Any, training_data: Any, scope: str, goal: str
) -> None:
    step = PruneChannels.model_validate({goal: 0.3, "scope": scope, "epochs": 0})
    found = step.train(State(convolutional), StepContext(training_data, lambda: None)).findings
    quantity = goal.removeprefix("max_")
    assert 0.2 < found[quantity] / found[f"{quantity}_before"] <= 0.3


def test_widths_are_rounded(convolutional: Any) -> None:
    pruned = PruneChannels(sparsity=0.4, multiple=8, epochs=0).train(State(convolutional), NONE)
    assert widths(pruned.model) == [8, 8, 16, 10]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (
            PruneChannels(max_macs=0.001, epochs=0),
            r"\(max_macs=0.001, epochs=0\) cannot be met: .* be, 3\.1 % of the mult",
        ),
        (PruneChannels(sparsity=0.01, epochs=0), r"prune_channels\(0.01, epochs=0\) removed noth"),
        (PruneChannels(sparsity=0.5, epochs=0, importance="taylor"), "there is no training data"),
    ],
)
def test_goals_that_cannot_be_met(state: State, step: PruneChannels, message: str) -> None:
    with pytest.raises(StepError, match=message):
        step.train(state, NONE)


def test_training_that_changes_nothing(state: State, context: StepContext) -> None:
    with pytest.raises(StepError, match="training changed nothing"):
        PruneChannels(sparsity=0.5, epochs=1, learning_rate=1e-50).train(state, context)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"importance": "taylor"}, "importance=taylor needs at least 50 training samples, and"),
        ({"scope": "sensitivity"}, "scope=sensitivity needs at least 50 .* and there are 49"),
    ],
)
def test_too_few_samples_to_rank_by(
    state: State, training_data: Any, settings: dict[str, Any], sentence: str
) -> None:
    few = replace(training_data, x=training_data.x[:49], y=training_data.y[:49])
    with pytest.raises(StepError, match=sentence):
        PruneChannels(sparsity=0.5, epochs=0, **settings).train(
            state, StepContext(few, lambda: None)
        )


def test_models_without_a_channel_to_spare() -> None:
    import keras
    from keras import layers

    step = PruneChannels(sparsity=0.5, epochs=0)
    alone = keras.Sequential([keras.Input((4,)), layers.Dense(3)], name="alone")
    with pytest.raises(StepError, match=r"model 'alone' has no channel .* there is no hidden"):
        step.train(State(alone), NONE)
    normalized = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8),
            layers.LayerNormalization(name="normalize"),
            layers.Dense(3),
        ],
        name="normalized",
    )
    with pytest.raises(
        StepError,
        match="model 'normalized' has no channel that can be removed: layer 'normalize' is a "
        "LayerNormalization, which may mix its channels",
    ):
        step.train(State(normalized), NONE)


def test_a_layer_that_keras_cannot_build_again() -> None:
    import keras
    from keras import layers

    class Unknown(layers.Layer):
        def __init__(self, factor: float) -> None:
            super().__init__(name="unknown")
            self.factor = factor

        def call(self, x: Any) -> Any:
            return x * self.factor

    inputs = keras.Input((4,))
    x = layers.Dense(8, name="hidden")(Unknown(2.0)(inputs))
    model = keras.Model(inputs, layers.Dense(3)(x), name="mine")
    with pytest.raises(StepError, match="cannot build model 'mine' again") as error:
        PruneChannels(sparsity=0.5, epochs=0).train(State(model), NONE)
    assert "\n" not in str(error.value)


def test_it_goes_with_the_other_steps(state: State, context: StepContext) -> None:
    """Distil, narrow, zero weights, train on: the teacher stays, zeros stay zeros."""
    taught = replace(context, teachers=lambda: [keras_teacher(state.model, "teacher")])
    student = Distill(epochs=1).train(state, taught)
    narrow = PruneChannels(sparsity=0.5, epochs=1).train(student, context)
    assert widths(narrow.model) == [8, 10]
    assert narrow.loss is student.loss
    narrower = PruneChannels(sparsity=0.25, epochs=0).train(narrow, NONE)
    assert widths(narrower.model) == [6, 10]
    sparse = Prune(sparsity=0.5, epochs=1).train(narrower, context)
    tuned = FineTune(epochs=1).train(sparse, context)
    assert tuned.findings["zeros"] == pytest.approx(0.5, abs=1e-3)


# As a recipe.


@pytest.mark.parametrize(
    "text",
    [
        "prune_channels(0.5)",
        "prune_channels(0.5, scope=global)",
        "prune_channels(max_macs=0.4, scope=sensitivity, importance=taylor, multiple=8)",
        "distill → prune_channels(max_parameters=0.25, epochs=0) → prune(0.5) → int8",
    ],
)
def test_recipes_read_and_write_it(text: str) -> None:
    assert parse_recipe(text).text == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prune_channels(1)", "cannot have sparsity=1: it is the share of channels to remove"),
        ("prune_channels(1.0)", "cannot have sparsity=1.0: it is the share of channels to remo"),
        ("prune_channels", "prune_channels needs one goal"),
        ("prune_channels(0.5, max_macs=0.5)", "prune_channels needs one goal"),
        ("prune_channels(0.5, scope=width)", "cannot have scope='width': it is layer"),
        ("prune(0.8) → prune_channels(0.5)", "would remove channels with the very weights"),
        ("prune_channels(0.5) → student", "what prune_channels did would be lost"),
        ("int8 → prune_channels(0.5)", "takes a Keras model, and int8 gives a quantized"),
    ],
)
def test_recipes_that_make_no_sense(text: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        parse_recipe(text)


def test_files_are_made_of_it(digits: Any, tmp_path: Path) -> None:
    whole = ModelSpec(name="digits", source=str(digits.model), data=str(digits.data))
    noise = ModelSpec(name="noise", source=str(digits.model), data="random")
    recipes = ["float32", "prune_channels(0.5, epochs=1)", "prune_channels(0.5, epochs=1) → int8"]
    variants = [(whole, parse_recipe(text)) for text in recipes]
    variants.append((noise, parse_recipe("prune_channels(0.5, epochs=0)")))
    seen: list[str] = []
    outcome = compress_variants(
        variants, seed=0, cache=tmp_path, on_progress=lambda p: seen.append(p.step)
    )
    assert not outcome.failures
    base, narrow, small, untrained = outcome.artifacts
    assert narrow.bytes < 0.6 * base.bytes
    assert small.bytes < 0.5 * narrow.bytes
    assert abs(untrained.bytes - narrow.bytes) < 100
    entry = narrow.provenance["steps"][-1]
    assert entry["channels_by_layer"]["hidden"] == [32, 16]
    json.dumps(entry, allow_nan=False)
    with pytest.raises(BadInputError, match="ranks by training data, and data random has no"):
        compress_variants(
            [(noise, parse_recipe("prune_channels(0.5, epochs=0, scope=sensitivity)"))],
            seed=0,
            cache=tmp_path,
            on_progress=lambda _: None,
        )


# Latency. The searches stand on a latency_probe that reads sizes: it is as good as a quiet device.


def by_size(files: Sequence[Path]) -> list[float]:
    return [file.stat().st_size / 1e9 for file in files]


def test_latency_is_searched_for(state: State) -> None:
    whole = state.model.count_params()
    device_latency = DeviceLatency("a phone", lambda model: model.count_params() / whole)
    step = PruneChannels(max_latency=0.6, epochs=0)
    pruned = step.train(state, StepContext(None, lambda: None, device_latency))
    assert widths(pruned.model) == [19, 10]
    found = pruned.findings
    assert found["share"] == 13 / 32
    assert found["latency_device"] == "a phone"
    assert found["latency_share"] == pytest.approx(pruned.model.count_params() / whole)
    assert [share * 32 for share, _ in found["latency_tried"]] == [8, 12, 13, 14, 16]
    assert found["same_without_measuring"] == "prune_channels(0.40625, epochs=0)"
    again = parse_recipe(found["same_without_measuring"]).steps[0]
    assert isinstance(again, PruneChannels)
    for weight, other in zip(
        again.train(state, NONE).model.weights, pruned.model.weights, strict=True
    ):
        np.testing.assert_array_equal(weight, other)
    stubborn = DeviceLatency("a phone", lambda _model: 0.7)
    with pytest.raises(StepError, match=r"cannot be met: .* 70\.0 % of the latency on a phone rem"):
        step.train(state, StepContext(None, lambda: None, stubborn))


def test_the_host_measures_for_the_child(digits: Any, tmp_path: Path) -> None:
    spec = ModelSpec(name="digits", source=str(digits.model), data="random")
    recipe = parse_recipe("prune_channels(max_latency=0.6, epochs=0)")
    asked: list[int] = []
    reported: list[Progress] = []

    def measure(files: Sequence[Path], report: Any = unreported, /) -> list[float]:
        asked.append(len(files))
        report(1, 2)
        if len(asked) == 1:
            raise NotMeasuredError("it was unplugged")
        return by_size(files)

    def made() -> Outcome:
        return compress_variants(
            [(spec, recipe)],
            seed=0,
            cache=tmp_path,
            on_progress=reported.append,
            latency_probe=LatencyProbe("a phone", measure),
        )

    (failure,) = made().failures
    assert failure.reason == "no latency on a phone: it was unplugged"
    reported.clear()
    (artifact,) = made().artifacts
    assert artifact.provenance["steps"][-1]["latency_device"] == "a phone"
    search = [p.fraction for p in reported if "measuring" in p.step and p.fraction is not None]
    assert search == sorted(search), "a search goes on and never back"
    assert search[0] == pytest.approx(0.5 / 6)
    assert search[-1] == pytest.approx(4.5 / 6)
    assert asked == [2] * (1 + 5)

    def builder(device: str | None) -> ModelBuilder:
        return ModelBuilder(
            spec,
            seed=0,
            cache=Cache(tmp_path, tmp_path),
            report=lambda *_: None,
            latency_probe=None if device is None else LatencyProbe(device, measure),
        )

    assert builder("a phone").find(recipe) is not None, "it comes from the cache"
    assert builder("another phone").find(recipe) is None, "one device says nothing of another"
    with pytest.raises(BadInputError, match="there is no device to measure on"):
        builder(None).require(recipe)

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mobilebench.compress.recipe import parse_recipe
from mobilebench.compress.steps.distill import Distill, Student
from mobilebench.compress.steps.fine_tune import FineTune
from mobilebench.compress.steps.prune import Prune
from mobilebench.compress.steps.quantize import (
    DynamicInt4,
    DynamicInt8,
    Float16,
    Int8,
    Int16x8,
    WeightOnlyInt8,
)
from mobilebench.compress.steps.sparse import Sparse
from mobilebench.errors import BadInputError


def test_text_and_table_are_one_recipe() -> None:
    text = parse_recipe("distill(T=4, alpha=0.7) → prune(0.8) -> int8")
    table = parse_recipe(
        {
            "name": "small",
            "steps": [{"step": "distill"}, {"step": "prune", "sparsity": 0.8}, {"step": "int8"}],
        }
    )
    both = parse_recipe({"name": "small", "recipe": "distill → prune(sparsity=0.8) → int8"})
    assert text.steps == table.steps == both.steps
    assert text.name == text.text == "distill → prune(0.8) → int8"
    assert table.name == both.name == "small"
    assert table.text == text.text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("distill(T=4.0)", "distill"),
        ("distill(T=2)", "distill(T=2)"),
        ("prune(0.5, scope='layer')", "prune(0.5, scope=layer)"),
        ("prune(0.5, schedule=once, epochs=0)", "prune(0.5, schedule=once, epochs=0)"),
        ("prune(threshold=0.05)", "prune(threshold=0.05)"),
        ("prune(0.8, scope=sensitivity, importance=taylor)", None),
        ('prune(0.9, pattern="1x16") → dynamic_int8', "prune(0.9, pattern='1x16') → dynamic_int8"),
        ("prune(pattern='2:4')", None),
        ("fine_tune(3)", "fine_tune(3)"),
        (
            "quantization_aware(3, weight_bits=4) → static_wi4_ai8",
            "quantization_aware(3, weight_bits=4) → int8(weight_bits=4)",
        ),
        ("static_wi8_ai8", "int8"),
        ("prune(0.8) → sparse", None),
        ("prune(0.8) → dynamic_int8 → sparse(size)", None),
        ("sparse(aim='speed')", "sparse"),
        ("dynamic_wi8_afp32()", "dynamic_int8"),
        ("weight_only_wi8_afp32", "weight_only_int8"),
        ("weight_only_wi4_afp32(algorithm=octav)", "weight_only_int4(algorithm=octav)"),
        ("static_wi4_ai8(samples=20)", "int8(samples=20, weight_bits=4)"),
        ("static_wi8_ai16", "int16x8"),
        ("dynamic_wi4b32_afp32", "dynamic_int4(block=32)"),
        ("int8(min_snr=30)", "int8(min_snr=30)"),
        ("fine_tune → distill → prune(0.5) → prune(0.9)", None),
    ],
)
def test_text_is_canonical(source: str, text: str | None) -> None:
    assert parse_recipe(source).text == (text or source)


_shares = st.floats(0.001, 0.999)
_epochs = st.integers(1, 10_000)
_rates = st.one_of(st.none(), st.floats(1e-6, 1))
_starts = st.one_of(
    st.builds(
        Distill,
        T=st.floats(0.01, 1000),
        alpha=st.floats(0, 1),
        epochs=_epochs,
        learning_rate=_rates,
    ),
    st.builds(Student, epochs=_epochs),
)
_middles = st.one_of(
    st.builds(
        Prune,
        sparsity=_shares,
        scope=st.sampled_from(["global", "layer", "sensitivity"]),
        importance=st.sampled_from(["magnitude", "taylor"]),
        pattern=st.sampled_from([None, "1x4", "1x16", "16x1"]),
        schedule=st.sampled_from(["gradual", "once"]),
        epochs=_epochs,
    ),
    st.builds(Prune, threshold=st.floats(1e-9, 1e9), epochs=_epochs),
    st.builds(FineTune, epochs=_epochs),
)
_ends = st.one_of(
    st.builds(
        Int8,
        samples=_epochs,
        min_snr=st.one_of(st.none(), st.floats(0.1, 100)),
        weight_bits=st.sampled_from([4, 8]),
        algorithm=st.sampled_from(["min_max", "octav", "mse"]),
        ranges=st.sampled_from(["extremes", "average"]),
    ),
    st.builds(Int16x8, samples=_epochs),
    st.builds(DynamicInt4, block=st.sampled_from([None, 32, 256])),
    st.builds(Float16),
    st.builds(DynamicInt8),
    st.builds(WeightOnlyInt8),
)


@given(
    st.lists(_starts, max_size=1),
    st.lists(_middles, min_size=1, max_size=1),
    st.lists(_ends, max_size=1),
    st.lists(st.builds(Sparse, aim=st.sampled_from(["speed", "size"])), max_size=1),
)
def test_text_says_everything(start: list, middle: list, end: list, stored: list) -> None:
    steps = tuple(start + middle + end + stored)
    recipe = parse_recipe(" -> ".join(step.text() for step in steps))
    assert recipe.steps == steps
    assert parse_recipe(recipe.text) == recipe


@given(st.text(max_size=60))
def test_any_text_is_a_recipe_or_bad_input(text: str) -> None:
    try:
        recipe = parse_recipe(text)
    except BadInputError:
        return
    assert parse_recipe(recipe.text).steps == recipe.steps


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("", "empty step"),
        ("prun(0.8)", "did you mean prune"),
        ("zip", "known are float32, as_is, float16"),
        ("prune", "needs either a sparsity"),
        ("prune(0.5, threshold=0.1)", "needs either a sparsity"),
        ("prune(threshold=0.1, scope=layer)", "threshold is one for all"),
        ("prune(1)", "sparsity=1: it is the share of weights to set to zero, between 0 and 1"),
        ("prune(0.8, pattern='3x3')", "'2:4' (two of every four inputs) or blocks"),
        ("prune(0.8, pattern='2:4')", "takes no other sparsity than 0.5"),
        ("prune(pattern='2:4', scope=sensitivity)", "one sparsity for all"),
        ("prune(pattern='1x4')", "needs either a sparsity"),
        ("prune(threshold=0.1, pattern='1x4')", "threshold for the magnitude of single weights"),
        (
            "prune(threshold=0.1, importance=taylor)",
            "threshold for the magnitude of single weights",
        ),
        ("prune(threshold=0.1, scope=sensitivity)", "threshold is one for all"),
        ("prune(1.8)", "sparsity=1.8: it is the share of weights"),
        ("prune(True)", "sparsity=True"),
        ("prune('0.8')", "sparsity='0.8'"),
        ("prune(" + "9" * 900 + ")", "prune"),
        (
            "prune(0.8, sparcity=1)",
            "no setting 'sparcity'; did you mean sparsity? its settings are",
        ),
        ("prune(1.8, sparcity=1)", "no setting 'sparcity'; did you mean sparsity?"),
        ("prune(0.8, schedule=slow)", "gradual (while training on) or once"),
        ("prune(0.8, epochs=0)", "gradual pruning is training"),
        ("prune(0.8, epochs=None)", "epochs=None: it is passes"),
        ("prune(0.8, sparsity=0.7)", "takes one value without a name"),
        ("prune(0.8, *[1])", "cannot be read"),
        ("prune(0.8)(1)", "cannot be read"),
        ("prune(__import__('os'))", "cannot be read"),
        ("prune(1e999)", "sparsity=inf"),
        ("int8(samples=0)", "samples=0: it is how many samples"),
        ("int8(3)", "takes no value without a name; its settings are samples"),
        ("float16(bits=8)", "it takes no settings"),
        ("int8(algorithm=gptq)", "algorithm='gptq': it is min_max, octav or mse"),
        ("int8(weight_bits=2)", "weight_bits=2: it is bits of the weights, 4 or 8"),
        ("int8(min_snr=0)", "min_snr=0: it is the signal-to-noise ratio"),
        ("dynamic_int4(block=16)", "32, 64, 128 or 256"),
        ("dynamic_wi8b32_afp32", "it has blocks for 4-bit weights only"),
        ("dynamic_wi8_afp31", "did you mean dynamic_wi8_afp32"),
        ("distill(T=0)", "T=0: it is the temperature"),
        ("distill(alpha=1.5)", "alpha=1.5"),
        ("int8 → prune(0.8)", "takes a Keras model, and int8 gives a quantized .tflite; put prune"),
        (
            "int8 → float16",
            "float16 takes a float .tflite, and int8 gives a quantized .tflite; use",
        ),
        ("sparse → int8", "sparse gives an encoded .tflite; put int8 before sparse"),
        ("sparse → fine_tune", "put fine_tune before sparse"),
        ("sparse → sparse(size)", "once is enough"),
        ("prune(0.8) → sparse → dynamic_int8", "put dynamic_int8 before sparse"),
        ("int8 → int8", "use one of them"),
        ("float32 → sparse", "stands alone"),
        ("sparse(fast)", "aim='fast': it is speed (encode what does not get slower) or size"),
        ("quantization_aware(3) → prune(0.8)", "it would train without rounding"),
        ("quantization_aware(3)", "none are made: write quantization_aware(3) → int8"),
        ("quantization_aware(weight_bits=4) → sparse", "(weight_bits=4) → dynamic_int4"),
        ("quantization_aware → float16", "none are made: write quantization_aware → int8"),
        ("quantization_aware → dynamic_int4", "write quantization_aware(weight_bits=4) → dynamic"),
        (
            "quantization_aware(weight_bits=4) → int8(weight_bits=4, convolution_bits=8)",
            "write quantization_aware(weight_bits=4, convolution_bits=8) → int8(weight_bits=4",
        ),
        ("INT8", "did you mean int8?"),
        ("prune(0.8) → student", "what prune did would be lost"),
        ("prune(0.8) → low_rank(0.9)", "would have none of the zeros"),
        ("cluster(8) → prune(0.8)", "would no longer do so"),
        ("low_rank", "needs either an energy"),
        ("cluster(1)", "how many values"),
        ("distill → fine_tune → student", "what distill did would be lost"),
        ("float32 → int8", "stands alone"),
        ("prune(0.8) → as_is", "stands alone"),
        ("sparse → as_is", "stands alone"),
        ("student → student", "what student did would be lost"),
        ("prune_channels(0.5) → prune(0.5) → prune_channels(0.5)", "remove channels first"),
        ("prune(0.8) → prune(0.5)", "each must go further"),
        ("cluster(8) → cluster(16)", "each must go further"),
        (" → ".join(["fine_tune"] * 21), "1 to 20 steps"),
        ("fine_tune" * 200, "characters"),
        ({"steps": []}, "1 to 20 steps"),
        ({"nme": "x"}, "unknown key 'nme'"),
        ({"name": "x"}, "needs either recipe or steps"),
        ({"name": "", "recipe": "int8"}, "name must be"),
        ({"recipe": 3}, "must be a text"),
        ({"steps": "int8"}, "must be a list"),
        ({"steps": ["int8"]}, "must be a table"),
        ({"steps": [{"step": "prune", "sparsity": 2}]}, "sparsity=2"),
    ],
)
def test_bad_recipes(source: str | dict, sentence: str) -> None:
    with pytest.raises(BadInputError) as caught:
        parse_recipe(source)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_importing_recipes_is_light() -> None:
    heavy = "numpy tensorflow keras litert_quantizer ai_edge_litert"
    code = (
        f"import mobilebench.compress.recipe, sys; print(set('{heavy}'.split()) & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"

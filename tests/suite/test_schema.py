"""The suite file: what is read, and what a wrong one is told."""

import re
import tomllib
from pathlib import Path

import pytest
from mobilebench.errors import BadInputError
from mobilebench.records.protocol import MeasuringProtocol
from mobilebench.suite.choose import change_suite, choose_suite, quickstart
from mobilebench.suite.schema import Suite, validate


def load(tmp_path: Path, text: str, **overrides: object) -> Suite:
    path = tmp_path / "suite.toml"
    path.write_text(text, "utf-8")
    return choose_suite([path], None, [], overrides)


MODEL = '[[models]]\nname = "m"\nsource = "m.tflite"\n'


def test_the_smallest_suite(tmp_path: Path) -> None:
    suite = load(tmp_path, MODEL)
    assert suite.name == "suite"
    assert suite.models[0].source == str(tmp_path / "m.tflite")
    assert [(r.name, r.threads, r.xnnpack) for r in suite.runtimes] == [("cpu-1", 1, True)]
    assert [d.kind for d in suite.devices] == ["local"]
    # The defaults of benchmark_model, and enough processes for an interval.
    protocol = suite.protocol
    assert (protocol.warmup_runs, protocol.warmup_seconds) == (1, 0.5)
    assert (protocol.runs, protocol.seconds, protocol.blocks) == (50, 1.0, 6)
    assert [recipe.name for _, recipe in suite.variants()] == ["as_is"]


def test_the_shipped_suites_are_valid() -> None:
    for path in quickstart().parent.glob("*.toml"):
        assert choose_suite([path], None, [], {}).variants()


DOCUMENTS = [
    Path(__file__).parents[2] / name for name in ("README.md", "docs/guide.md", "docs/recipes.md")
]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_suites_in_the_documents_are_valid(path: Path) -> None:
    for block in re.findall(r"```toml\n(.*?)```", path.read_text("utf-8"), re.DOTALL):
        assert validate(tomllib.loads(block), path.name, path.parent).variants()


def test_cpus_of_a_runtime(tmp_path: Path) -> None:
    pinned = load(tmp_path, MODEL + '[[runtimes]]\nname = "big"\ncpus = [5, 4]\n')
    assert pinned.runtimes[0].cpus == (4, 5)
    assert load(tmp_path, MODEL).runtimes[0].cpus == ()
    # From the command line they are every runtime's.
    over = load(tmp_path, MODEL, cpus=(1,), threads=2).runtimes
    assert [(r.name, r.threads, r.cpus) for r in over] == [("cpu-2", 2, (1,))]
    for wrong in ("[0, 0]", "[-1]", '"4-5"', "[9999]"):
        with pytest.raises(BadInputError, match=r"runtimes.1.*cpus|a CPU is there twice"):
            load(tmp_path, MODEL + f'[[runtimes]]\nname = "big"\ncpus = {wrong}\n')


def test_upstreams_binary_cannot_be_kept_to_cpus(tmp_path: Path) -> None:
    device = '[[devices]]\nname = "d"\nkind = "board"\nexecutor = "benchmark_model"\nbinary = "b"\n'
    with pytest.raises(BadInputError, match="cannot be kept to cpus"):
        load(tmp_path, MODEL + device, cpus=(1,))


def test_names_are_not_taken_for_paths(tmp_path: Path) -> None:
    suite = load(
        tmp_path,
        '[[models]]\nname="m"\nsource="zoo:lenet-5"\ndata="mnist-subset"\nstudent="s.keras"',
    )
    model = suite.models[0]
    assert (model.source, model.data) == ("zoo:lenet-5", "mnist-subset")
    assert model.student == str(tmp_path / "s.keras")


def test_recipes_of_a_model_replace_the_suite_s(tmp_path: Path) -> None:
    suite = load(
        tmp_path,
        'recipes = ["float32", "int8"]\n'
        '[[models]]\nname = "a"\nsource = "zoo:lenet-5"\n'
        '[[models]]\nname = "b"\nsource = "zoo:lenet-5"\nrecipes = ["float16"]\n',
    )
    assert [(m.name, r.name) for m, r in suite.variants()] == [
        ("a", "float32"),
        ("a", "int8"),
        ("b", "float16"),
    ]


def test_ready_files_are_further_variants_of_their_model(tmp_path: Path) -> None:
    suite = load(tmp_path, MODEL + '[models.ready]\n"by hand" = "hand.tflite"\n')
    assert [(m.name, m.source, r.name) for m, r in suite.variants()] == [
        ("m", str(tmp_path / "m.tflite"), "as_is"),
        ("m", str(tmp_path / "hand.tflite"), "by hand"),
    ]


def test_the_command_line_goes_before_the_file(tmp_path: Path) -> None:
    suite = load(tmp_path, "seed = 1\n" + MODEL, seed=5, seconds=0.1, threads=2, blocks=9)
    assert (suite.seed, suite.protocol.seconds, suite.protocol.blocks) == (5, 0.1, 9)
    assert [(r.name, r.threads) for r in suite.runtimes] == [("cpu-2", 2)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models = [", "not valid TOML"),
        ("", "models: this key is missing"),
        ("models = []", "models: "),
        ('[[models]]\nname = "m"\nsorce = "m"', "did you mean 'source'"),
        ('[[models]]\nname = "m"\nsorce = "m"', "models[1].sorce"),
        ('[[models]]\nname = "m"', "models[1].source: this key is missing"),
        ("seed = -1\n" + MODEL, "seed: "),
        ("sead = 1\n" + MODEL, "did you mean 'seed'"),
        ("seed = 'x'\n" + MODEL, "seed: "),
        ("[protocol]\nblocks = 0\n" + MODEL, "protocol.blocks: "),
        ("[protocol]\nblock = 3\n" + MODEL, "did you mean 'blocks'"),
        ("str = 1\n" + MODEL, "str: unknown key"),
        ("[protocol]\nstr = 1\n" + MODEL, "protocol.str: unknown key"),
        ("[protocol]\nseconds = inf\n" + MODEL, "protocol.seconds: "),
        (MODEL + MODEL, "models: 'm' is there 2 times"),
        (MODEL + '[[devices]]\nname="a"\nkind="toaster"', "Known kinds are local, android"),
        (
            MODEL + '[[devices]]\nname="a"\nkind="andriod"',
            "devices[1]: unknown kind of device 'andriod', did you mean 'android'? Known",
        ),
        (
            MODEL + '[[devices]]\nname="a"\nkind="android"\npython="p"',
            "which has no 'python'; these kinds have it: local, board, ssh",
        ),
        (MODEL + '[[runtimes]]\nname="a"\naccelerator="abacus"', "'cpu'"),
        (
            MODEL + '[[runtimes]]\nname="a"\nprecision="float16"',
            "precision is an option of gpu and nnapi, not of cpu",
        ),
        (
            MODEL + '[[runtimes]]\nname="a"\naccelerator="npu"\nserialization=true',
            "serialization is an option of gpu and nnapi, not of npu",
        ),
        (
            MODEL + '[[runtimes]]\nname="a"\naccelerator="gpu"\npreference="cool"',
            "runtimes[1].preference: ",
        ),
        (MODEL + '[[runtimes]]\nname="a"\nthreads=0', "runtimes[1].threads: "),
        (MODEL + '[[runtimes]]\nname="../a"', "runtimes[1].name: may have letters"),
        (MODEL + f'[[runtimes]]\nname="{"a" * 300}"', "…"),
        ("recipes = [3]\n" + MODEL, "recipes[1]: should be a text (got 3)"),
        ("recipes = 'int8'\n" + MODEL, "recipes: should be a list (got 'int8')"),
        ("protocol = 3\n" + MODEL, "protocol: should be a table (got 3)"),
        (MODEL + "min_accuracy = 97", "min_accuracy: is a share between 0 and 1: write 0.97"),
        (MODEL + "max_accuracy_loss = nan", "models[1].max_accuracy_loss: is a share between 0"),
        (MODEL + 'min_accuracy = "97 %"', "min_accuracy: should be a number (got '97 %')"),
        (MODEL + "shapes = { image = [1, 0] }", "models[1].shapes"),
        (MODEL + 'shapes = "1,8"', "models[1].shapes"),
        (MODEL + "signature = 3", "models[1].signature: should be a text (got 3)"),
        (MODEL + 'recipes = ["in8"]', "recipe 1: unknown recipe step 'in8'"),
        (MODEL + 'recipes = ["as_is", "as_is"]', "'as_is' twice"),
        (MODEL + 'recipes = ["as_is"]\nready = { as_is = "x.tflite" }', "'as_is' twice"),
    ],
)
def test_an_error_names_file_key_and_choices(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadInputError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert words in message
    assert str(tmp_path / "suite.toml") in message
    assert "\n" not in message


def test_a_sustained_suite_has_one_block_unless_it_says_otherwise() -> None:
    assert MeasuringProtocol.model_validate({"sustained_minutes": 10}).blocks == 1
    assert MeasuringProtocol.model_validate({"sustained_minutes": 10, "blocks": 3}).blocks == 3
    assert MeasuringProtocol.model_validate({}).blocks == 6
    again = MeasuringProtocol.model_validate(MeasuringProtocol(sustained_minutes=2).model_dump())
    assert (again.blocks, again.measured_seconds) == (1, 120)


@pytest.mark.parametrize("shapes", ['{ "" = [1, 8, 8, 3] }', "[1, 8, 8, 3]"])
def test_the_shape_of_the_only_input(tmp_path: Path, shapes: str) -> None:
    (model,) = load(tmp_path, f"{MODEL}shapes = {shapes}\n").models
    assert model.shapes == {"": (1, 8, 8, 3)}


def test_what_is_asked_of_an_accelerator(tmp_path: Path) -> None:
    text = 'name="a"\naccelerator="gpu"\nprecision="float32"\nserialization=true'
    (runtime,) = load(tmp_path, MODEL + f"[[runtimes]]\n{text}").runtimes
    assert runtime.options == {"precision": "float32", "serialization": True}
    assert runtime.label == "gpu (float32, serialized)"
    assert runtime.caution == ""


def test_nnapi_is_said_to_be_deprecated(tmp_path: Path) -> None:
    (runtime,) = load(tmp_path, MODEL + '[[runtimes]]\nname="a"\naccelerator="nnapi"').runtimes
    assert "Android 15 deprecated" in runtime.caution


def test_a_runtime_without_options_is_stored_as_before_there_were_any(tmp_path: Path) -> None:
    (runtime,) = load(tmp_path, MODEL + '[[runtimes]]\nname="a"\naccelerator="gpu"').runtimes
    assert not {"precision", "preference", "serialization"} & set(runtime.model_dump())


def test_the_cpus_of_the_highest_capacity(tmp_path: Path) -> None:
    suite = load(tmp_path, MODEL + '[[runtimes]]\nname="a"\ncpus="big"')
    assert suite.runtimes[0].placement == {"cluster": "big"}
    again = validate(suite.model_dump(), "the run", tmp_path)
    assert again.runtimes[0].placement == {"cluster": "big"}
    changed = change_suite(suite, {"cpus": (0, 1)})
    assert changed.runtimes[0].placement == {"cpus": (0, 1)}
    with pytest.raises(BadInputError, match="numbers or 'big'"):
        load(tmp_path, MODEL + '[[runtimes]]\nname="a"\ncpus="huge"')

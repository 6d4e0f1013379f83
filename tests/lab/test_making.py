"""Compression over a lab: each stage once, on whichever host has room, and the same files."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from mobilebench.compress.artifact import Progress
from mobilebench.compress.pipeline import build_inputs, portable
from mobilebench.compress.recipe import parse_recipe
from mobilebench.compress.service import OnProgress, compress_variants
from mobilebench.compress.stages import stages_of
from mobilebench.errors import BadInputError
from mobilebench.lab import host, maker, making
from mobilebench.lab.client import Lab
from mobilebench.lab.making import make_in_lab
from mobilebench.models.spec import ModelSpec

from tests.support.laboratory import Laboratory, Process
from tests.support.models import MODELS

RECIPES = ("int8", "as_is", "float16")


@pytest.fixture
def lab(laboratory: Laboratory) -> Iterator[Lab]:
    there = Lab(laboratory.address, laboratory.certificates)
    yield there
    there.close()


@pytest.fixture
def spec(tmp_path: Path) -> ModelSpec:
    x = np.random.default_rng(0).random((40, 8, 8, 1), dtype=np.float32)
    y = np.arange(40) % 10
    np.savez(tmp_path / "some data.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    return ModelSpec(
        name="m", source=str(MODELS / "small.tflite"), data=str(tmp_path / "some data.npz")
    )


def made_by(*hosts: Process) -> Counter[str]:
    """What hosts say that they make, with how often."""
    lines = [line for host in hosts for line in host.said().splitlines() if "makes " in line]
    return Counter(line.split(" of m for ")[0].removeprefix("makes ") for line in lines)


def test_hosts_make_each_stage_once_and_the_client_the_rest(
    laboratory: Laboratory, lab: Lab, spec: ModelSpec, tmp_path: Path
) -> None:
    variants = [(spec, parse_recipe(recipe)) for recipe in RECIPES]
    cache, said = tmp_path / "cache", list[Progress]()
    make_in_lab(lab, variants, 3, cache, said.append, ())
    assert not said  # nobody compresses here yet
    first, second = (laboratory.join(name, "--compress", "1") for name in "ab")
    make_in_lab(lab, variants, 3, cache, said.append, ())
    assert made_by(first, second) == Counter(RECIPES)
    assert made_by(first)
    assert made_by(second)
    assert {p.total for p in said} == {3}
    assert max(p.done for p in said) == 3

    # All is in the cache, under the very names that the client looks for, and as it would make it.
    later = list[Progress]()
    outcome = compress_variants(variants, seed=3, cache=cache, on_progress=later.append)
    assert [p.cached for p in later if p.step == "done"] == [True] * 3
    alone = compress_variants(
        variants, seed=3, cache=tmp_path / "other", on_progress=lambda _: None
    )
    assert [a.sha256 for a in outcome.artifacts] == [a.sha256 for a in alone.artifacts]
    for ours, own in zip(outcome.artifacts, alone.artifacts, strict=True):
        assert (ours.warnings, ours.provenance) == (own.warnings, own.provenance)

    # What is there, or cannot travel, is not asked for; one more recipe goes on from what there is.
    own_data = tmp_path / "data.py"
    own_data.write_text("")
    stays = spec.model_copy(update={"name": "own", "data": str(own_data)})
    one_more = parse_recipe("weight_only_int8")
    more = [*variants, (spec, one_more), (stays, one_more)]
    make_in_lab(lab, more, 3, cache, said.append, ())
    assert made_by(first, second) == Counter([*RECIPES, one_more.text])

    # A host that dies costs nothing but time: the other one makes what it had.
    first.end(signal.SIGKILL)
    make_in_lab(lab, variants[:2], 4, cache, said.append, ())
    compress_variants(variants[:2], seed=4, cache=cache, on_progress=later.append)
    assert [p.cached for p in later if p.step == "done"] == [True] * 5


class Faulty:
    """A lab of two hosts that compress, of which one has no room, and which is lost at some time.

    ``lost`` is when: as it is asked for its hosts, for its connection, or for the first stage.
    """

    status = "closed"

    def __init__(self, lost: str) -> None:
        self._lost = lost
        self.sent: list[str] = []

    def makers(self) -> tuple[str, ...]:
        if self._lost == "hosts":
            raise BadInputError("there is no way into the lab")
        return ("full", "fit")

    def send(self, host: str, files: Mapping[str, Path]) -> None:
        if host == "full":
            raise BadInputError("could not write: no space left on device")
        assert all(path.is_file() for path in files.values())
        self.sent.append(host)

    def client(self) -> Faulty:
        if self._lost == "connection":
            raise BadInputError("there is no way into the lab")
        return self

    def subscribe_topic(self, *_: object) -> None:
        from distributed.client import ClosedClientError

        raise ClosedClientError("this client has been closed")


@pytest.mark.parametrize(
    ("lost", "sent"), [("hosts", []), ("connection", ["fit"]), ("stage", ["fit"])]
)
def test_a_lab_that_fails_leaves_it_to_the_client(
    lost: str, sent: list[str], spec: ModelSpec, tmp_path: Path
) -> None:
    faulty, variants, said = Faulty(lost), [(spec, parse_recipe("float16"))], list[Progress]()
    make_in_lab(cast("Lab", faulty), variants, 3, tmp_path, said.append, ())
    assert faulty.sent == sent
    # What a display shows of the sending ends with it.
    assert [p.step for p in said] == (["send files to the lab", "done"] if sent else [])


def test_a_hosts_progress_names_one_step_while_its_passes_count(
    spec: ModelSpec, tmp_path: Path
) -> None:
    recipe, said = parse_recipe("prune(0.8, epochs=3)"), list[Progress]()
    wanted = [making._Wanted(spec, recipe, cast("Any", None))]
    graph = making._Graph(cast("Any", None), wanted, {}, 0, tmp_path, said.append, ())
    stages = stages_of([("m", recipe)])
    for passes in (1, 2):
        step = f"prune(0.8, epochs=3) {passes}/3"
        graph._show(stages, {"stage": 1, "host": "b", "step": step, "fraction": passes / 3})
    # The last word is what a bar counts; before it is what the bar is of.
    assert {p.step.rpartition(" ")[0] for p in said} == {"b: prune(0.8, epochs=3)"}
    assert [p.step.split()[-1] for p in said] == ["1/3", "2/3"]


def test_a_baseline_that_is_not_the_file_itself_is_made_by_the_client(
    spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hosts make a model's first stage as it is, which is not float32 where weights are halves."""
    variants = [(spec, parse_recipe(recipe)) for recipe in ("as_is", "float32", "int8")]
    assert [w.recipe.name for w in making._wanted(variants, 3, tmp_path)][1] == "float32"
    monkeypatch.setattr(build_inputs, "has_halves", lambda _content: True)
    assert [w.recipe.name for w in making._wanted(variants, 3, tmp_path)] == ["as_is", "int8"]


class Beginning:
    """What compresses, stopped before its process is there."""

    def __init__(self, *, on_progress: OnProgress, **_: object) -> None:
        self._report = on_progress

    def __enter__(self) -> Beginning:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def close(self) -> None:
        """There is no process yet."""

    def make(self, _variants: object) -> None:
        assert not maker.stop("t").error
        self._report(Progress(0, 1, "m", "float16", "start"))
        raise AssertionError("it went on")


def test_a_stage_that_was_stopped_as_it_began_ends(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.take_part_as(host.Host("a"))
    monkeypatch.setattr("distributed.get_worker", lambda: None)
    monkeypatch.setattr(maker, "Compressor", Beginning)
    asked = maker.Stage("t", 0, "ann@laptop", spec, {}, parse_recipe("float16"), 3, (), ())
    assert maker.make(asked).arguments == ("it was stopped",)


@pytest.mark.parametrize(
    "name", ["../x", "artifacts/../../x.json", "models/a.keras", "logs/x.log", "/etc/passwd", ""]
)
def test_what_is_no_part_of_a_cache_is_not_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="is no entry of the cache"):
        portable.write(tmp_path, {name: b""})
    assert not list(tmp_path.iterdir())

"""The loop over a recorded objective: what is asked, what is screened, what a resume repeats."""

from __future__ import annotations

from pathlib import Path

import pytest
from mobilebench.compress.artifact import Artifact
from mobilebench.compress.recipe import parse_recipe
from mobilebench.compress.step import TrainingStep
from mobilebench.errors import BadInputError, DeviceError
from mobilebench.search.aim import Aim
from mobilebench.search.candidate import Candidate
from mobilebench.search.front import chosen, front
from mobilebench.search.ladder import Judged, Ladder
from mobilebench.search.loop import counted, explore, spent_by
from mobilebench.search.rungs import shorter, untrained
from mobilebench.search.space import TRAITS, read_space
from mobilebench.search.study import Sampler, Study

from tests.support.search import BASELINE, RecordedBench

SPACE = read_space(None).within({*TRAITS} - {"download"})
START = [parse_recipe(start.recipe) for start in SPACE.start]
AIM = Aim(("size", "latency"), {}, 1.0)


class Clock:
    """Each look at it takes a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


#: Of all sessions of a search.
CLOCK = Clock()


def searched(
    folder: Path,
    bench: RecordedBench,
    most: int,
    aim: Aim = AIM,
    sampler: Sampler = "tpe",
    budget: float = 1e9,
    seed: int = 0,
) -> tuple[Study, str]:
    study = Study(folder / "journal.log", SPACE, aim, sampler, seed)
    clock = CLOCK
    end = explore(
        study, Ladder(aim, bench, clock), BASELINE, START, budget=budget, most=most, clock=clock
    )
    return study, end


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random"])
def test_no_recipe_is_tried_twice(tmp_path: Path, sampler: Sampler) -> None:
    bench = RecordedBench()
    study, end = searched(tmp_path, bench, 40, sampler=sampler)
    candidates = study.candidates()
    assert end == "candidates"
    assert len({c.recipe for c in candidates}) == len(candidates) == 40
    states = {c.state for c in candidates}
    assert {"measured", "screened", "refused", "failed"} <= states
    assert all(c.reason for c in candidates if c.state != "measured")
    assert all(c.is_whole(AIM.measures) for c in candidates if c.state == "measured")


def test_it_begins_with_the_hand_written_recipes(tmp_path: Path) -> None:
    study, _ = searched(tmp_path, RecordedBench(), len(START))
    assert {c.recipe for c in study.candidates()} == {recipe.text for recipe in START}
    assert all(c.given for c in study.candidates())


def test_it_finds_better_than_it_was_given(tmp_path: Path) -> None:
    study, _ = searched(tmp_path, RecordedBench(), 70)
    candidates = study.candidates()
    best = chosen(AIM, candidates)
    given = chosen(AIM, [c for c in candidates if c.given])
    assert best is not None
    assert given is not None
    assert best.values["size"] < given.values["size"]
    assert best.loss is not None
    assert best.loss <= 1.0
    assert all(AIM.is_feasible(c) for c in front(AIM, candidates))


def test_a_resume_tries_nothing_again_and_loses_nothing(tmp_path: Path) -> None:
    bench = RecordedBench()
    bench.interrupt_after = 25
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path, bench, 30)
    before = Study(tmp_path / "journal.log", SPACE, AIM).candidates()
    assert 0 < len(before) < 30
    study, _ = searched(tmp_path, bench, 30)
    after = study.candidates()
    assert after[: len(before)] == before
    assert len({c.recipe for c in after}) == len(after) == 30


def test_the_budget_is_of_all_sessions_together(tmp_path: Path) -> None:
    bench = RecordedBench()
    study, end = searched(tmp_path, bench, 1000, budget=30)
    first = len(study.candidates())
    assert end == "budget"
    assert spent_by(study) >= 30
    study, end = searched(tmp_path, bench, 1000, budget=30)
    assert (end, len(study.candidates())) == ("budget", first)
    study, _ = searched(tmp_path, bench, 1000, budget=60)
    assert len(study.candidates()) > first


def test_a_small_space_is_exhausted(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(
        "[[slots]]\nname = 'numbers'\n[[slots.choices]]\nname = 'a'\nsteps = [{ step = 'int8' }]\n"
        "[[slots.choices]]\nname = 'b'\nsteps = [{ step = 'dynamic_int8' }]\n"
    )
    study = Study(tmp_path / "journal.log", read_space(path), AIM)
    bench = RecordedBench()
    assert explore(study, Ladder(AIM, bench), BASELINE, [], budget=1e9) == "exhausted"
    assert sorted(bench.made) == ["dynamic_int8", "int8"]


def evaluate(text: str, aim: Aim = AIM, *known: Candidate) -> tuple[Candidate, RecordedBench]:
    bench = RecordedBench()
    return Ladder(aim, bench).evaluate(parse_recipe(text), [BASELINE, *known]), bench


SMALL = Candidate(
    "small", "measured", values={"size": 9.0, "latency": 99.0, "macs": 9.0}, loss=0.1, sha256="s"
)


def test_where_nothing_keeps_a_limit_what_comes_nearest_is_measured() -> None:
    aim = Aim(("latency",), {"size": 200.0}, 1.0)
    found, _ = evaluate("int8", aim)
    assert found.is_whole(aim.measures)
    nearer, _ = evaluate("dynamic_int8", aim, found)
    assert aim.excess(nearer) < aim.excess(found)
    assert nearer.is_whole(aim.measures)
    again, _ = evaluate("int8", aim, nearer)
    assert again.state == "screened"


def test_what_is_too_large_is_never_trained() -> None:
    text = "prune_channels(0.1, epochs=0) → fine_tune(20) → int8"
    found, bench = evaluate(text, Aim(("latency",), {"size": 200.0}, 1.0), SMALL)
    assert found.state == "screened"
    assert "and 200 B is the limit" in found.reason
    assert bench.made == ["prune_channels(0.1, epochs=0) → int8"]
    assert not bench.asked


def test_what_another_beats_is_never_trained() -> None:
    better = Candidate(
        "better", "measured", values={"size": 10.0, "latency": 1.0}, loss=0.1, sha256="b"
    )
    found, bench = evaluate("prune_channels(0.1, epochs=0) → fine_tune(20) → int8", AIM, better)
    assert found.reason == "better beats it, whatever its quality"
    assert bench.asked["quality"] == 0


def test_what_computes_too_much_is_neither_trained_nor_measured() -> None:
    text = "prune_channels(0.1, epochs=0) → fine_tune(20) → int8"
    found, bench = evaluate(text, Aim(("latency",), {"macs": 20.0}, 1.0), SMALL)
    assert found.reason == "its number of MACs is 24, and 20 is the limit"
    assert bench.made == ["prune_channels(0.1, epochs=0) → int8"]
    assert not bench.asked["latency"]
    assert not bench.asked["quality"]


def test_energy_is_measured_last_and_only_of_what_keeps_its_quality() -> None:
    aim = Aim(("energy",), {}, 1.0)
    found, bench = evaluate("prune_channels(0.1, epochs=0) → fine_tune(20) → int8", aim)
    assert found.is_whole(aim.measures)
    assert bench.asked["energy"] == 1
    found, bench = evaluate("prune_channels(0.75, epochs=0) → fine_tune(2) → int8", aim)
    assert found.state == "screened"
    assert not bench.asked["energy"]


def test_latency_is_measured_beside_the_best_so_far() -> None:
    best = Candidate(
        "best", "measured", values={"size": 10.0, "latency": 9.0}, loss=0.1, sha256="b"
    )
    _, bench = evaluate("int8", AIM, best)
    assert bench.beside == ["best"]


def test_what_needs_no_training_is_tried_first(tmp_path: Path) -> None:
    study, _ = searched(tmp_path, RecordedBench(), 5)
    recipes = [parse_recipe(c.recipe) for c in study.candidates()]
    assert not any(isinstance(step, TrainingStep) for r in recipes for step in r.steps)


def test_short_training_comes_before_all_of_it() -> None:
    found, bench = evaluate("prune_channels(0.5, epochs=0) → fine_tune(20) → int8")
    assert bench.made == [
        "prune_channels(0.5, epochs=0) → int8",
        "prune_channels(0.5, epochs=0) → fine_tune(5) → int8",
        "prune_channels(0.5, epochs=0) → fine_tune(20) → int8",
    ]
    assert found.state == "measured"
    assert found.short_loss is not None
    assert found.loss is not None
    assert found.loss < found.short_loss


def test_what_stays_bad_after_short_training_is_given_up() -> None:
    found, bench = evaluate("prune_channels(0.75, epochs=0) → fine_tune(8) → dynamic_int4")
    assert found.state == "screened"
    assert "after a quarter of its training" in found.reason
    assert bench.made[-1] == "prune_channels(0.75, epochs=0) → fine_tune(2) → dynamic_int4"


def test_stand_ins_keep_the_network_and_the_format() -> None:
    stand_ins = {
        "int8": None,
        "prune_channels(0.5) → int8": "prune_channels(0.5, epochs=0) → int8",
        "distill(T=2) → prune(0.8) → int8": (
            "student(epochs=1) → prune(0.8, schedule=once, epochs=0) → int8"
        ),
        "low_rank(0.9) → distill → quantization_aware → int8": "low_rank(0.9, epochs=0) → int8",
        "fine_tune(5)": "float32",
    }
    for text, wanted in stand_ins.items():
        found = untrained(parse_recipe(text))
        assert (found and found.text) == wanted
    short = shorter(parse_recipe("distill(epochs=20) → prune(0.8, epochs=4)"))
    assert short is not None
    assert short.text == "distill(epochs=5) → prune(0.8, epochs=1)"
    assert shorter(parse_recipe("fine_tune(4)")) is None


def test_a_journal_of_something_else_is_refused(tmp_path: Path) -> None:
    Study(tmp_path / "journal.log", SPACE, AIM)
    with pytest.raises(BadInputError, match="minimizes something else"):
        Study(tmp_path / "journal.log", SPACE, Aim(("size",), {}, 1.0))
    (tmp_path / "other.log").write_text("not a journal\n")
    with pytest.raises(BadInputError, match="no journal of a search"):
        Study(tmp_path / "other.log", SPACE, AIM)


def test_one_that_may_not_be_chosen_screens_nothing() -> None:
    lucky = Candidate(
        "lucky",
        "measured",
        values={"size": 10.0, "latency": 1.0},
        loss=0.9,
        error=0.3,
        sha256="l",
    )
    found, _ = evaluate("prune_channels(0.1, epochs=0) → fine_tune(20) → int8", AIM, lucky)
    assert found.state == "measured"


def test_a_candidate_whose_device_was_lost_is_tried_again(tmp_path: Path) -> None:
    bench = RecordedBench()
    judge, lost = bench.judge, ["lost"]

    def lose(artifact: Artifact) -> Judged:
        if len(bench.made) > 12 and lost:
            raise DeviceError("device 'a' is gone", lost.pop())
        return judge(artifact)

    bench.judge = lose  # type: ignore[method-assign]
    with pytest.raises(DeviceError):
        searched(tmp_path, bench, 30)
    under_way = bench.made[-1]
    before = Study(tmp_path / "journal.log", SPACE, AIM)
    assert all("gone" not in c.reason for c in before.candidates())
    tried = len(bench.made)
    study, _ = searched(tmp_path, bench, 30)
    assert under_way in bench.made[tried:]
    assert len(study.candidates()) == 30


def test_a_recipe_whose_process_ended_before_it_was_drawn_is_tried(tmp_path: Path) -> None:
    recipe = next(recipe for recipe in START if SPACE.parameters(recipe))
    ended = Study(tmp_path / "journal.log", SPACE, AIM)
    ended.begin_with(recipe)
    ended._study.ask()
    study = Study(tmp_path / "journal.log", SPACE, AIM)
    study.begin_with(recipe)
    assert study.ask().recipe == recipe


def test_what_is_interrupted_costs_its_time(tmp_path: Path) -> None:
    study = Study(tmp_path / "journal.log", SPACE, AIM)
    with pytest.raises(KeyboardInterrupt), counted(study, Clock()):
        raise KeyboardInterrupt
    assert spent_by(study) == 1
    bench = RecordedBench()
    bench.interrupt_after = 0
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path, bench, 1)
    assert spent_by(Study(tmp_path / "journal.log", SPACE, AIM)) > 1

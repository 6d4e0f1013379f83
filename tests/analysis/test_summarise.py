from dataclasses import replace

import numpy as np
import pytest
from mobilebench.analysis.summarise import summarise
from mobilebench.records.trial import Delegation

from tests.support.two_variants import (
    ARTIFACTS,
    BASE,
    SMALL,
    a_run,
    accuracy,
    in_files,
    run_of,
    trial,
)


def run(base_ns, small_ns, extra=(), **changes):
    """One trial a block of each variant, its samples all alike."""
    trials, samples = [], []
    for recipe, medians in ((BASE, base_ns), (SMALL, small_ns)):
        for block, value in enumerate(medians, 1):
            record = trial(recipe, block=block)
            trials.append(record)
            samples.append((record.trial, np.full(10, value, dtype=np.int64)))
    return summarise(
        a_run(**changes),
        [*trials, *extra],
        in_files(samples),
    )


def variants(summary):
    (comparison,) = summary.comparisons
    return {v.recipe: v for v in comparison.variants}


def test_speedup_is_paired_by_block_so_that_drift_cancels():
    heat = [1, 2, 3, 4, 5, 6]
    summary = run([200_000 * h for h in heat], [100_000 * h for h in heat])
    found = variants(summary)[SMALL]
    assert found.changes["latency"].value == 2
    assert found.changes["latency"].interval.low == found.changes["latency"].interval.high == 2
    assert found["latency"].interval.low == 100_000


def test_blocks_without_both_sides_are_left_out():
    found = variants(run([200_000] * 6, [100_000] * 2))[SMALL]
    assert found.changes["latency"].n == 2
    assert found.changes["latency"].interval is None
    assert "needs 6" in found.changes["latency"].reason


def test_exact_ratios():
    found = variants(run([2], [1]))[SMALL]
    assert found.changes["size"].value == 4
    assert found["size"].value == 100


def test_smaller_but_slower_is_said():
    found = variants(run([100_000] * 6, [300_000] * 6))[SMALL]
    assert any("Smaller but slower" in f.text for f in found.findings)


def test_sparse_layers_are_meant_to_stay_with_the_runtime():
    left = Delegation(4, 1, 1, {"FULLY_CONNECTED": 2, "CAST": 1})
    small = {"model": "m", "recipe": SMALL, "sha256": "b", "bytes": 100, "gzip_bytes": 90}
    steps = [{"step": "prune(0.9)"}, {"step": "sparse", "sparse_kernels": 2}]
    artifacts = [ARTIFACTS[0], {**small, "provenance": {"steps": steps}}]
    trials = [trial(recipe, delegation=left) for recipe in (BASE, SMALL)]
    samples = in_files([(t.trial, np.full(10, 100_000)) for t in trials])
    found = variants(summarise(a_run(artifacts=artifacts), trials, samples))
    (dense,) = [f.text for f in found[BASE].findings if "delegate" in f.text]
    assert dense == "The delegate took 1 of 4 nodes; not delegated: CAST, 2 FULLY_CONNECTED."
    meant, rest = [f.text for f in found[SMALL].findings if "delegate" in f.text]
    assert meant.startswith("2 sparse Dense layers are computed by the runtime's own")
    assert rest == "The delegate took 1 of 4 nodes; not delegated: CAST."


def test_a_tiny_latency_is_said_to_hold_the_call():
    found = variants(run([5_000] * 6, [4_000] * 6))[SMALL]
    assert any("cost of the call" in f.text for f in found.findings)


def test_two_speeds_within_trials_are_said():
    rng = np.random.default_rng(1)
    trials = [trial(BASE, block=block) for block in range(1, 7)]
    two = [
        np.where(rng.random(300) < 0.3, 1.6e6, 1e6) * rng.lognormal(0, 0.02, 300) for _ in trials
    ]
    samples = [(t.trial, x.astype(np.int64)) for t, x in zip(trials, two, strict=True)]
    found = variants(summarise(a_run(), trials, in_files(samples)))[BASE]
    assert len(found.latency.modes_within) == 6
    (said,) = [f.text for f in found.findings if "Bimodal" in f.text]
    assert "6 of 6 trials" in said
    assert "1.00 ms and 1.60 ms" in said
    assert found.latency.modes_over is None


def test_trials_of_two_speeds_are_said():
    fast_and_slow = [1_000_000, 1_003_000, 1_400_000, 1_001_000, 1_402_000, 1_401_000]
    found = variants(run(fast_and_slow, [1_000_000 + 100 * n for n in range(6)]))
    (said,) = [f.text for f in found[BASE].findings if "Bimodal" in f.text]
    assert said.startswith("Bimodal over trials: 3 of 6 run at about 1.40 ms")
    assert not any("Bimodal" in f.text for f in found[SMALL].findings)


def test_accuracy_change_uses_the_predictions():
    labels = np.zeros(1000, dtype=int)
    base = labels.copy()
    base[:20] = 1
    small = base.copy()
    small[20:28] = 1
    extra = [accuracy(BASE, base.tolist(), labels), accuracy(SMALL, small.tolist(), labels)]
    paired = variants(run([2] * 6, [1] * 6, extra))[SMALL].changes["accuracy"]
    assert paired.value == pytest.approx(-0.008)
    extra = [replace(record, predictions=()) for record in extra]
    unpaired = variants(run([2] * 6, [1] * 6, extra))[SMALL].changes["accuracy"]
    assert unpaired.value == pytest.approx(-0.008)
    assert unpaired.interval.low < paired.interval.low < paired.interval.high < 0
    assert unpaired.interval.high > 0


def test_other_samples_are_not_compared():
    extra = [accuracy(r, [0] * 50, np.zeros(50)) for r in (BASE, SMALL)]
    dataset = {"name": "full", "sha256": "d", "count": 50}
    artifacts = [{**ARTIFACTS[0], "dataset": dataset}, ARTIFACTS[1]]
    found = variants(run([2], [1], extra, artifacts=artifacts))[SMALL]
    assert found.changes["accuracy"].value is None
    assert "other samples" in found.changes["accuracy"].reason


def test_advice_names_what_keeps_accuracy_and_nothing_else():
    labels = np.zeros(1000, dtype=int)
    good, bad = [0] * 1000, [1] * 15 + [0] * 985
    for predictions, said in ((good, "int8: the only variant"), (bad, "No variant is shown")):
        extra = [accuracy(BASE, good, labels), accuracy(SMALL, predictions, labels)]
        (comparison,) = run([200_000] * 6, [100_000] * 6, extra).comparisons
        assert comparison.advice[0].topic == "Ship"
        assert comparison.advice[0].text.startswith(said)


def test_overlapping_speeds_are_not_separated():
    (comparison,) = run([100, 101, 99, 100, 102, 98], [99, 100, 100, 101, 97, 99]).comparisons
    fastest = next(a for a in comparison.advice if a.topic == "Fastest")
    assert "does not separate it from float32" in fastest.text


def test_a_failed_trial_is_counted_and_reported():
    failed = trial(SMALL, block=7)
    failed = replace(failed, state="failed", code="out_of_memory", reason="killed")
    summary = run([2] * 6, [1] * 6, [failed])
    assert variants(summary)[SMALL].failed_trials == 1
    assert summary.failed_trials[0].code == "out_of_memory"


def test_only_failed_trials_give_a_reason_not_a_zero():
    failed = replace(trial(SMALL), state="failed", code="model_unsupported", reason="no kernel")
    found = variants(run([2] * 6, [], [failed]))[SMALL]
    assert found["latency"].value is None
    assert "no kernel" in found.failure


def test_a_variant_that_was_not_made_is_listed():
    failures = [{"model": "m", "recipe": "cluster(2)", "step": "cluster", "reason": "too few"}]
    found = variants(run([2] * 6, [1] * 6, failures=failures))["cluster(2)"]
    assert "too few" in found.failure
    assert found["size"].value is None


def test_lost_samples_are_said():
    summary = summarise(a_run(), [trial(BASE)], iter([]))
    assert any("no raw samples" in w for w in summary.warnings)
    assert variants(summary)[BASE]["latency"].value is None


def test_a_clock_that_does_not_tick_makes_no_ratio():
    assert variants(run([0] * 6, [0] * 6))[SMALL].changes["latency"].value is None


def test_a_run_cut_short_is_summarised():
    summary = summarise(run_of(state="interrupted"), [], iter([]))
    assert summary.comparisons == ()
    assert any("not finished" in w for w in summary.warnings)


def test_virtual_devices_are_marked():
    summary = run([2] * 6, [1] * 6, devices=[{"name": "phone", "virtual": True}])
    assert summary.comparisons[0].virtual
    assert any("virtual" in w for w in summary.warnings)

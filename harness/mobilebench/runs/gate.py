"""The gate: baseline and candidate in one session, a verdict, and a second look if it needs one."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from mobilebench import crash
from mobilebench.analysis import disturbance, gating, verdicts
from mobilebench.analysis.gating import Verdict
from mobilebench.analysis.verdicts import Comparison
from mobilebench.errors import BadInputError, InvalidRunError, MobileBenchError
from mobilebench.files import write_atomically
from mobilebench.metrics import Metric, registry
from mobilebench.records.device import AGENT
from mobilebench.records.gate import Gate, Pair, PairNoise
from mobilebench.records.run import Run
from mobilebench.runs import calibrate, interfaces, pair
from mobilebench.runs import run as runs
from mobilebench.runs.descent import of_one_model
from mobilebench.runs.leases import Leases, Patience
from mobilebench.runs.plan import measured_kinds
from mobilebench.runs.summaries import loader
from mobilebench.runs.verdict import VERDICT, GateResult, document
from mobilebench.store.folder import MANIFEST, RunFolder
from mobilebench.suite.policy import Policy, stored_policy
from mobilebench.suite.schema import Suite


def start(
    suite: Suite,
    policy: Policy,
    results: Path,
    command: Sequence[str],
    watcher: runs.Watcher,
    patience: Patience | None = None,
    jobs: int = 1,
) -> GateResult:
    """Runs each model's baseline and candidates on each device and runtime, and judges.

    Args:
        suite: the first recipe of a model is its baseline; every other variant is a candidate.
        policy: what is looked at, and how much worse it may get.
        results: where the run gets its folder.
        command: how it was asked for; kept with the run.
        watcher: is given the progress.
        patience: how long others are waited for.
        jobs: how many variants are compressed side by side.

    Returns:
        The result; INVALID with the reason if a candidate has other inputs or outputs than its
        baseline (nothing was written then), or the run could not go on (what was finished is kept).

    Raises:
        BadInputError: there is nothing to compare; nothing was written.
        InterruptedRunError: by Ctrl-C; the gate can be resumed.
    """
    pair.ensure_bursts(suite)
    if suite.executor != AGENT:
        raise BadInputError(
            f"a gate judges by samples, and {suite.executor} keeps none: leave 'executor' out"
        )
    folder = results

    def shape(run: Run) -> Run:
        nonlocal folder
        folder = results / run.name
        return _gated(run, suite, policy)

    try:
        interfaces.ensure_ready_files_fit(suite)
        # Its devices stay its own until it has looked twice.
        with Leases(patience) as leases:
            begun = runs.start(
                suite, results, command, watcher, shape, whole=True, leases=leases, jobs=jobs
            )
            return _conclude(begun, watcher, leases)
    except interfaces.OtherInterfaceError as error:
        return GateResult(suite.name, results / suite.name, (), (), invalid=str(error))
    except InvalidRunError as error:
        return _invalid(folder, error)
    except Exception as error:
        record_fault(folder, error)
        raise


def resume(path: Path, watcher: runs.Watcher, patience: Patience | None = None) -> GateResult:
    """Finishes an earlier gate, or says again what it said; ``patience`` as of ``start``.

    Raises:
        BadInputError: there is no gate's run, or its device has changed since.
    """
    if RunFolder.open(path).run().gate is None:
        raise BadInputError(f"{path} is the run of no gate: go on with mobilebench run --resume")
    try:
        with Leases(patience) as leases:
            return _conclude(runs.resume(path, watcher, whole=True, leases=leases), watcher, leases)
    except InvalidRunError as error:
        return _invalid(path, error)
    except Exception as error:
        record_fault(path, error)
        raise


def fault(path: Path, error: BaseException) -> GateResult:
    """What a gate says that ended in an unexpected exception: INVALID, and a fault of ours."""
    return GateResult(path.name, path, (), (), invalid=crash.reason(error), fault=True)


def record_fault(path: Path, error: Exception) -> None:
    """Keeps with the run, if it was begun, that its gate ended in an unexpected exception."""
    if isinstance(error, MobileBenchError):
        return
    # Whatever is broken may be broken here, too; the exception itself is reported in any case.
    with contextlib.suppress(Exception):
        _keep(RunFolder.open(path), fault(path, error))


def _invalid(path: Path, error: InvalidRunError) -> GateResult:
    """No verdict, and why; kept with the run, if there is one and its disk takes it."""
    result = GateResult(path.name, path, (), (), invalid=str(error))
    with contextlib.suppress(BadInputError, InvalidRunError):
        _keep(RunFolder.open(path), result)
    return result


def stored(folder: RunFolder) -> GateResult | None:
    """What a gate's folder says; None if it is no gate's, or the gate has not come to its end."""
    run = folder.run()
    if run.gate is None:
        return None
    if run.state == "finished":
        return judge(folder)
    try:
        verdict = json.loads((folder.path / VERDICT).read_text("utf-8"))
        reason = str(verdict["invalid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return GateResult(folder.path.name, folder.path, (), (), invalid=reason) if reason else None


def _keep(folder: RunFolder, result: GateResult) -> None:
    text = json.dumps(document(result), indent=1, ensure_ascii=False)
    write_atomically(folder.path / VERDICT, f"{text}\n".encode())


def judge(folder: RunFolder) -> GateResult:
    """What the trials in a gate's folder say, whatever there is of them.

    Raises:
        BadInputError: the folder is damaged, or the run is no gate's.
    """
    run = folder.run()
    gate = _gate_of(run, folder.path)
    policy, unknown = _policy_of(gate, folder.path)
    trials = folder.trials()
    statistics = verdicts.statistics_of(run, trials, folder.timings(trials))
    comparisons = verdicts.judge(
        run,
        gate,
        trials,
        statistics,
        policy,
        loader(folder),
        lambda compared: of_one_model(folder, run, compared),
    )
    load = disturbance.described(run, trials, statistics=statistics)
    warnings = _warnings(run, comparisons)
    warnings += [
        f"The metric {name!r} of the policy is not known here, so it was not judged: "
        "the plug-in that defines it is not installed."
        for name in unknown
    ]
    return GateResult(
        run.name,
        folder.path,
        comparisons,
        gate.looks,
        tuple(warnings),
        disturbed=disturbance.banners(run, load),
        speed_only=policy.is_speed_only,
    )


def _gate_of(run: Run, path: Path) -> Gate:
    if run.gate is None:
        raise BadInputError(f"{path} is the run of no gate")
    return run.gate


def _policy_of(gate: Gate, path: Path) -> tuple[Policy, tuple[str, ...]]:
    """The policy that a gate was run by, validated, and its metrics that are not known here."""
    return stored_policy(gate.policy, f"{path / MANIFEST}: gate.policy")


def _conclude(folder: RunFolder, watcher: runs.Watcher, leases: Leases) -> GateResult:
    result = judge(folder)
    run = folder.run()
    blocks = 1 + max((trial.block for trial in run.plan), default=-1)
    if _undecided(result) and blocks < result.looks[-1].blocks:
        policy, _ = _policy_of(_gate_of(run, folder.path), folder.path)
        kinds = _kinds(policy, run.suite.protocol.energy)
        plan = pair.plan(run, result.looks[-1].blocks, kinds)
        with folder.locked():
            folder.write_run(run.model_copy(update={"plan": plan, "state": "running"}))
        try:
            runs.resume(folder.path, watcher, whole=True, leases=leases)
        except BadInputError as error:
            raise InvalidRunError(
                f"the second look could not begin: {error}; "
                f"go on with: mobilebench gate --resume {folder.path}"
            ) from error
        result = judge(folder)
    _keep(folder, result)
    return result


def _undecided(result: GateResult) -> bool:
    """Whether more blocks could change the overall verdict: what has failed stays failed."""
    if result.verdict in (Verdict.FAIL, Verdict.INVALID):
        return False
    return any(
        finding.verdict == Verdict.INCONCLUSIVE and finding.p_fail is not None
        for comparison in result.comparisons
        for finding in comparison.findings
    )


def _gated(run: Run, suite: Suite, policy: Policy) -> Run:
    """The run with the plan of the first look, and all that the verdict will need."""
    interfaces.ensure_alike(run.failures)
    pairs = _pairs(run, suite)
    if not pairs:
        raise BadInputError(
            "there is nothing to compare: every model has one variant only; "
            "add a recipe or a ready file to the suite"
        )
    made = {(found.model, found.recipe): found.sha256 for found in run.artifacts}
    if not any({(p.model, p.baseline), (p.model, p.candidate)} <= made.keys() for p in pairs):
        first = run.failures[0]
        raise BadInputError(
            f"there is nothing to compare: {first.model} · {first.recipe}: {first.reason}"
        )
    kinds = _kinds(policy, suite.protocol.energy)
    tested = len(pairs) * sum(m.test == "paired" and m.kind in kinds for m in _enabled(policy))
    looks = gating.plan_looks(tested, max(gating.FIRST_BLOCKS, suite.protocol.blocks))
    noise = tuple(
        PairNoise(pair=compared, noise=found.metrics)
        for compared in pairs
        if (found := _noise(run, compared, made.get((compared.model, compared.baseline), "")))
    )
    gate = Gate(policy=policy.document(), looks=looks, pairs=tuple(pairs), noise=noise)
    return run.model_copy(
        update={
            "plan": pair.plan(run, looks[0].blocks, kinds),
            "gate": gate,
        }
    )


def _pairs(run: Run, suite: Suite) -> list[Pair]:
    baselines = {model.name: model.baseline for model in run.models}
    return [
        Pair(model.name, device.name, runtime.name, baselines[model.name], recipe.name)
        for model, recipe in suite.variants()
        if recipe.name != baselines[model.name]
        for device in suite.devices
        for runtime in suite.runtimes
    ]


def _enabled(policy: Policy) -> list[Metric]:
    return [registry()[name] for name, rule in policy.items() if rule.enabled]


def _kinds(policy: Policy, energy: bool) -> tuple[str, ...]:
    """The kinds of trials that the policy wants repeated."""
    return measured_kinds(_enabled(policy), energy)


def _noise(run: Run, compared: Pair, artifact: str) -> calibrate.Noise | None:
    device, runtime = run.device(compared.device), run.runtime(compared.runtime)
    return calibrate.known(device, runtime, artifact) if device and runtime else None


def _warnings(run: Run, comparisons: Sequence[Comparison]) -> list[str]:
    warnings = list(run.cautions)
    bare = {
        (c.model, c.device, c.runtime): None
        for c in comparisons
        for f in c.findings
        if registry()[f.metric].test == "paired" and f.effect.value is not None and f.noise is None
    }
    warnings += [
        f"The noise of {model} on {device} · {runtime} is not known, so the margin is the "
        "policy's alone: mobilebench calibrate measures it."
        for model, device, runtime in bare
    ]
    warnings += [
        f"{artifact.model} · {artifact.recipe}: {said}"
        for artifact in run.artifacts
        for said in artifact.warnings
    ]
    return [*warnings, *run.warnings]

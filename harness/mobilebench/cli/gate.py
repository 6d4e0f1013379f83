"""A verdict on a candidate, for people and for CI."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from mobilebench.cli.options import (
    Command,
    allow_option,
    cpus_option,
    device_option,
    echo_json,
    energy_option,
    jobs_option,
    require_folder_of,
    results_option,
    shape_option,
    signature_option,
    silence,
    task_option,
    trust_option,
    trusting,
    unplugged_option,
    wait_option,
    wait_quiet_option,
)
from mobilebench.devices.checks import DeviceCheck
from mobilebench.errors import BadInputError, InvalidRunError, MobileBenchError

if TYPE_CHECKING:
    from mobilebench.runs.verdict import GateResult

_GATE_EXIT_CODES = """\b
Exit codes:
  0    PASS: the candidate is not worse than the margins allow
  1    FAIL: some metric is worse than its margin
  2    wrong usage or bad input; nothing was measured
  3    INCONCLUSIVE: too noisy to tell, or nothing says whether the answers are as good
  4    INVALID: a trial failed, the device was unfit, lost or busy with other work, it
       computes something else than a file says, or the candidate has other inputs or
       outputs than the baseline
  70   a fault of MobileBench itself: no verdict
  130  interrupted; go on with --resume"""


@click.command(cls=Command, epilog=_GATE_EXIT_CODES)
@click.argument("suite", required=False, metavar="[SUITE.toml]", type=click.Path(path_type=Path))
@click.option("--baseline", type=click.Path(path_type=Path), help="The .tflite known to be good.")
@click.option("--candidate", type=click.Path(path_type=Path), help="The .tflite to be judged.")
@click.option("--data", help="Labelled data: an .npz or .py file, or a set by name.")
@click.option("--policy", type=click.Path(path_type=Path), help="Margins, as a TOML file.")
@task_option
@click.option(
    "--speed-only",
    is_flag=True,
    help="Judge time and size alone, whatever the answers are; every output says so.",
)
@shape_option
@signature_option
@click.option("--seconds", type=float, help="Seconds measured per trial.")
@click.option("--threads", type=int, help="Threads.")
@cpus_option
@click.option("--seed", type=int, help="Seed of inputs and order.")
@device_option
@allow_option
@energy_option
@jobs_option
@unplugged_option
@wait_option
@wait_quiet_option
@results_option
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Finish the gate in that folder, or show its verdict again.",
)
@trust_option
@click.option("--junit", type=click.Path(path_type=Path), help="Write JUnit XML to this file.")
@click.option(
    "--summary",
    type=click.Path(path_type=Path),
    help="Append Markdown to this file, as to $GITHUB_STEP_SUMMARY.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def gate(
    suite: Path | None,
    baseline: Path | None,
    candidate: Path | None,
    data: str | None,
    task: str | None,
    policy: Path | None,
    speed_only: bool,
    shapes: dict[str, tuple[int, ...]],
    signature: str | None,
    seconds: float | None,
    threads: int | None,
    cpus: tuple[int, ...] | None,
    seed: int | None,
    devices: tuple[str, ...],
    allow: tuple[DeviceCheck, ...],
    energy: bool | None,
    jobs: int,
    unplugged: bool,
    wait: float,
    wait_quiet: float,
    results: Path,
    resume: Path | None,
    trust: bool,
    junit: Path | None,
    summary: Path | None,
    as_json: bool,
) -> None:
    """Say whether a candidate is as good as its baseline: PASS, FAIL, INCONCLUSIVE or INVALID.

    Both are measured in one session, in blocks of random order. In a suite, each model's first
    recipe is the baseline and all its other variants are candidates.

    \b
    Examples:
      mobilebench gate --baseline main.tflite --candidate branch.tflite
      mobilebench gate --baseline main.tflite --candidate branch.tflite --data eval.npz \\
          --policy policy.toml --junit gate.xml --summary "$GITHUB_STEP_SUMMARY"
      mobilebench gate --baseline main.tflite --candidate branch.tflite --speed-only
      mobilebench gate suite.toml --device R5CT1234ABC
      mobilebench gate suite.toml --device 192.168.1.7:5555 --unplugged
      mobilebench gate suite.toml --threads 2 --cpus 4,5
      mobilebench gate suite.toml --lab tls://lab:8786 --device 'lab:soc=SM8550'
      mobilebench gate --resume results/20260131T120000Z-gate-branch
    """
    from mobilebench import api
    from mobilebench.cli.terminal import RunDisplay, errors
    from mobilebench.runs import gate as gates

    if speed_only and data:
        raise BadInputError("--speed-only judges no answers: leave it or --data out")
    of_files = baseline, candidate, data, task, shapes, signature
    if resume is not None:
        given = any((suite, *of_files, policy, speed_only, devices, allow, unplugged, jobs > 1))
        if given or any(v is not None for v in (seconds, threads, cpus, seed, energy)):
            raise BadInputError("--resume goes on with the gate's own suite; give it alone")
    elif bool(suite) == any(of_files) or bool(baseline) != bool(candidate):
        raise BadInputError(
            "give --baseline and --candidate, or a suite file alone, which names its own models"
        )
    require_folder_of(junit, summary)
    folder = resume or results
    try:
        with trusting(resume, trust), RunDisplay(errors()) as display:
            if resume is None:
                display.prepare()
            result = api.gate(
                suite or baseline,
                candidate,
                data=data,
                task=task,
                policy=policy,
                speed_only=speed_only,
                results=results,
                devices=devices,
                shapes=shapes,
                signature=signature,
                seconds=seconds,
                threads=threads,
                cpus=cpus,
                seed=seed,
                energy=energy,
                jobs=jobs,
                allow=allow,
                unplugged=unplugged,
                resume=resume,
                wait_minutes=wait,
                wait_quiet_minutes=wait_quiet,
                progress=display,
                command=["mobilebench", *sys.argv[1:]],
            )
        folder = result.folder
        _write_files(result, junit, summary)
        _show(result, as_json)
    except MobileBenchError:
        raise
    except Exception as error:
        # CI must not take an earlier file, or none, for what this gate said.
        gates.record_fault(folder, error)
        fault = gates.fault(folder, error)
        with contextlib.suppress(Exception):
            _write_files(fault, junit, summary)
        if as_json:
            with contextlib.suppress(Exception):
                _show(fault, as_json)
        raise
    raise SystemExit(result.exit_code)


def _write_files(result: GateResult, junit: Path | None, summary: Path | None) -> None:
    from mobilebench.report.exports import gate as gate_outputs

    if junit:
        _write(junit, gate_outputs.junit(result), "w")
    if summary:
        _write(summary, gate_outputs.github(result), "a")


def _show(result: GateResult, as_json: bool) -> None:
    from mobilebench.cli.terminal import output
    from mobilebench.report.exports import gate as gate_outputs
    from mobilebench.runs import verdict as gate_verdict

    try:
        if as_json:
            echo_json(gate_verdict.document(result))
        else:
            output().print(gate_outputs.terminal(result))
            if result.folder.is_dir():
                output().print(f"Run: {result.folder}", soft_wrap=True, highlight=False)
    except BrokenPipeError:
        # Whoever reads no further still wants the verdict's exit code.
        silence()


def _write(path: Path, text: str, mode: Literal["w", "a"]) -> None:
    try:
        with path.open(mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InvalidRunError(f"cannot write {path}: {error.strerror}") from error

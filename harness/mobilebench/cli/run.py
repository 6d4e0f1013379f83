"""Compress, measure and report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

import click

from mobilebench.cli.options import (
    Command,
    allow_option,
    conclude,
    cpus_option,
    data_option,
    device_option,
    download_option,
    energy_option,
    jobs_option,
    reporting_all_the_same,
    results_option,
    shape_option,
    show_run,
    signature_option,
    student_option,
    task_option,
    teacher_option,
    trust_option,
    trusting,
    unplugged_option,
    wait_option,
    wait_quiet_option,
)
from mobilebench.devices.checks import DeviceCheck
from mobilebench.errors import BadInputError
from mobilebench.records.runtime import Accelerator

_EXIT_CODES = """\b
Exit codes:
  0    every trial is valid
  1    some variants or trials failed; the report says which and why
  2    wrong usage or bad input; nothing was measured
  4    some trial stayed invalid (throttled, plugged in meanwhile, …), a device computes
       something else than a file says, or the run cannot go on
  130  interrupted; resume it with --resume"""


@click.command(cls=Command, epilog=_EXIT_CODES)
@click.argument(
    "what", nargs=-1, metavar="[SUITE.toml | MODEL...]", type=click.Path(path_type=Path)
)
@data_option
@task_option
@student_option
@teacher_option
@shape_option
@signature_option
@click.option("--recipe", "recipes", multiple=True, help="A recipe for MODEL; may be repeated.")
@click.option("--blocks", type=int, help="Fresh processes per variant, instead of the suite's.")
@click.option("--seconds", type=float, help="Seconds measured per trial, instead of the suite's.")
@click.option(
    "--sustained-minutes",
    type=float,
    metavar="N",
    help="Sustained mode: trials of N minutes, one for each variant unless --blocks "
    "says otherwise; reports each minute's median and when the device throttles.",
)
@click.option("--threads", type=int, help="Threads, instead of the suite's runtimes.")
@click.option(
    "--accelerator",
    type=click.Choice(get_args(Accelerator)),
    help="What runs the models, instead of the suite's runtimes: gpu and nnapi on phones (Android "
    "15 deprecated NNAPI), npu by LiteRT's CompiledModel. A suite's [[runtimes]] may say more: "
    'precision = "float16", preference = "sustained", serialization = true.',
)
@cpus_option
@click.option("--seed", type=int, help="Seed, instead of the suite's.")
@device_option
@allow_option
@click.option(
    "--executor",
    type=click.Choice(["agent", "benchmark_model"]),
    default="agent",
    show_default=True,
    help="Who measures: the app or agent, or TensorFlow's own program, for a cross-check in a run "
    "of its own. Without --device the latter means --device all.",
)
@click.option(
    "--binary",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="benchmark_model, built for the device; it is pushed there.",
)
@energy_option
@download_option
@jobs_option
@unplugged_option
@wait_option
@wait_quiet_option
@results_option
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Finish the run in that folder.",
)
@trust_option
@click.option(
    "--retry-failed", is_flag=True, help="With --resume: repeat the trials that failed, too."
)
@click.option(
    "--debug-answers",
    is_flag=True,
    help="Of each variant whose answers on a device are not its file's, name the operator that "
    "differs.",
)
@click.option(
    "--profile",
    is_flag=True,
    help="Time each operator of each variant alone, too, and draw where the time goes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def run(
    what: tuple[Path, ...],
    data: str | None,
    task: str | None,
    student: str | None,
    teachers: tuple[str, ...],
    shapes: dict[str, tuple[int, ...]],
    signature: str | None,
    recipes: tuple[str, ...],
    blocks: int | None,
    seconds: float | None,
    sustained_minutes: float | None,
    threads: int | None,
    accelerator: Accelerator | None,
    cpus: tuple[int, ...] | None,
    seed: int | None,
    devices: tuple[str, ...],
    allow: tuple[DeviceCheck, ...],
    executor: str,
    binary: Path | None,
    energy: bool | None,
    downloads: tuple[str, ...],
    jobs: int,
    unplugged: bool,
    wait: float,
    wait_quiet: float,
    results: Path,
    resume: Path | None,
    retry_failed: bool,
    trust: bool,
    debug_answers: bool,
    profile: bool,
    as_json: bool,
) -> None:
    """Compress, measure and report: a suite, or model files.

    Without an argument it runs the quickstart suite. Of several model files the first is the
    baseline, the others are ready .tflite files to compare with it; files with other inputs or
    outputs are models of their own.

    Each variant's answers are measured on the device, too: their quality where --data has
    labels, their similarity to the baseline, and whether the device computes what the file says.

    \b
    Examples:
      mobilebench run suites/quickstart.toml
      mobilebench run suite.toml --blocks 12 --results /data/results
      mobilebench run model.keras --recipe float32 --recipe int8 --data data.npz
      mobilebench run old.tflite new.tflite --data eval.npz --json
      mobilebench run old.tflite new.tflite --data streets.py --task segmentation
      mobilebench run detector.tflite --input-shape 1,320,320,3
      mobilebench run suite.toml --device all
      mobilebench run suite.toml --device R5CT1234ABC --allow battery
      mobilebench run suite.toml --sustained-minutes 10
      mobilebench run suite.toml --executor benchmark_model --binary benchmark_model_arm64
      mobilebench run suite.toml --device 192.168.1.7:5555 --unplugged
      mobilebench run suite.toml --threads 2 --cpus 4,5
      mobilebench run suite.toml --device R5CT1234ABC --accelerator gpu
      mobilebench run suite.toml --device R5CT1234ABC --debug-answers
      mobilebench run suite.toml --device R5CT1234ABC --profile
      mobilebench run --resume results/20260131T120000Z-quickstart
      mobilebench run --resume results/20260131T120000Z-quickstart --retry-failed
    """
    from mobilebench import api
    from mobilebench.cli.terminal import RunDisplay, errors

    if (executor == "benchmark_model") != (binary is not None):
        raise BadInputError("--executor benchmark_model and --binary PATH go together")
    if binary and (energy or unplugged):
        raise BadInputError("benchmark_model measures no energy: leave --binary out")
    suites_own = (
        *(blocks, seconds, sustained_minutes, threads, accelerator, cpus, seed, energy),
        downloads or None,
    )
    of_files = (what, data, task, student, teachers, shapes, signature, recipes)
    given = any((*of_files, devices, allow, binary, unplugged, jobs > 1))
    if debug_answers and (as_json or binary):
        raise BadInputError(
            "--debug-answers prints tables, of agents: leave --json and --binary out "
            "(mobilebench inspect --debug-answers has --json)"
        )
    if profile and binary:
        raise BadInputError(
            "--profile times operators by the agent: leave --binary out "
            "(mobilebench inspect --time --binary uses benchmark_model's own profiler)"
        )
    if resume is not None and (given or any(v is not None for v in suites_own)):
        raise BadInputError("--resume goes on with the run's own suite; give it alone")
    if retry_failed and resume is None:
        raise BadInputError("--retry-failed repeats trials of an earlier run: name it by --resume")
    with (
        trusting(resume, trust),
        reporting_all_the_same(resume),
        RunDisplay(errors()) as display,
    ):
        if resume is None:
            display.prepare()
        done = api.run(
            what or None,
            results=results,
            devices=devices,
            recipes=recipes,
            data=data,
            task=task,
            student=student,
            teachers=teachers,
            shapes=shapes,
            signature=signature,
            blocks=blocks,
            seconds=seconds,
            sustained_minutes=sustained_minutes,
            threads=threads,
            accelerator=accelerator,
            cpus=cpus,
            seed=seed,
            energy=energy,
            downloads=downloads,
            jobs=jobs,
            allow=allow,
            unplugged=unplugged,
            binary=binary,
            resume=resume,
            retry_failed=retry_failed,
            wait_minutes=wait,
            wait_quiet_minutes=wait_quiet,
            progress=display,
            command=["mobilebench", *sys.argv[1:]],
        )
    if profile:
        _profile(done.path)
    if not debug_answers:
        conclude(done, as_json)
        return
    from mobilebench.cli.layer_parity import show_operators

    code = show_run(done)
    show_operators(done.path)
    if code:
        raise SystemExit(code)


def _profile(path: Path) -> None:
    """Times the operators of a run that has ended; its report will show them."""
    from mobilebench.cli.terminal import RunDisplay, quiet_libraries
    from mobilebench.runs.profile_run import profile_run
    from mobilebench.store.folder import RunFolder

    with quiet_libraries() as console, RunDisplay(console) as display:
        profile_run(RunFolder.open(path), display.profiling)

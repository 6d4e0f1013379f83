"""Make files without measuring them."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mobilebench.cli.options import (
    Command,
    data_option,
    seed_option,
    student_option,
    teacher_option,
)

_SOME_FAILED, _ALL_FAILED = 1, 2

_EXIT_CODES = """\b
Exit codes:
  0    every file was made
  1    some could not be made, and it says why
  2    wrong usage or bad input; none was made
  130  interrupted; what was finished is in the cache"""


@click.command(cls=Command, epilog=_EXIT_CODES)
@click.argument("model")
@click.argument("recipes", nargs=-1, required=True, metavar="RECIPE...")
@data_option
@student_option
@teacher_option
@seed_option
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder for the .tflite files.  [default: this one]",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
def compress(
    model: str,
    recipes: tuple[str, ...],
    data: str | None,
    student: str | None,
    teachers: tuple[str, ...],
    seed: int,
    into: Path,
    as_json: bool,
) -> None:
    """Make a smaller .tflite of MODEL for each RECIPE, without measuring it.

    MODEL is zoo:NAME, a .keras file, a SavedModel folder or a .tflite file. A recipe is a chain
    of steps, joined by → or ->.

    \b
    Examples:
      mobilebench compress zoo:lenet-5 float32 "prune(0.8) -> int8"
      mobilebench compress model.keras "int8(samples=500)" --data data.npz --into out
      mobilebench compress zoo:digits-teacher "distill(T=4, alpha=0.7) -> int8" \\
          --student zoo:digits-student
    """
    from rich.console import Console

    from mobilebench.cli.terminal import RunDisplay, output
    from mobilebench.runs.compress_files import make_files

    settings = {"data": data, "student": student, "teachers": list(teachers)}
    with RunDisplay(Console(stderr=True)) as display:
        display.prepare()
        products = make_files(model, recipes, settings, seed, into, display.compressing)
    if as_json:
        click.echo(json.dumps(products.as_json(), indent=2, ensure_ascii=False))
    else:
        products.show(output())
    if products.failures:
        raise SystemExit(_SOME_FAILED if products.files else _ALL_FAILED)

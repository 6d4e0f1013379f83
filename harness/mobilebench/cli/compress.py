"""Make files without measuring them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobilebench.cli.options import (
    Command,
    data_option,
    download_option,
    echo_json,
    jobs_option,
    seed_option,
    shape_option,
    signature_option,
    student_option,
    teacher_option,
)

if TYPE_CHECKING:
    from rich.console import Console

    from mobilebench.compress.artifact import Artifact, Failure

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
@shape_option
@signature_option
@seed_option
@download_option
@jobs_option
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
    shapes: dict[str, tuple[int, ...]],
    signature: str | None,
    seed: int,
    downloads: tuple[str, ...],
    jobs: int,
    into: Path,
    as_json: bool,
) -> None:
    """Make a smaller .tflite of MODEL for each RECIPE, without measuring it.

    MODEL is zoo:NAME, a .keras or .h5 file, a SavedModel folder or a .tflite file. A recipe is a
    chain of steps, joined by → or ->.

    \b
    Examples:
      mobilebench compress zoo:lenet-5 float32 "prune(0.8) -> int8"
      mobilebench compress model.keras "int8(samples=500)" --data data.npz --into out
      mobilebench compress zoo:digits-teacher "distill(T=4, alpha=0.7) -> int8" \\
          --student zoo:digits-student
    """
    from mobilebench import api
    from mobilebench.cli.terminal import RunDisplay, errors, output
    from mobilebench.compress.artifact import Artifact

    with RunDisplay(errors()) as display:
        display.prepare()
        made = api.compress(
            model,
            *recipes,
            data=data,
            student=student,
            teachers=teachers,
            shapes=shapes,
            signature=signature,
            seed=seed,
            downloads=downloads,
            jobs=jobs,
            into=into,
            progress=display,
        )
    files = [one for one in made if isinstance(one, Artifact)]
    failures = [one for one in made if not isinstance(one, Artifact)]
    if as_json:
        echo_json(document(files, failures))
    else:
        show(output(), files, failures)
    if failures:
        raise SystemExit(_SOME_FAILED if files else _ALL_FAILED)


def document(files: Iterable[Artifact], failures: Iterable[Failure]) -> dict[str, Any]:
    """For a machine: each file with its sizes and provenance."""
    from mobilebench.records.sizes import FILE

    return {
        "files": [
            {
                "path": str(made.path),
                "recipe": made.recipe,
                "sha256": made.sha256,
                **{
                    "bytes" if name == FILE else f"{name}_bytes": size
                    for name, size in made.sizes.items()
                },
                "warnings": list(made.warnings),
                "provenance": dict(made.provenance),
            }
            for made in files
        ],
        "failures": [vars(failure) for failure in failures],
    }


def show(console: Console, files: Sequence[Artifact], failures: Iterable[Failure]) -> None:
    """For a person: a table of sizes, then each file with its warnings, then the failures.

    What is to be said of every file is said once.
    """
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from mobilebench.records.sizes import FILE

    def indented(text: Text) -> Padding:
        return Padding(text, (0, 0, 0, 2), expand=False)

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("recipe", overflow="fold")
    packings = list(dict.fromkeys(name for made in files for name in made.sizes))
    for name in packings:
        table.add_column("bytes" if name == FILE else name, justify="right", no_wrap=True)
    for made in files:
        table.add_row(Text(made.recipe), *(f"{made.sizes[name]:,}" for name in packings))
    if files:
        console.print(table, Text())
    all_warnings = [made.warnings for made in files]
    shared = set.intersection(*map(set, all_warnings)) if len(all_warnings) > 1 else set()
    for made in files:
        console.print(Text(str(made.path)), soft_wrap=True)  # to be copied whole
        for warning in made.warnings:
            if warning not in shared:
                console.print(indented(Text(f"warning: {warning}", style="yellow")))
    for warning in sorted(shared):
        console.print(Text(f"warning, of all: {warning}", style="yellow"))
    for failure in failures:
        console.print(Text.assemble(("not made", "bold red"), f" {failure.recipe}"))
        known = failure.step == failure.recipe or failure.reason.startswith(failure.step)
        step = "" if known else f"{failure.step}: "
        console.print(indented(Text(f"{step}{failure.reason}")))

"""What is in a model, and what changed between two."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mobilebench.cli.options import Command, shape_option, signature_option
from mobilebench.errors import BadInputError


@click.command(cls=Command)
@click.argument("model")
@click.argument("other", required=False)
@click.option(
    "--time",
    "timed",
    is_flag=True,
    help="Time each operator that multiplies, alone, on this machine.",
)
@shape_option
@signature_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def inspect(
    model: str,
    other: str | None,
    timed: bool,
    shapes: dict[str, tuple[int, ...]],
    signature: str | None,
    as_json: bool,
) -> None:
    """Show a model's layers: shapes, weights, work, zeros, and how they are stored.

    MODEL is a .tflite file, or what becomes one: a .keras file, a SavedModel folder, zoo:NAME.
    With OTHER it shows what is different there, layer by layer.

    \b
    Examples:
      mobilebench inspect model.tflite
      mobilebench inspect model.tflite --time
      mobilebench inspect model.keras pruned.tflite
      mobilebench inspect detector.tflite --input-shape 1,320,320,3
      mobilebench inspect zoo:lenet-5 --json
    """
    from rich.console import Console

    from mobilebench.cli.terminal import RunDisplay, output, quiet_libraries
    from mobilebench.runs.compress_files import tflite_of
    from mobilebench.tflite import entry, interface
    from mobilebench.tflite import inspect as inspection
    from mobilebench.tflite.inspect import alone, show

    if timed and other is not None:
        raise BadInputError("--time looks at one model; leave OTHER out")
    with RunDisplay(Console(stderr=True)) as display:
        if any(m and not m.endswith(".tflite") for m in (model, other)):
            display.prepare()
        contents = [
            (
                name,
                entry.enter(
                    tflite_of(name, display.compressing),
                    name,
                    signature=signature,
                    shapes=shapes,
                    ready=name != model,
                ),
            )
            for name in filter(None, (model, other))
        ]
    for name, content in contents:
        if said := entry.not_chosen(content, name):
            click.echo(f"{Path(name).name}: {said}", err=True)
    first, *rest = (inspection.read(content, Path(name).name) for name, content in contents)
    times = None
    if timed:
        entry.require_fixed(interface.read(contents[0][1], model), model)
        chosen = {la.index: la.operator for la in first.layers if la.macs}
        with quiet_libraries() as console, RunDisplay(console) as display:
            times = alone.time_alone(contents[0][1], chosen, display.timing)
    if not rest:
        if as_json:
            document = {**first.as_json(), "time_alone_ns": times}
            click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        else:
            output().print(show.one(first, times))
        return
    changed = inspection.changes(first, rest[0])
    if as_json:
        from dataclasses import asdict

        both = {
            "before": first.as_json(),
            "after": rest[0].as_json(),
            "changes": [asdict(change) for change in changed if change.is_one],
        }
        click.echo(json.dumps(both, indent=2, ensure_ascii=False))
    else:
        output().print(show.two(first, rest[0], changed))

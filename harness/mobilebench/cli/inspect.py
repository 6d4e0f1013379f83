"""What is in a model, and what changed between two."""

from __future__ import annotations

from pathlib import Path

import click

from mobilebench.cli.options import (
    Command,
    data_option,
    device_option,
    echo_json,
    shape_option,
    signature_option,
)
from mobilebench.errors import BadInputError, InvalidRunError

_EXIT_CODES = """\b
Exit codes:
  0    done; with --debug-answers: no operator differs by more than it may
  2    wrong usage or bad input
  4    with --debug-answers: a device computes something else than the file says, or
       cannot run it"""


@click.command(cls=Command, epilog=_EXIT_CODES)
@click.argument("model")
@click.argument("other", required=False)
@click.option(
    "--time",
    "timed",
    is_flag=True,
    help="Time each operator that multiplies, alone, on this machine.",
)
@click.option(
    "--debug-answers",
    is_flag=True,
    help="Compare each operator on a device with the plain kernels of this machine, and name the "
    "first that differs.",
)
@device_option
@click.option(
    "--accelerator",
    type=click.Choice(["cpu", "gpu", "nnapi"]),
    help="What runs the model with --debug-answers; else the CPU.",
)
@data_option
@shape_option
@signature_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def inspect(
    model: str,
    other: str | None,
    timed: bool,
    debug_answers: bool,
    devices: tuple[str, ...],
    accelerator: str | None,
    data: str | None,
    shapes: dict[str, tuple[int, ...]],
    signature: str | None,
    as_json: bool,
) -> None:
    """Show a model's layers: shapes, weights, work, zeros, and how they are stored.

    MODEL is a .tflite file, or what becomes one: a .keras file, a SavedModel folder, zoo:NAME.
    With OTHER it shows what is different there, layer by layer.

    With --debug-answers each operator is run on a device twice, with all before it and by itself,
    and its output compared with that of this machine's plain kernels, on the data or seeded noise.

    \b
    Examples:
      mobilebench inspect model.tflite
      mobilebench inspect model.tflite --time
      mobilebench inspect model.tflite --debug-answers --device R5CT1234ABC --data eval.npz
      mobilebench inspect model.keras pruned.tflite
      mobilebench inspect detector.tflite --input-shape 1,320,320,3
      mobilebench inspect zoo:lenet-5 --json
    """
    from mobilebench.cli.terminal import RunDisplay, errors, output, quiet_libraries
    from mobilebench.runs.compress_files import tflite_of
    from mobilebench.tflite import entry, hybrid, interface
    from mobilebench.tflite import inspect as inspection
    from mobilebench.tflite.inspect import alone, show

    if timed and other is not None:
        raise BadInputError("--time looks at one model; leave OTHER out")
    _ensure_together(debug_answers, bool(timed or other), bool(devices or accelerator or data))
    with RunDisplay(errors()) as display:
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
        for said in filter(
            None, (entry.not_chosen(content, name), *hybrid.warnings(content, name))
        ):
            click.echo(f"{Path(name).name}: {said}", err=True)
    if debug_answers:
        _debug_answers(contents[0][1], model, data, devices, accelerator, as_json)
        return
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
            echo_json(document)
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
        echo_json(both)
    else:
        output().print(show.two(first, rest[0], changed))


def _ensure_together(debug_answers: bool, others: bool, settings: bool) -> None:
    if debug_answers and others:
        raise BadInputError("--debug-answers looks at one model; leave OTHER and --time out")
    if settings and not debug_answers:
        raise BadInputError("--device, --accelerator and --data go with --debug-answers")


def _debug_answers(
    content: bytes,
    model: str,
    data: str | None,
    devices: tuple[str, ...],
    accelerator: str | None,
    as_json: bool,
) -> None:
    from dataclasses import asdict

    from mobilebench.cli import layer_parity
    from mobilebench.cli.terminal import RunDisplay, output, quiet_libraries
    from mobilebench.records.runtime import Runtime

    runtime = Runtime.model_validate({"name": "debug", "accelerator": accelerator or "cpu"})
    with quiet_libraries() as console, RunDisplay(console) as display:
        found = layer_parity.debug_answers(content, model, data, devices, runtime, display)
    if as_json:
        document = {"model": Path(model).name, "devices": [asdict(each) for each in found]}
        echo_json(document)
    else:
        for each in found:
            output().print(layer_parity.shown(each), highlight=False)
    if any(each.differs for each in found):
        raise SystemExit(InvalidRunError.exit_code)

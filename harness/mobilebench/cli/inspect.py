"""What is in a model, and what changed between two."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

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
from mobilebench.records.runtime import Accelerator

if TYPE_CHECKING:
    from mobilebench.records.runtime import Runtime
    from mobilebench.tflite.inspect import ModelFacts

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
    help="Time each operator alone: on this machine those that multiply, in a few seconds; with "
    "--device all, a trial each.",
)
@click.option(
    "--binary",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Have --time use the profiler of TensorFlow's benchmark_model, built for the device.",
)
@click.option(
    "--node-data",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the times of --time for Model Explorer.",
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
    type=click.Choice(get_args(Accelerator)),
    help="What runs the model with --debug-answers or --time; else the CPU.",
)
@data_option
@shape_option
@signature_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def inspect(
    model: str,
    other: str | None,
    timed: bool,
    binary: Path | None,
    node_data: Path | None,
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

    With --time --device each distinct operator is run alone on a device, as an ordinary trial: its
    share of the time, what runs it there (a delegate or the CPU's kernels), and its work a byte.

    With --debug-answers each operator is run on a device twice, with all before it and by itself,
    and its output compared with that of this machine's plain kernels, on the data or seeded noise.

    \b
    Examples:
      mobilebench inspect model.tflite
      mobilebench inspect model.tflite --time
      mobilebench inspect model.tflite --time --device R5CT1234ABC --accelerator gpu
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

    on_device = bool(devices or accelerator or binary)
    _ensure_together(other, timed, debug_answers, on_device, data, binary or node_data)
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
    if timed and on_device:
        _time_on_devices(contents[0][1], model, devices, accelerator, binary, node_data, as_json)
        return
    first, *rest = (inspection.read(content, Path(name).name) for name, content in contents)
    times = None
    if timed:
        entry.require_fixed(interface.read(contents[0][1], model), model)
        chosen = {la.index: la.operator for la in first.layers if la.macs}
        with quiet_libraries() as console, RunDisplay(console) as display:
            times = alone.time_alone(contents[0][1], chosen, display.timing)
        if node_data is not None:
            _write_alone(node_data, first, times)
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


def _ensure_together(
    other: str | None,
    timed: bool,
    debug_answers: bool,
    on_device: bool,
    data: str | None,
    of_time: Path | None,
) -> None:
    if timed and other is not None:
        raise BadInputError("--time looks at one model; leave OTHER out")
    if of_time is not None and not timed:
        raise BadInputError("--node-data and --binary go with --time: give that, too")
    if debug_answers and (timed or other):
        raise BadInputError("--debug-answers looks at one model; leave OTHER and --time out")
    if on_device and not (debug_answers or timed):
        raise BadInputError("--device and --accelerator go with --debug-answers or --time")
    if data is not None and not debug_answers:
        raise BadInputError("--data goes with --debug-answers")


def _runtime(accelerator: str | None) -> Runtime:
    from mobilebench.records.runtime import Runtime

    return Runtime.model_validate({"name": "inspect", "accelerator": accelerator or "cpu"})


def _time_on_devices(
    content: bytes,
    model: str,
    devices: tuple[str, ...],
    accelerator: str | None,
    binary: Path | None,
    node_data: Path | None,
    as_json: bool,
) -> None:
    from mobilebench.cli import operator_times
    from mobilebench.cli.terminal import RunDisplay, output, quiet_libraries
    from mobilebench.tflite import entry, interface

    if node_data is not None and (len(devices) > 1 or "all" in devices):
        raise BadInputError("--node-data is of one device: name one with --device")
    entry.require_fixed(interface.read(content, model), model)
    with quiet_libraries() as console, RunDisplay(console) as display:
        found = operator_times.time_operators(
            content, model, devices, _runtime(accelerator), display, binary
        )
    if node_data is not None:
        operator_times.write_node_data(node_data, found[0])
    if as_json:
        document = {"model": Path(model).name, "devices": [each.as_json() for each in found]}
        echo_json(document)
        return
    for each in found:
        output().print(operator_times.shown(each), highlight=False)


def _write_alone(path: Path, facts: ModelFacts, times: dict[int, int | None]) -> None:
    from mobilebench.cli.operator_times import node_data, write_json

    names = {layer.index: layer.name for layer in facts.layers}
    values = {names[i]: t / 1000 for i, t in times.items() if t is not None and names.get(i)}
    write_json(path, node_data(values, "time alone (µs), this machine"))


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

    with quiet_libraries() as console, RunDisplay(console) as display:
        found = layer_parity.debug_answers(
            content, model, data, devices, _runtime(accelerator), display
        )
    if as_json:
        document = {"model": Path(model).name, "devices": [asdict(each) for each in found]}
        echo_json(document)
    else:
        for each in found:
            output().print(layer_parity.shown(each), highlight=False)
    if any(each.differs for each in found):
        raise SystemExit(InvalidRunError.exit_code)

"""How sensitive each layer is to pruning."""

from __future__ import annotations

import click

from mobilebench.cli.options import Command, data_option, echo_json, seed_option


@click.command(cls=Command)
@click.argument("model")
@data_option
@click.option(
    "--sparsity",
    type=click.FloatRange(0, 0.99, min_open=True),
    default=0.8,
    show_default=True,
    help="The share of zeros in the whole network that the rates add up to.",
)
@click.option(
    "--importance",
    type=click.Choice(["magnitude", "taylor"]),
    default="magnitude",
    show_default=True,
    help="What goes first: small weights, or those that the loss hardly depends on.",
)
@click.option(
    "--pattern", type=click.Choice(["1x4", "1x16", "16x1"]), help="Blocks, outputs x inputs."
)
@seed_option
@click.option("--json", "as_json", is_flag=True, help="Print the curves and the rates as JSON.")
def sensitivity(
    model: str,
    data: str | None,
    sparsity: float,
    importance: str,
    pattern: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Show how much pruning each layer of MODEL bears, and which rates meet a budget.

    MODEL is a .keras file or zoo:NAME. One layer at a time is pruned, without retraining, and the
    accuracy is read on a tenth of the training data. The rates are those that
    prune(SPARSITY, scope=sensitivity) takes.

    \b
    Examples:
      mobilebench sensitivity zoo:lenet-5
      mobilebench sensitivity model.keras --data data.npz --sparsity 0.9
      mobilebench sensitivity zoo:lenet-5 --importance taylor --pattern 1x4 --json
    """
    from mobilebench.cli.terminal import RunDisplay, errors, output
    from mobilebench.runs.layer_sensitivity import as_table, scan_layers

    with RunDisplay(errors()) as display:
        display.prepare()
        document = scan_layers(
            model,
            data,
            sparsity=sparsity,
            importance=importance,
            pattern=pattern,
            seed=seed,
            on_progress=display.compressing,
        )
    if as_json:
        echo_json(document)
    else:
        output().print(as_table(document))

"""The command group: what ``connector --help`` lists."""

from __future__ import annotations

import click

from connector.app.examples import examples
from connector.app.lazy_group import LazyGroup, Listed

LISTED = {
    "account": Listed(
        "connector.app.trading.account_command:account",
        "Watch an account: holdings, orders, fills.",
    ),
    "book": Listed(
        "connector.app.books.book_command:book", "Watch a local order book in the terminal."
    ),
    "candles": Listed(
        "connector.app.recordings.candles_command:candles_command",
        "Fetch the candles of a span into a file.",
    ),
    "channels": Listed(
        "connector.app.channels_command:channels_command", "List the channels of an exchange."
    ),
    "check": Listed(
        "connector.app.running.run_command:check", "Find every mistake in a configuration."
    ),
    "completion": Listed(
        "connector.app.completion_command:completion_command",
        "Print the script that lets a shell complete commands.",
    ),
    "demo": Listed(
        "connector.app.demo.demo_command:demo", "Watch an adapter survive a hostile exchange."
    ),
    "export": Listed(
        "connector.app.recordings.export_command:export_command",
        "Write recordings as Parquet tables.",
    ),
    "import": Listed(
        "connector.app.recordings.import_command:import_command",
        "Turn captures of other programs into recordings.",
    ),
    "instruments": Listed(
        "connector.app.instruments_command:instruments_command",
        "List what can be traded at an exchange.",
    ),
    "plot": Listed(
        "connector.app.recordings.plot_command:plot_command", "Draw a first look at a recording."
    ),
    "record": Listed(
        "connector.app.recordings.record_command:record_command",
        "Record what an exchange sends into files.",
    ),
    "replay": Listed(
        "connector.app.recordings.replay_command:replay_command",
        "Play recordings, as events or as an exchange.",
    ),
    "run": Listed(
        "connector.app.running.run_command:run", "Run a configuration: exchanges into sinks."
    ),
    "soak": Listed(
        "connector.app.soaking.soak_command:soak",
        "Look for growth under random faults, for minutes or days.",
    ),
    "stop": Listed(
        "connector.app.trading.stop_command:stop",
        "Cancel every open order of an account, from outside.",
    ),
    "top": Listed(
        "connector.app.running.top_command:top_command", "Watch a running program in the terminal."
    ),
    "verify": Listed(
        "connector.app.recordings.verify_command:verify_command", "Check that recordings are whole."
    ),
}
"""The commands. Each is imported when it runs, so what it needs costs the others nothing."""


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from connector.app.build import describe_build  # noqa: PLC0415 - imports the rooms

        click.echo(describe_build())
        ctx.exit()


@click.group(
    cls=LazyGroup,
    listed=LISTED,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("demo", "book ETHUSDC --simulate", "record --help"),
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def group() -> None:
    """Exchange connections for trio applications that cannot leak."""

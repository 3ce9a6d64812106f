"""The command group: what ``connector --help`` lists."""

from __future__ import annotations

import click

from connector._version import __version__
from connector.app.books.book_command import book
from connector.app.build import describe_build
from connector.app.channels_command import channels_command
from connector.app.completion_command import completion_command
from connector.app.demo.demo_command import demo
from connector.app.endings import Commands
from connector.app.instruments_command import instruments_command
from connector.app.options import epilog
from connector.app.recordings.candles_command import candles_command
from connector.app.recordings.export_command import export_command
from connector.app.recordings.import_command import import_command
from connector.app.recordings.plot_command import plot_command
from connector.app.recordings.record_command import record_command
from connector.app.recordings.replay_command import replay_command
from connector.app.recordings.verify_command import verify_command
from connector.app.running.run_command import check, run
from connector.app.running.top_command import top_command
from connector.app.soaking.soak_command import soak
from connector.app.trading.account_command import account
from connector.app.trading.stop_command import stop


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=epilog("demo", "book ETHUSDC --simulate", "record --help"),
)
@click.version_option(__version__, prog_name="connector", message=describe_build())
def group() -> None:
    """Exchange connections for trio applications that cannot leak."""


for command in (
    account,
    book,
    candles_command,
    channels_command,
    check,
    completion_command,
    demo,
    export_command,
    import_command,
    instruments_command,
    plot_command,
    record_command,
    replay_command,
    run,
    soak,
    stop,
    top_command,
    verify_command,
):
    group.add_command(command)
del command

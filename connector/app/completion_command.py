"""``connector completion``: print the script that lets a shell complete the command line."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from connector.app.options import epilog

SHELLS: dict[str, type[ShellComplete]] = {
    "bash": BashComplete,
    "zsh": ZshComplete,
    "fish": FishComplete,
}
WITHOUT_BLANK = {
    "    return 0\n": (
        "    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *: ]] && compopt -o nospace\n"
        "    return 0\n"
    ),
    "        compadd -U -V unsorted -a completions\n": (
        "        if [[ ${completions[1]} == *: ]]; then\n"
        "            compadd -S '' -U -V unsorted -a completions\n"
        "        else\n"
        "            compadd -U -V unsorted -a completions\n"
        "        fi\n"
    ),
}
"""Lines of bash and zsh, and those that add no blank behind a colon. fish adds none by itself."""
PROGRAM, VARIABLE = "connector", "_CONNECTOR_COMPLETE"


@click.command(
    "completion",
    short_help="Print the script that lets a shell complete commands.",
    epilog=epilog(
        "completion bash >> ~/.bash_completion",
        "completion zsh > ~/.zfunc/_connector",
        "completion fish > ~/.config/fish/completions/connector.fish",
    ),
)
@click.argument("shell", metavar="SHELL", type=click.Choice(list(SHELLS)))
@click.pass_context
def completion_command(context: click.Context, shell: str) -> None:
    """Print the completion script for SHELL: bash (4.4 or newer), zsh or fish.

    The shell then completes commands, options, exchanges and channels with the Tab key. Write the
    script where your shell looks for completions, and start a new shell.
    """
    kind = SHELLS[shell]
    made = kind(context.find_root().command, {}, PROGRAM, VARIABLE)
    # Not its own `source`, which asks the bash of this machine for its version.
    script = made.source_template % made.source_vars()
    for line, better in WITHOUT_BLANK.items():
        script = script.replace(line, better)
    click.echo(script)

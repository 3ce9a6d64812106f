"""The entry point of the ``connector`` command; says what to install when the extra is missing."""

from __future__ import annotations

import sys

from connector.app.characters import write_plainly
from connector.app.interruption import INTERRUPTED, leave_on_interrupt

EXTRA = frozenset({"click", "rich", "trustme"})


def main() -> None:
    """Run the command line."""
    write_plainly((sys.stdout, sys.stderr))
    if sys.argv[1:] == ["--version"]:  # needs no extra
        from connector.app.build import describe_build  # noqa: PLC0415 - as below

        print(describe_build())
        return
    try:
        with leave_on_interrupt():
            from connector.app.commands import group  # noqa: PLC0415 - the extra may be missing

        group(prog_name="connector")
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package not in EXTRA:
            raise
        sys.exit(
            f"connector: the command line needs {package!r}; install it with: "
            'python -m pip install "trio-connector[cli]"'
        )
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)

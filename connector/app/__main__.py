"""``python -m connector.app``: the command line without its entry point."""

from connector.app.cli import main

main()

"""``python -m connector``: the command line without its entry point."""

from connector.app.cli import main

if __name__ == "__main__":
    main()

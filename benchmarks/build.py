"""Warn whoever measures if the compiled part of `connector` is missing or out of date."""

from __future__ import annotations

import os
import sys

from connector.transport.compiled import EXTENSION


def warn_if_not_compiled() -> None:
    """Write a warning to stderr if the loops in Python would be measured unasked.

    A checkout from which Python imports keeps its compiled part when the source in C changes;
    then it is not used.
    """
    if EXTENSION is None and not os.environ.get("CONNECTOR_NO_EXTENSION"):
        print(
            "warning: the hot loops of connector are not compiled here, or were compiled from "
            "older source; install it again to measure them",
            file=sys.stderr,
        )

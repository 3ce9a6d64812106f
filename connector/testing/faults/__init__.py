"""Faults as data: kind, time and affected connections; and the wrong bytes that some send."""

"""Faults as data: what goes wrong, when and for whom; and the wrong bytes that some send."""

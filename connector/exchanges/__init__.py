"""The exchanges: pure descriptions of venues, one folder each; no I/O in here."""

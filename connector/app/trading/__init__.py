"""Accounts on the command line: stop, and watch.

`access` says which exchange, with which key, real or simulated. A module ``…_command`` reads the
options of one command; the others do its work.
"""

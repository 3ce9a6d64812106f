"""Recordings on the command line: record, verify, replay, import, export, plot.

A module ``…_command`` reads the options of one command; the others do its work.
"""

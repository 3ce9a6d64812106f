"""Accounts with one mistake each, as the connectors of others make them: each must be found.

A specimen is this library's own account with one of its precautions taken away. So the judge is
tested, and that the precaution is needed.
"""

"""The command line: ``connector demo``. Needs the extra ``cli``."""

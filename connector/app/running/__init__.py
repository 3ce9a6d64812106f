"""``connector run``: a configuration as a running thing that follows its file."""

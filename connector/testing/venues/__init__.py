"""The rules of the simulated venues, as tables with their sources."""

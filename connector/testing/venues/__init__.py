"""What the simulated venues allow and demand, as tables with their sources."""

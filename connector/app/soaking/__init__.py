"""``connector soak``: hours of random faults on real sockets, and nothing may grow."""

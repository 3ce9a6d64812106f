"""``connector soak``: run hours of random faults on real sockets, and check that nothing grows."""

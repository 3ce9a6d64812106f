"""One script per client; each prints its figures as JSON."""

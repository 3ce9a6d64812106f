"""The version, said once: the distribution, the user agent and `connector.__version__` read it."""

__version__ = "0.1.0"

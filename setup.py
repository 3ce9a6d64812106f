"""The part of the package that is compiled; everything else is in pyproject.toml."""

from setuptools import Extension, setup

# Without a C compiler the package is installed all the same: connector/transport/compiled.py.
setup(
    ext_modules=[
        Extension(
            "connector.transport._speedups", ["connector/transport/_speedups.c"], optional=True
        )
    ]
)

"""The part of the package that is compiled; everything else is in pyproject.toml."""

import sys
import sysconfig

from setuptools import Extension, setup

# From 3.12 on, the stable ABI has all that it calls: one wheel serves every newer version, except
# those without a GIL, which have no stable ABI.
STABLE_ABI = (
    sys.implementation.name == "cpython"
    and sys.version_info >= (3, 12)
    and not sysconfig.get_config_var("Py_GIL_DISABLED")
)

# Without a C compiler the package is installed all the same: connector/transport/compiled.py.
setup(
    ext_modules=[
        Extension(
            name,
            [name.replace(".", "/") + ".c"],
            define_macros=[("Py_LIMITED_API", "0x030C0000")] if STABLE_ABI else [],
            py_limited_api=STABLE_ABI,
            optional=True,
        )
        for name in (
            "connector.transport._speedups",
            "connector.book._rows",
            "connector.exchanges._usual_json",
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp312"}} if STABLE_ABI else {},
)

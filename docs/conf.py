"""How the documentation is built: `nox -s docs`."""

import re

from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import GoogleDocstring

from connector import channels, errors, events
from connector._version import __version__

# Imported for type checkers alone where they are used, but the signatures name them.
for module in (events, errors):
    module.AnyChannel = channels.AnyChannel

project = "connector"
author = "The connector authors"
copyright = f"2026, {author}"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinxcontrib_trio",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"connector {release}"
html_static_path = ["_static"]

nitpicky = False
default_role = "any"
# In a docstring `this` is code; where it is also a name that Sphinx knows it becomes a link.
suppress_warnings = ["ref.any"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {
    name: name
    for name in ("Exact", "Kind", "Leg", "OrderState", "QuantityUnit", "Side", "TimeInForce")
}
"""Types that a signature shows by their name, instead of all their values."""
napoleon_google_docstring = True
napoleon_numpy_docstring = False
myst_heading_anchors = 3


def parse_as_of_a_function(self: GoogleDocstring) -> list[str]:
    """Read the docstring of an attribute or a property as every other.

    To napoleon, "Whether it is over: …" would be the type "Whether it is over", and the "Raises:"
    of a property would be text.
    """
    self._what = "function"
    self._parse()
    lines, self._parsed_lines = self._parsed_lines, []
    return list(lines)


GoogleDocstring._parse_attribute_docstring = parse_as_of_a_function


CREATED = re.compile(r"Made by `|` creates? (it|them)\.")
"""How a docstring says that a program never makes the object itself."""


def hide_constructor(  # noqa: PLR0917
    app: Sphinx, what: str, name: str, object_: object, options: object, signature: str, result: str
) -> tuple[str, str] | None:
    """Show no arguments of what a program never makes itself, and defaults as they are written."""
    is_protocol = what == "class" and getattr(object_, "_is_protocol", False)
    if is_protocol or (what == "class" and CREATED.search(getattr(object_, "__doc__", None) or "")):
        return "", result
    return None if signature is None else (DEFAULT_CLASS.sub(r"\1", signature), result)


DEFAULT_CLASS = re.compile(r"<class '(?:\w+\.)*(\w+)'>")
"""How `inspect` writes a class that is the default of an argument."""
SOURCE = re.compile(r" \((?:\w+ )?§[^()]*(?:\(\d+\)[^()]*)*\)")
"""Where a fact is from, such as ``(binance_usdm §3)``: for those who change the code."""


def hide_sources(  # noqa: PLR0917
    app: Sphinx, what: str, name: str, object_: object, options: object, lines: list[str]
) -> None:
    """Show no references to notes that a reader does not have, and not the docs of `str`."""
    if what == "data" and isinstance(object_, str):
        lines.clear()
    text = "\n".join(lines)
    lines[:] = SOURCE.sub("", text).split("\n")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", hide_constructor)
    app.connect("autodoc-process-docstring", hide_sources)

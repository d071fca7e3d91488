"""Sphinx configuration. ``python -m pydl._dev.docs docs/reference --support && sphinx-build -W docs build-docs``."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

project = "pydl"
author = "the pydl authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["README.md"]
# Single backticks in docstrings are code.
default_role = "code"
autodoc_typehints = "none"
# The bundled theme without a navigation tree: with a thousand pages, a tree on each takes most of the time.
html_theme = "alabaster"
html_sidebars = {"**": ["about.html", "searchfield.html", "relations.html"]}
html_copy_source = False
html_title = "pydl"


def setup(app):
    from pydl._dev.docs import escape_lines

    # Before napoleon (500) reads the sections.
    app.connect("autodoc-process-docstring", lambda app, what, name, obj, options, lines: escape_lines(lines), 400)

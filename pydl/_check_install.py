"""Detects the other distribution that installs an import package of this name."""

from __future__ import annotations

import os

# Files that PyDL (IDL routines for astronomy, "pydl" on PyPI) puts into the same folder.
_FOREIGN_FILES = ("goddard", "pydlutils", "pydlspec2d", "photoop", "median.py")


def check_install(folder: str | None = None) -> None:
    """Raise ImportError if files of the astronomy package PyDL lie among ours.

    Both distributions install a package called ``pydl``; pip lets the second overwrite the first without a word.

    Example:
        >>> import pydl
        >>> pydl._check_install.check_install()
    """
    here = folder or os.path.dirname(__file__)
    found = [name for name in _FOREIGN_FILES if os.path.exists(os.path.join(here, name))]
    if found:
        raise ImportError(
            "the folder of the package 'pydl' also holds files of the astronomy package PyDL "
            f"({', '.join(found)}). Both install the import name 'pydl': "
            "run 'pip uninstall pydl pydl-nn' and then 'pip install pydl-nn'."
        )

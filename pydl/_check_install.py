"""What has to happen before the compiled module is loaded."""

from __future__ import annotations

import os
from collections.abc import Callable

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


# libgomp's idle workers spin for 300,000 pauses (about 15 ms on current processors) before they sleep. Where the
# machine has other work to do, that burns the cores others wait for; 2,000 pauses (0.1 ms) still bridge the gaps
# within a training step.
_SPIN = "2000"


def calm_openmp() -> Callable[[], None]:
    """Set the spin count that libgomp reads when it is loaded, unless the user chose one; the result undoes it."""
    if "GOMP_SPINCOUNT" in os.environ or "OMP_WAIT_POLICY" in os.environ:
        return lambda: None
    os.environ["GOMP_SPINCOUNT"] = _SPIN

    def restore() -> None:
        os.environ.pop("GOMP_SPINCOUNT", None)

    return restore

"""One module, however it is named: after ``sys.modules["torch"] = pydl`` the name ``torch.nn`` is `pydl.nn` itself.

Without this the import system would load pydl's files a second time under the other name, with classes that are not
those of pydl.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any


class _Loader:
    """Gives the module that is there already."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__

    def create_module(self, spec: Any) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec  # the import system has put the other name's there


class AliasFinder:
    """Finds submodules of names under which pydl, or a package of it, was put into `sys.modules`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        parent, _, last = fullname.rpartition(".")
        if not parent or fullname.startswith("pydl."):
            return None
        real = getattr(sys.modules.get(parent), "__name__", "")
        if real == parent or not (real == "pydl" or real.startswith("pydl.")):
            return None
        try:
            module = importlib.import_module(f"{real}.{last}")
        except ModuleNotFoundError as error:
            if error.name == f"{real}.{last}":
                return None
            raise
        return importlib.machinery.ModuleSpec(fullname, _Loader(module))  # type: ignore[arg-type]


def install() -> None:
    """Once for the process, in front of the finder of files."""
    if not any(type(finder).__name__ == "AliasFinder" for finder in sys.meta_path):
        sys.meta_path.insert(0, AliasFinder())  # type: ignore[arg-type]

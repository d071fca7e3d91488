"""What makes other libraries know pydl's tensors; nothing is imported before the other library is."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

_BACKENDS = "einops._backends"


class _AfterEinops:
    """Finds einops' module of backends as the other finders do, and adds pydl's backend when it has been run."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != _BACKENDS:
            return None
        sys.meta_path.remove(self)  # type: ignore[arg-type]
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        run = spec.loader.exec_module

        def run_and_register(module: Any) -> None:
            run(module)
            from pydl._interop import _einops  # noqa: F401

        spec.loader.exec_module = run_and_register  # type: ignore[method-assign]
        return spec


def connect() -> None:
    """einops keeps a list of backends, one for each tensor library that it knows: put pydl on it, now or later."""
    if _BACKENDS in sys.modules:
        from pydl._interop import _einops  # noqa: F401
    else:
        sys.meta_path.insert(0, _AfterEinops())  # type: ignore[arg-type]

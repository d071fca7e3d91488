"""One line about the machine that a table was made on."""

from __future__ import annotations

import importlib.metadata
import platform


def machine_line() -> str:
    """Processor, versions."""
    import pydl

    c = pydl.show_config(mode="dicts")
    assert c is not None
    torch = importlib.metadata.version("torch")
    return (
        f"{c['cpu'].strip()}, {c['default_threads']} cores, {c['cpu_level']}; pydl {c['version']}, PyTorch {torch}, "
        f"Python {platform.python_version()}. A shared machine: single rows vary by up to 30 % from run to run."
    )

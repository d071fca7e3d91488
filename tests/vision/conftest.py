"""What tests of models share."""

from __future__ import annotations

import pytest

from pydl import nn


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models whose weights are not written to: of memory that is not touched nothing is used, so that the largest ones
    are made in no time."""
    for name in dir(nn.init):
        if name.endswith("_") and not name.startswith("_"):
            monkeypatch.setattr(nn.init, name, lambda tensor, *args, **kwargs: tensor)

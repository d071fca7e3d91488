"""A small share of what ``python -m tests.fuzz.readers`` does."""

import pytest
import readers


@pytest.mark.parametrize("reader", readers.seeds())
def test_mutated_files(reader, full):
    seen = readers.run(reader, 20000 if full else 1500, 3, print)
    assert seen["refused"] > seen["loaded"] > 0

"""Tools for developing pydl; not part of the wheel."""

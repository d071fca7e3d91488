"""Compiled loops for the layers above the core."""

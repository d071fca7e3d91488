"""Attention."""

from __future__ import annotations

from pydl import _nn

__all__ = ["scaled_dot_product_attention"]

scaled_dot_product_attention = _nn.scaled_dot_product_attention
"""Softmax of the scaled products of queries and keys, times the values: the operation of the core itself."""

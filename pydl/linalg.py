"""Linear algebra: the functions of the op table under ``pydl.linalg``."""

from pydl import _C

globals().update({name: op for name, op in vars(_C.linalg).items() if not name.startswith("__")})

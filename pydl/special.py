"""Special functions: the functions of the op table under ``pydl.special``."""

from pydl import _C

globals().update({name: op for name, op in vars(_C.special).items() if not name.startswith("__")})

"""Exceptions that Python code raises; those of the core are in pydl._C."""


class SerializationError(ValueError, RuntimeError):
    """A file that cannot be read: damaged, of another format, or holding what may not be loaded.

    Example:
        >>> import pydl
        >>> issubclass(pydl.SerializationError, ValueError)
        True
    """


SerializationError.__module__ = "pydl"

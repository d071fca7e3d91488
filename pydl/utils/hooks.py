"""Handles that remove the hook they stand for."""

from __future__ import annotations

import itertools
import weakref
from typing import Any

__all__ = ["RemovableHandle"]


class RemovableHandle:
    """Names one entry of a hook dictionary and can take it out again.

    Args:
        hooks_dict: the dictionary (of a type that allows weak references) that holds the hook under ``handle.id``.
        extra_dict: one dictionary or a list of them that carry flags under the same id and are cleaned with it.

    Usable as a context manager: the hook goes when the block is left. Removing twice is allowed.

    Example:
        >>> import collections
        >>> from pydl.utils.hooks import RemovableHandle
        >>> hooks = collections.OrderedDict()
        >>> handle = RemovableHandle(hooks)
        >>> hooks[handle.id] = print
        >>> handle.remove(); len(hooks)
        0
    """

    id: int
    next_id = itertools.count()

    def __init__(self, hooks_dict: Any, *, extra_dict: Any = None) -> None:
        self.hooks_dict_ref: Any = weakref.ref(hooks_dict)
        self.id = next(RemovableHandle.next_id)
        extras = [] if extra_dict is None else extra_dict if isinstance(extra_dict, list) else [extra_dict]
        self.extra_dict_ref: tuple[Any, ...] = tuple(weakref.ref(extra) for extra in extras)

    def remove(self) -> None:
        """Take the hook out; does nothing when it, or its owner, is gone already."""
        for ref in (self.hooks_dict_ref, *self.extra_dict_ref):
            hooks = ref()
            if hooks is not None:
                hooks.pop(self.id, None)

    def __getstate__(self) -> tuple[Any, ...]:
        return (self.hooks_dict_ref(), self.id, tuple(ref() for ref in self.extra_dict_ref))

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        hooks, self.id, extras = state
        # An owner that was not pickled along leaves None: the handle then points at an empty stand-in.
        self.hooks_dict_ref = weakref.ref(hooks) if hooks is not None else _dead_reference
        self.extra_dict_ref = tuple(weakref.ref(extra) for extra in extras if extra is not None)
        RemovableHandle.next_id = itertools.count(max(next(RemovableHandle.next_id), self.id + 1))

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


def _dead_reference() -> None:
    return None

"""An interpreter for the part of the pickle language that data needs.

Python's own unpickler calls what a file names; this one knows a fixed list of names, each standing for one function
here that checks its arguments, and builds nothing but tensors, containers and numbers.
"""

from __future__ import annotations

import io
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pydl


class Refused(ValueError):
    """The file asks for something that is not allowed."""


class Name:
    """A global that a file mentions; the stack holds this instead of the thing."""

    __slots__ = ("call", "text", "trusted", "value")

    def __init__(
        self, text: str, call: Callable[..., Any] | None = None, value: Any = None, trusted: bool = False
    ) -> None:
        self.text = text
        self.call = call
        self.value = value
        self.trusted = trusted  # the user has allowed it


_MARK = object()


def _unpack(code: str) -> tuple[int, Callable[[bytes], Any]]:
    layout = struct.Struct(code)
    return layout.size, lambda raw: layout.unpack(raw)[0]


_FIXED = {  # opcode: bytes of its argument and what they mean
    b"J": _unpack("<i"),
    b"K": _unpack("<B"),
    b"M": _unpack("<H"),
    b"G": _unpack(">d"),
}
_TEXT = {b"X": "<I", b"\x8c": "<B", b"\x8d": "<Q"}
_BYTES = {b"B": "<I", b"C": "<B", b"T": "<I", b"U": "<B"}
_CONSTANTS = {b"N": None, b"\x88": True, b"\x89": False}
_CONTAINERS: dict[bytes, Callable[[], Any]] = {b"]": list, b"}": dict, b")": tuple, b"\x8f": set}
_PUTS = {b"q": "<B", b"r": "<I"}
_GETS = {b"h": "<B", b"j": "<I"}
_TUPLES = {b"\x85": 1, b"\x86": 2, b"\x87": 3}


class Interpreter:
    """Runs one pickle.

    Args:
        stream: at the beginning of the pickle; it is left at its end.
        find: gives the :class:`Name` for a module and a name, or raises :class:`Refused`.
        load_persistent: gives the object for a persistent id.
        encoding: of the strings of Python 2. Default: UTF-8.
    """

    def __init__(
        self,
        stream: io.BytesIO,
        find: Callable[[str, str], Any],
        load_persistent: Callable[[Any], Any],
        encoding: str = "utf-8",
    ) -> None:
        self.encoding = encoding
        self.stream = stream
        self.length = len(stream.getbuffer())
        self.find = find
        self.load_persistent = load_persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.trusted: set[type] = set()
        self.actions: dict[bytes, Callable[[], None]] = {
            b"(": lambda: self.stack.append(_MARK),
            b"0": lambda: self.drop(),
            b"a": self.append,
            b"e": self.extend,
            b"s": self.set_item,
            b"u": self.set_items,
            b"t": lambda: self.stack.append(tuple(self.since_mark())),
            b"l": lambda: self.stack.append(self.since_mark()),
            b"d": self.make_dict,
            b"\x90": self.add_items,
            b"c": self.name,
            b"\x93": self.stack_name,
            b"Q": lambda: self.stack.append(self.load_persistent(self.pop())),
            b"R": self.reduce,
            b"\x81": self.make_object,
            b"b": self.build,
            b"\x94": lambda: self.put(len(self.memo)),
            b"\x8a": lambda: self.stack.append(int.from_bytes(self.sized("<B"), "little", signed=True)),
        }

    def read(self, count: int) -> bytes:
        raw = self.stream.read(count)
        if len(raw) != count:
            raise Refused("the pickle ends too early")
        return raw

    def number(self, code: str) -> int:
        return struct.unpack(code, self.read(struct.calcsize(code)))[0]

    def sized(self, code: str) -> bytes:
        count = self.number(code)
        if count > self.length:
            raise Refused("a string is longer than the pickle")
        return self.read(count)

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise Refused("the pickle takes from an empty stack")
        return self.stack.pop()

    def drop(self) -> None:
        if not self.stack:
            raise Refused("the pickle takes from an empty stack")
        self.stack.pop()

    def top(self, *kinds: type) -> Any:
        if not self.stack or type(self.stack[-1]) not in kinds:
            raise Refused(f"the pickle fills something that is no {kinds[0].__name__}")
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i] is _MARK:
                values = self.stack[i + 1 :]
                del self.stack[i:]
                return values
        raise Refused("the pickle has no mark")

    def append(self) -> None:
        value = self.pop()
        self.top(list).append(value)

    def extend(self) -> None:
        values = self.since_mark()
        self.top(list).extend(values)

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self.top(dict, OrderedDict)[check_key(key)] = value

    def set_items(self) -> None:
        values = self.since_mark()
        self.fill(self.top(dict, OrderedDict), values)

    def make_dict(self) -> None:
        values = self.since_mark()
        self.stack.append(self.fill({}, values))

    @staticmethod
    def fill(target: Any, values: list[Any]) -> Any:
        if len(values) % 2:
            raise Refused("the pickle has a key without a value")
        for key, value in zip(values[::2], values[1::2]):
            target[check_key(key)] = value
        return target

    def add_items(self) -> None:
        values = self.since_mark()
        self.top(set).update(map(check_key, values))

    def line(self) -> str:
        text = self.stream.readline(512)
        if not text.endswith(b"\n"):
            raise Refused("the pickle has an endless name")
        return text[:-1].decode()

    def name(self) -> None:
        module = self.line()
        self.stack.append(self.find(module, self.line()))

    def stack_name(self) -> None:
        name, module = self.pop(), self.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise Refused("the pickle has a name that is no text")
        self.stack.append(self.find(module, name))

    def reduce(self) -> None:
        args, function = self.pop(), self.pop()
        if not isinstance(function, Name) or function.call is None or type(args) is not tuple:
            raise Refused("the pickle calls something that is no function of the format")
        result = function.call(*args)
        if function.trusted:
            self.trusted.add(type(result))
        self.stack.append(result)

    def make_object(self) -> None:
        """An object of a class without its constructor, where the user has allowed the class."""
        args, function = self.pop(), self.pop()
        if isinstance(function, Name) and function.trusted and isinstance(function.call, type) and type(args) is tuple:
            self.trusted.add(function.call)
            self.stack.append(function.call.__new__(function.call, *args))
            return
        self.stack += [function, args]
        self.reduce()

    def build(self) -> None:
        """State for the object below: attributes of an ordered dictionary, as state dicts carry metadata; or any, where
        the user has allowed the class."""
        state = self.pop()
        if self.stack and type(self.stack[-1]) in self.trusted:
            set_state(self.stack[-1], state)
            return
        target = self.top(OrderedDict)
        if type(state) is not dict or not all(type(key) is str and not key.startswith("__") for key in state):
            raise Refused("the pickle sets the state of an object")
        target.__dict__.update(state)

    def put(self, index: int) -> None:
        if not self.stack:
            raise Refused("the pickle remembers from an empty stack")
        self.memo[index] = self.stack[-1]

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise Refused("the pickle recalls what it never stored")
        self.stack.append(self.memo[index])

    def run(self) -> Any:
        """The object. Raises Refused, or the error of a malformed value."""
        while True:
            code = self.read(1)
            if code in self.actions:
                self.actions[code]()
            elif code in _PUTS:
                self.put(self.number(_PUTS[code]))
            elif code in _GETS:
                self.get(self.number(_GETS[code]))
            elif code == b".":
                return resolve(self.pop())
            elif not self.push_value(code):
                raise Refused(f"the pickle uses the operation {code!r}")

    def push_value(self, code: bytes) -> bool:
        if code in _FIXED:
            size, decode = _FIXED[code]
            self.stack.append(decode(self.read(size)))
        elif code in _TEXT:
            self.stack.append(self.sized(_TEXT[code]).decode("utf-8", "surrogatepass"))
        elif code in _BYTES:
            raw = self.sized(_BYTES[code])
            self.stack.append(raw.decode(self.encoding) if code in (b"T", b"U") else raw)
        elif code in _CONSTANTS:
            self.stack.append(_CONSTANTS[code])
        elif code in _CONTAINERS:
            self.stack.append(_CONTAINERS[code]())
        elif code in _TUPLES:
            values = [self.pop() for _ in range(_TUPLES[code])]
            self.stack.append(tuple(reversed(values)))
        elif code == b"\x80":
            if self.number("<B") > 5:
                raise Refused("the pickle's protocol is unknown")
        elif code == b"\x95":
            self.read(8)  # the length of a frame: a hint for streams
        else:
            return False
        return True


def set_state(target: Any, state: Any) -> None:
    """As the standard library's unpickler does."""
    setter = getattr(target, "__setstate__", None)
    if setter is not None:
        setter(state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    for values in (state, slots):
        for key, value in (values or {}).items():
            setattr(target, key, value)


def resolve(value: Any) -> Any:
    """A whole object that is a name (a dtype) becomes what it stands for; a function of the format is refused."""
    if isinstance(value, Name):
        raise Refused(f"the pickle gives out {value.text}")
    return value


def check_key(key: Any, depth: int = 4) -> Any:
    """``key``, if it can be one. Hashing descends into tuples without a limit: a file could overflow the C stack."""
    if type(key) is tuple and depth:
        for part in key:
            check_key(part, depth - 1)
    elif type(key) not in (str, int, float, bool, bytes, complex, type(None), pydl.dtype, pydl.device):
        raise Refused(f"the pickle uses a {type(key).__name__} as a key")
    return key


def is_index(value: Any) -> bool:
    """Whether ``value`` can be a size, a stride or an offset."""
    return type(value) is int and 0 <= value < 2**62


def check_view(count: int, offset: Any, size: Any, stride: Any) -> None:
    """Raise Refused unless the view stays within a storage of ``count`` elements."""
    size, stride = (tuple(v) if type(v) in (tuple, list, pydl.Size) else None for v in (size, stride))
    if size is None or stride is None or len(size) != len(stride) or len(size) > 64:
        raise Refused("a tensor has a malformed shape")
    if not all(map(is_index, (offset, *size, *stride))):
        raise Refused("a tensor has a malformed shape")
    if 0 in size:
        reach = offset
    else:
        reach = offset + 1 + sum((n - 1) * s for n, s in zip(size, stride))
    if reach > count:
        raise Refused(f"a tensor reaches to element {reach} of a storage of {count}")

"""Reads pickles as plain data: numbers, texts, tables and tensors come back, everything else stays an inert record.

Nothing that a pickle names is ever imported or called. The reader is an interpreter of pickle's opcodes that knows how
to push values on a stack; what a pickle would call becomes a `Record` (see `pickle_calls` for the few that are known).
"""

from __future__ import annotations

import pickletools
import struct
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

OPCODES = 1_000_000
"""Most opcodes of one pickle; a released generator has about 80,000."""
_LARGE = 256
"""Bytes of at least this length are kept as a place in the file, not copied."""
_LARGEST_KEY = 2**31
_LENGTH_PREFIX = {"BINBYTES": 5, "BINBYTES8": 9}


class DamagedPickle(ValueError):
    """A pickle that is cut short, senseless, or asks for what no file of weights needs."""


@dataclass(frozen=True, eq=False, repr=False)
class Name:
    """Something that a pickle names by module and name, e.g. `torch.FloatStorage`; never imported."""

    path: str


@dataclass(eq=False, repr=False)
class Record:
    """What a pickle would have made by a call: what it named, the arguments, and the state given to the result."""

    name: str
    args: tuple[Any, ...] = ()
    state: Any = None
    items: list[Any] = field(default_factory=list)


@dataclass(frozen=True, eq=False, repr=False)
class Blob:
    """Bytes that stay where they are."""

    data: Any
    start: int
    size: int

    def read(self) -> bytes:
        """A copy of the bytes."""
        return bytes(self.data[self.start : self.start + self.size])


Call = Callable[[tuple[Any, ...]], Any]


class Window:
    """A part of bytes as a stream that never reads beyond its end."""

    def __init__(self, data: Any, start: int = 0, end: int | None = None) -> None:
        """Read `data` (bytes or a memory map) from `start` to `end`."""
        self.data, self.place, self.end = data, start, len(data) if end is None else end

    def read(self, count: int) -> bytes:
        """At most `count` bytes, fewer at the end; a huge count allocates nothing."""
        if count < 0:
            raise DamagedPickle("a negative length")
        first, self.place = self.place, min(self.place + count, self.end)
        return bytes(self.data[first : self.place])

    def readline(self) -> bytes:
        """The bytes up to a line's end."""
        found = self.data.find(b"\n", self.place, self.end)
        return self.read((self.end if found < 0 else found + 1) - self.place)

    def tell(self) -> int:
        """Where the next byte is read."""
        return self.place


class PickleReader:
    """Reads one pickle as data: interprets its operations and calls nothing but what it was told to."""

    def __init__(self, calls: Mapping[str, Call], persistent: Call | None = None, opcodes: int = OPCODES) -> None:
        """Know some calls.

        Args:
            calls: What is made of calls of a name; the others become records.
            persistent: What is made of persistent ids; None: they are refused.
            opcodes: Most opcodes that are read.
        """
        self._calls, self._persistent, self._opcodes = calls, persistent, opcodes
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self.inert: dict[str, int] = {}
        """Names that the pickle called and that stayed records, with how often."""

    def load(self, window: Window) -> Any:
        """Read one pickle and leave the window behind it.

        Raises:
            DamagedPickle: It cannot be read.
        """
        try:
            return self._load(window)
        except DamagedPickle:
            raise
        except (ValueError, IndexError, TypeError, KeyError, AttributeError, OverflowError, struct.error) as error:
            raise DamagedPickle(_first_line(error)) from error

    def _load(self, window: Window) -> Any:
        argument: Any
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of odd escapes in texts of the oldest protocol
            for count, (opcode, argument, place) in enumerate(pickletools.genops(window)):  # type: ignore[arg-type]
                if count >= self._opcodes:
                    raise DamagedPickle(f"more than {self._opcodes} opcodes")
                if opcode.name == "STOP":
                    return self._stack.pop()
                if opcode.name in _LENGTH_PREFIX and len(argument) >= _LARGE:
                    argument = Blob(window.data, (place or 0) + _LENGTH_PREFIX[opcode.name], len(argument))
                self._step(opcode.name, argument)
        raise DamagedPickle("it has no end")

    def _step(self, name: str, argument: Any) -> None:
        if name in _PUSHED:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in _TUPLES:
            count = _TUPLES[name]
            items = tuple(self._pop(count))
            self._stack.append(items)
        else:
            handler = getattr(self, f"_op_{name.lower()}", None)
            if handler is None:
                raise DamagedPickle(f"opcode {name}, which no file of weights has")
            handler(argument)

    def _pop(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise DamagedPickle("an empty stack")
        items = self._stack[len(self._stack) - count :]
        del self._stack[len(self._stack) - count :]
        return items

    def _pop_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._marks.pop()
        return items

    def _top(self) -> Any:
        return self._stack[-1]

    # --- the stack ---

    def _op_proto(self, version: int) -> None:
        if version > 5:
            raise DamagedPickle(f"protocol {version}")

    def _op_frame(self, _length: int) -> None:
        """Frames only help readers of streams."""

    def _op_mark(self, _: None) -> None:
        self._marks.append(self._stack)
        self._stack = []

    def _op_pop(self, _: None) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._pop_mark()

    def _op_pop_mark(self, _: None) -> None:
        self._pop_mark()

    def _op_dup(self, _: None) -> None:
        self._stack.append(self._stack[-1])

    def _op_memoize(self, _: None) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _op_put(self, index: int) -> None:
        self._memo[int(index)] = self._stack[-1]

    def _op_get(self, index: int) -> None:
        self._stack.append(self._memo[int(index)])

    _op_binput = _op_long_binput = _op_put
    _op_binget = _op_long_binget = _op_get

    # --- collections ---

    def _op_tuple(self, _: None) -> None:
        items = tuple(self._pop_mark())
        self._stack.append(items)

    def _op_list(self, _: None) -> None:
        items = self._pop_mark()
        self._stack.append(items)

    def _op_dict(self, _: None) -> None:
        items = self._pop_mark()
        table: dict[Any, Any] = {}
        _set_items(table, items)
        self._stack.append(table)

    def _op_frozenset(self, _: None) -> None:
        items = frozenset(map(_checked_key, self._pop_mark()))
        self._stack.append(items)

    def _op_append(self, _: None) -> None:
        item = self._stack.pop()
        _append(self._top(), [item])

    def _op_appends(self, _: None) -> None:
        items = self._pop_mark()
        _append(self._top(), items)

    def _op_setitem(self, _: None) -> None:
        items = self._pop(2)
        _set_items(self._top(), items)

    def _op_setitems(self, _: None) -> None:
        items = self._pop_mark()
        _set_items(self._top(), items)

    def _op_additems(self, _: None) -> None:
        items = self._pop_mark()
        target = self._top()
        if isinstance(target, set):
            target.update(map(_checked_key, items))
        else:
            _append(target, items)

    # --- what would be imported and called ---

    def _op_global(self, argument: str) -> None:
        self._stack.append(Name(argument.replace(" ", ".", 1)))

    def _op_stack_global(self, _: None) -> None:
        module, name = self._pop(2)
        if not isinstance(module, str) or not isinstance(name, str):
            raise DamagedPickle("a name that is not text")
        self._stack.append(Name(f"{module}.{name}"))

    def _op_reduce(self, _: None) -> None:
        called, arguments = self._pop(2)
        self._stack.append(self._call(called, arguments))

    _op_newobj = _op_reduce

    def _op_newobj_ex(self, _: None) -> None:
        called, arguments, keywords = self._pop(3)
        made = self._call(called, arguments)
        if isinstance(made, Record) and keywords:
            made.state = keywords
        self._stack.append(made)

    def _op_inst(self, argument: str) -> None:
        items = tuple(self._pop_mark())
        self._stack.append(self._call(Name(argument.replace(" ", ".", 1)), items))

    def _op_obj(self, _: None) -> None:
        called, *items = self._pop_mark()
        self._stack.append(self._call(called, tuple(items)))

    def _op_build(self, _: None) -> None:
        state = self._stack.pop()
        made = self._top()
        if isinstance(made, Record):
            made.state = state
        elif hasattr(made, "take_state"):
            made.take_state(state)
        elif not isinstance(made, (dict, list, set)):  # an OrderedDict's own attributes tell nothing about weights
            raise DamagedPickle(f"a state for {type(made).__name__}")

    def _op_binpersid(self, _: None) -> None:
        identity = self._stack.pop()
        if self._persistent is None:
            raise DamagedPickle("a reference to something outside of the file")
        self._stack.append(self._persistent((identity,)))

    def _op_persid(self, argument: str) -> None:
        self._stack.append(argument)
        self._op_binpersid(None)

    def _call(self, called: Any, arguments: Any) -> Any:
        if not isinstance(called, Name):
            raise DamagedPickle("a call of something that has no name")
        if not isinstance(arguments, tuple):
            raise DamagedPickle(f"a call of {called.path!r} without a list of arguments")
        known = self._calls.get(called.path)
        if known is not None:
            return known(arguments)
        self.inert[called.path] = self.inert.get(called.path, 0) + 1
        return Record(called.path, arguments)


_PUSHED = frozenset(
    ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "STRING", "BINSTRING", "SHORT_BINSTRING",
     "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE",
     "BINUNICODE8", "FLOAT", "BINFLOAT")
)  # fmt: skip
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def _checked_key(key: Any) -> Any:
    """Keys whose hashes cannot be chosen so that all collide, and that do not nest.

    Raises:
        DamagedPickle: It is another.
    """
    if key is None or isinstance(key, (str, bool)) or (isinstance(key, int) and abs(key) < _LARGEST_KEY):
        return key
    raise DamagedPickle(f"a table with keys of type {type(key).__name__}")


def _set_items(target: Any, items: list[Any]) -> None:
    if len(items) % 2:
        raise DamagedPickle("a table with a key and no value")
    if isinstance(target, dict):
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_checked_key(key)] = value
    elif isinstance(target, Record):
        target.items.extend(items)
    else:
        raise DamagedPickle(f"entries for {type(target).__name__}")


def _append(target: Any, items: list[Any]) -> None:
    if isinstance(target, list):
        target.extend(items)
    elif isinstance(target, Record):
        target.items.extend(items)
    else:
        raise DamagedPickle(f"items for {type(target).__name__}")


def _first_line(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text.splitlines()[0][:200]

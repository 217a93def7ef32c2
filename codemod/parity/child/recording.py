"""Records the sizes that a module's own code works with, while it runs.

Places are told apart by where they stand in the file: names that a statement assigns, and calls of layers and modules
with what they get and return; these also by the place where what is called was made, as a loop may call all that a
constructor made at one place. Of a place that is passed several times, what is the same each time is kept.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

_DEEPEST = 4
_LONGEST = 64
_VISITS = 64

SEVERAL = "several"  # in the place of a number or of a whole description
_WHOLE = ("shape", "items", "kind", "table", "names", "args", "kwargs", "call")

Seen = dict[str, Any]
Place = tuple[str, int, int, int, int]


class Recorder:
    """What is seen in the text of one class (and of its bases in the tree), or of one function."""

    def __init__(self, thing: Any, tree: str) -> None:
        self._thing = thing
        self._spans = _spans(thing, os.path.realpath(tree) + os.sep)
        self._root: Any = None
        self._names: dict[tuple[str, int, str], list[Seen | None]] = {}
        self._calls: dict[tuple[str, int, int, int, int], list[Seen | None]] = {}
        self._made: dict[
            int, tuple[Any, Place]
        ] = {}  # by identity, which the module held here keeps
        self._calls_by_making: dict[tuple[Any, ...], list[Seen | None]] = {}
        self._own: dict[CodeType, str | None] = {}

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Records what runs inside."""
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            with _constructed(self._note_made):
                yield
        finally:
            sys.settrace(before)

    def seen(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """What was seen, as JSON."""
        return {
            "arguments": {name: describe(value) for name, value in arguments.items()},
            "names": [[*place, merged(found)] for place, found in self._names.items()],
            "calls": [[*place, merged(found)] for place, found in self._calls.items()],
            "made": [[*place, merged(found)] for place, found in self._calls_by_making.items()],
        }

    # ---- names ---------------------------------------------------------------------------------------

    def _enter(self, frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        file = self._file(frame)
        if file is None or not self._is_own(frame):
            return None
        known = dict(frame.f_locals)
        last = [frame.f_lineno]

        def local(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
            if event in ("line", "return"):
                for name, value in frame.f_locals.items():
                    if name not in known or known[name] is not value:
                        known[name] = value
                        _note(self._names, (file, last[0], name), describe(value))
                last[0] = frame.f_lineno
            return local

        return local

    def _file(self, frame: FrameType) -> str | None:
        """The file of a frame that runs code of the class, None for any other."""
        code = frame.f_code
        if code not in self._own:
            file = os.path.realpath(code.co_filename)
            inside = any(
                first <= code.co_firstlineno <= last for first, last in self._spans.get(file, ())
            )
            self._own[code] = file if inside and code.co_name != "<lambda>" else None
        return self._own[code]

    def _is_own(self, frame: FrameType) -> bool:
        """Whether a frame runs for the module that is built, and not for another one of its class."""
        if not isinstance(self._thing, type) or "self" not in frame.f_locals:
            return True
        mine = frame.f_locals["self"]
        if type(mine) is not self._thing:
            return False
        scope = getattr(mine, "scope", None)
        if scope is not None and hasattr(scope, "path"):
            return bool(scope.path == ())
        if hasattr(mine, "__dataclass_fields__"):
            return True
        if self._root is None:
            self._root = mine
        return mine is self._root

    # ---- calls ---------------------------------------------------------------------------------------

    def intercept(self, function: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
        """For `intercept_methods` of either framework."""
        if context.method_name == "__init__":  # Linen does not show it
            self._note_made(context.module)
            return function(*args, **kwargs)
        place = self._place()
        result = function(*args, **kwargs)
        if place is not None:
            given = {name: describe(value) for name, value in kwargs.items()}
            found = {
                "args": [describe(value) for value in args],
                "kwargs": given,
                "result": describe(result),
            }
            _note(self._calls, place, {"call": found})
            made = self._made.get(id(context.module))
            if made is not None:
                by_making = (*made[1], context.method_name, *place)
                _note(self._calls_by_making, by_making, {"call": found})
        return result

    def _note_made(self, module: Any) -> None:
        """Remembers where a module is made that is about to be; a copy is made where what it is a copy of was."""
        origin = _copied()
        if origin is not None and id(origin) in self._made:
            self._made[id(module)] = module, self._made[id(origin)][1]
            return
        place = self._place() if origin is None else None
        if place is not None:
            self._made.setdefault(id(module), (module, place))

    def _place(self) -> Place | None:
        """Where the code of the class makes the call that is about to happen, if it is the class that makes it."""
        frame: FrameType | None = sys._getframe(2)
        while frame is not None and _is_framework(frame.f_code.co_filename):
            frame = frame.f_back
        if frame is None or not hasattr(frame.f_code, "co_positions"):
            return None
        file = self._file(frame)
        if file is None or not self._is_own(frame):
            return None
        place = list(frame.f_code.co_positions())[frame.f_lasti // 2]
        line, last, column, end = place
        if line is None or last is None or column is None or end is None:
            return None
        return file, line, column, last, end


_PACKAGES = tuple(f"{os.sep}{name}{os.sep}" for name in ("flax", "haiku", "jax"))


def _is_framework(file: str) -> bool:
    return ("site-packages" in file and any(package in file for package in _PACKAGES)) or (
        f"{os.sep}contextlib.py" in file or f"{os.sep}functools.py" in file or file in _OURS
    )


_OURS = (__file__, "<string>")  # this file, and the constructors that dataclasses write


def _copied() -> Any:
    """The module of Linen that a constructor which runs now is to copy; None where it makes a new one."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and _is_framework(frame.f_code.co_filename):
        if frame.f_code.co_name == "clone":
            return frame.f_locals.get("self")
        frame = frame.f_back
    return None


@contextlib.contextmanager
def _constructed(note: Callable[[Any], None]) -> Iterator[None]:
    """Tells of each module of Linen that is made inside."""
    linen = sys.modules.get("flax.linen")
    if linen is None:
        yield
        return
    before = linen.Module.__post_init__

    def after(self: Any, *args: Any, **kwargs: Any) -> None:
        note(self)
        before(self, *args, **kwargs)

    linen.Module.__post_init__ = after
    try:
        yield
    finally:
        linen.Module.__post_init__ = before


def _spans(thing: Any, root: str) -> dict[str, list[tuple[int, int]]]:
    """The lines of a class and of its bases that the tree defines, or of a function, by file."""
    found: dict[str, list[tuple[int, int]]] = {}
    for part in thing.__mro__ if isinstance(thing, type) else [inspect.unwrap(thing)]:
        try:
            file = os.path.realpath(inspect.getsourcefile(part) or "")
            lines, first = inspect.getsourcelines(part)
        except (OSError, TypeError):
            continue
        if file.startswith(root):
            found.setdefault(file, []).append((first, first + len(lines) - 1))
    return found


def _note(table: dict[Any, list[Seen | None]], place: Any, found: Seen | None) -> None:
    visits = table.setdefault(place, [])
    if len(visits) < _VISITS:
        visits.append(found)


# ---- values --------------------------------------------------------------------------------------------


def describe(value: Any, depth: int = 0) -> Seen | None:
    """The sizes in a value: of an array, of a number, of a container of these."""
    if isinstance(value, bool) or depth > _DEEPEST:
        return None
    if isinstance(value, int):
        return {"int": value}
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and hasattr(value, "dtype"):
        if str(value.dtype).startswith("key<"):
            return {"shape": [], "dtype": "key"}
        if all(isinstance(size, int) for size in shape):
            return {"shape": [int(size) for size in shape], "dtype": str(value.dtype)}
        return None
    if isinstance(value, (tuple, list)) and len(value) <= _LONGEST:
        return {
            "items": [describe(item, depth + 1) for item in value],
            "kind": "list" if isinstance(value, list) else "tuple",
            "names": list(getattr(value, "_fields", ())),
        }
    if (
        isinstance(value, dict)
        and len(value) <= _LONGEST
        and all(isinstance(k, str) for k in value)
    ):
        return {"table": {name: describe(item, depth + 1) for name, item in value.items()}}
    return None


def merged(visits: list[Seen | None]) -> Any:
    """What several descriptions have in common; what differs is SEVERAL."""
    first: Any
    first, *rest = visits
    for other in rest:
        first = _common(first, other)
    return first


def _common(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        found = {name: _common(one[name], other[name]) for name in one}
        whole = (name for name in _WHOLE if name in found)
        return SEVERAL if any(found[name] == SEVERAL for name in whole) else found
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [_common(a, b) for a, b in zip(one, other)]  # noqa: B905 (Python 3.9)
    return one if one == other else SEVERAL

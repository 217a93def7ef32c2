"""Stand-ins for libraries that the tree's files import and that are not installed, and for what other versions have.

A file that defines models often imports what loads data or writes logs, too. A stand-in gives whatever name is asked of
it while files are imported; code that runs later and calls one gets an error that names the missing library.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import linecache
import os
import re
import sys
import traceback
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any, ClassVar

from . import absl_flags

_MOST = 30  # libraries for one file
_NEEDED = frozenset(("jax", "jaxlib", "numpy", "flax", "haiku", "optax"))


class Missing(ImportError):
    """A missing library is used by code that runs."""


class _Importing:
    """Whether files are being imported, when stand-ins may be called."""

    now = False


class _Kind(type):
    """The class of stand-ins: each is a class, so that it can be inherited from, annotate and decorate."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return _made(f"{cls.__qualname__}.{name}")

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if getattr(cls, "_stand_in", "") != cls.__qualname__:
            return super().__call__(*args, **kwargs)  # a class of the user's that inherits from one
        if not _Importing.now:
            raise Missing(f"{cls.__qualname__} is not installed")
        if len(args) == 1 and not kwargs and isinstance(args[0], (FunctionType, type)):
            return args[0]  # a decorator
        return cls

    def __getitem__(cls, _: Any) -> Any:
        return cls

    def __iter__(cls) -> Iterator[Any]:
        return iter(())

    def __or__(cls, _: Any) -> Any:
        return object

    def __ror__(cls, _: Any) -> Any:
        return object

    def __enter__(cls) -> Any:
        return cls

    def __exit__(cls, *_: object) -> None:
        return None


def _made(name: str) -> Any:
    return _Kind(name, (), {"__qualname__": name, "_stand_in": name})


class _Module(ModuleType):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        made = _made(f"{self.__name__}.{name}")
        setattr(self, name, made)
        return made


class _Finder:
    """Finds stand-ins for the libraries named so far; it is asked first, for some of them are there and broken."""

    names: ClassVar[list[str]] = []

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> Any:
        loader: Any = cls
        if name.split(".")[0] in cls.names:
            return importlib.machinery.ModuleSpec(name, loader, is_package=True)
        return None

    @staticmethod
    def create_module(spec: Any) -> ModuleType:
        return _Module(spec.name)

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        return None


class _Root:
    """Finds the tree itself, where its files import it by name: a package, or a checkout that may have another name here."""

    tree = ""
    names: ClassVar[list[str]] = []  # that files were seen to give it

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> Any:
        if path is None and name in cls.names:
            bare = importlib.machinery.ModuleSpec(name, None, is_package=True)
            bare.submodule_search_locations = [cls.tree]
            return bare
        if path is not None or name in _NEEDED or name != os.path.basename(cls.tree):
            return None
        start = os.path.join(cls.tree, "__init__.py")
        inner = os.path.join(cls.tree, name)  # a folder of the tree's own goes before it
        if not os.path.isfile(start) or os.path.isdir(inner) or os.path.isfile(f"{inner}.py"):
            return None
        return importlib.util.spec_from_file_location(
            name, start, submodule_search_locations=[cls.tree]
        )


folders: list[str] = []  # of the tree, put at the end of sys.path: files are run from there


def load(name: str, tree: str) -> ModuleType:
    """Imports a module of a tree, with stand-ins for the libraries that are not installed."""
    if _Finder not in sys.meta_path:
        sys.meta_path[:0] = [_Root, _Finder]
    _Root.tree = os.path.realpath(tree)
    for _ in range(_MOST):
        before = set(sys.modules)
        try:
            with _importing():
                return importlib.import_module(name)
        except ModuleNotFoundError as error:
            missing = (error.name or "").split(".")[0]
            if not missing or missing in _Finder.names or _is_installed(missing):
                raise
            folder = _own_folder(missing, error, tree)
            if folder is not None:
                folders.append(folder)
                sys.path.append(folder)
                importlib.invalidate_caches()
                continue
            if _names_the_tree(missing, error, tree):
                _Root.names.append(missing)
                _forget_halves(before)
                continue
            _stand_in(missing, before)
        except Exception as error:
            lacking = _lacking(error, tree)
            if lacking is not None:
                _lend(*lacking, before)
                continue
            broken = _broken(error)
            if broken is None or broken in _Finder.names:
                raise
            _stand_in(broken, before)
    raise ImportError(f"{name} imports too much that is not installed")


def _own_folder(missing: str, error: Exception, tree: str) -> str | None:
    """The folder of the tree, at or above the file that failed, that has what is missing."""
    root = os.path.realpath(tree)
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    inside = [f for f in map(os.path.realpath, files) if f.startswith(root + os.sep)]
    folder = os.path.dirname(inside[-1]) if inside else ""
    while folder.startswith(root):
        if folder not in folders and _has_code(os.path.join(folder, missing)):
            return folder
        folder = os.path.dirname(folder)
    return None


def _names_the_tree(missing: str, error: Exception, tree: str) -> bool:
    """Whether a file asks for `missing.a.b`, and the tree has an `a/b`."""
    root = os.path.realpath(tree)
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = os.path.realpath(frame.f_code.co_filename)
        found = re.search(
            rf"\b(?:from|import)\s+{missing}\.([\w.]+)(?:\s+import\s+(\w+))?",
            linecache.getline(file, line),
        )
        if found is None or not file.startswith(root + os.sep):
            continue
        place = os.path.join(root, *found[1].split("."))
        if _has_code(place) or (found[2] and _has_code(os.path.join(place, found[2]))):
            return True
    return False


def _has_code(place: str) -> bool:
    """Whether a place without its suffix is a file of Python, or a folder of such."""
    if os.path.isfile(f"{place}.py"):
        return True
    return os.path.isdir(place) and any(name.endswith(".py") for name in os.listdir(place))


def _stand_in(library: str, before: set[str]) -> None:
    """A stand-in for a library from now on; files that failed because of it are imported again."""
    _Finder.names.append(library)
    _forget_halves(before, library)


def _forget_halves(before: set[str], library: str = "") -> None:
    """Drops what a failed import left: a file that failed may have kept a part of itself."""
    new = set(sys.modules) - before
    halves = [m for m in new if _is_pure(m) or (library and m.split(".")[0] == library)]
    for half in halves:
        del sys.modules[half]
    absl_flags.forget(halves)


_ASKED = ("__getattr__", "getattr", "getattr_")  # functions of modules that answer for a name
_LACKS = (
    re.compile(r"module '(?P<module>[\w.]+)' has no attribute '(?P<name>\w+)'"),
    re.compile(r"cannot import name '(?P<name>\w+)' from '(?P<module>[\w.]+)'"),
)


def _lacking(error: Exception, tree: str) -> tuple[ModuleType, str] | None:
    """The module of an installed library and the name that a file of the tree asks of it in vain."""
    root = os.path.realpath(tree) + os.sep
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    while frames and frames[-1].f_code.co_name in _ASKED:
        frames.pop()  # of the module that was asked
    if not frames or not os.path.realpath(frames[-1].f_code.co_filename).startswith(root):
        return None
    for pattern in _LACKS:
        found = pattern.match(str(error))
        module = sys.modules.get(found["module"]) if found is not None else None
        if found is None or module is None or found["name"] in vars(module):
            continue
        inside = os.path.realpath(getattr(module, "__file__", None) or root).startswith(root)
        return None if inside else (module, found["name"])
    return None


def _lend(module: ModuleType, name: str, before: set[str]) -> None:
    """A stand-in for what this version of a library lacks."""
    full = f"{module.__name__}.{name}"
    setattr(module, name, _made(full))
    _lent.append(full)
    _forget_halves(before)


_lent: list[str] = []


def _broken(error: Exception) -> str | None:
    """The library that a file of the user's imports and that fails itself, for want of another one.

    None where the exception is the file's own, or no library was missing so far.
    """
    if not _Finder.names:
        return None
    frames = list(traceback.walk_tb(error.__traceback__))
    for frame, _ in frames:
        name = str(frame.f_globals.get("__name__", "")).split(".")[0]
        file = frame.f_code.co_filename
        if "site-packages" in file or "dist-packages" in file:
            return None if name in _NEEDED else name
    return None


def _is_pure(name: str) -> bool:
    """Whether a module can be imported a second time: JAX and other compiled libraries cannot.

    A folder without `__init__.py` asks its parent where it lies, and has to go with it.
    """
    module = sys.modules[name]
    file = getattr(module, "__file__", None)
    places = [file] if file else [f"{place}.py" for place in getattr(module, "__path__", ())]
    installed = any("site-packages" in p or "dist-packages" in p for p in places)
    return bool(places) and not installed and all(p.endswith(".py") for p in places)


@contextlib.contextmanager
def _importing() -> Iterator[None]:
    _Importing.now = True
    try:
        yield
    finally:
        _Importing.now = False


def _is_installed(name: str) -> bool:
    return importlib.machinery.PathFinder.find_spec(name) is not None


def standing_in() -> list[str]:
    """The libraries that this process stands in for."""
    return [*_Finder.names, *_lent]

"""Cases from the code: where a class is constructed, and what `init` is called with."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .closed import Open, Scope, assignments, closed, imports
from .subjects import Subject, place_of

_MOST = 4  # cases for one class
_TRANSFORMS = frozenset(("transform", "transform_with_state", "without_apply_rng"))


@dataclass
class _File:
    """A file of the originals with the names that its functions can use."""

    path: Path
    tree: ast.Module
    module: str
    imports: dict[str, tuple[str, str]]
    top: dict[str, ast.expr | None]
    defined: set[str]


def add_cases(subjects: Sequence[Subject], files: Mapping[Path, bytes], tree: Path) -> None:
    """Gives each subject the cases that the files show; those that say the inputs, too, come first."""
    read = [file for path, data in files.items() if (file := _read(path, data, tree)) is not None]
    for subject in subjects:
        found: list[dict[str, Any]] = []
        for file in read:
            if _reaches(file, subject):
                found += _cases(file, subject)
        unique = {repr(case): case for case in found}
        whole = sorted(unique.values(), key=lambda case: (case["inputs"] is None, _speaks(case)))
        subject.cases += whole[:_MOST]


def _speaks(case: Mapping[str, Any]) -> bool:
    """Whether constructor arguments are written with library code, which may mean another thing after the rewrite."""
    texts = [v for v in (*case["args"], *case["kwargs"].values()) if isinstance(v, str)]
    return any(text.startswith("py:") and "load(" in text for text in texts)


def _read(path: Path, data: bytes, tree: Path) -> _File | None:
    try:
        parsed = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError):
        return None
    module = place_of(path, tree).module
    package = module if path.stem == "__init__" else module.rpartition(".")[0]
    defined = {
        node.name for node in parsed.body if isinstance(node, ast.ClassDef | ast.FunctionDef)
    }
    return _File(path, parsed, module, imports(parsed, package), assignments(parsed.body), defined)


def _reaches(file: _File, subject: Subject) -> bool:
    """Whether the subject's name, written in the file, means the subject."""
    if file.path == subject.file:
        return True
    root = subject.name.partition(".")[0]
    module, attribute = file.imports.get(root, ("", ""))
    if attribute:
        return _same(module, subject.place.module)
    return any(
        not attribute and _same(module, subject.place.module)
        for module, attribute in file.imports.values()
    )


def _same(module: str, other: str) -> bool:
    """Whether two dotted names may be one module, as seen from different folders."""
    return bool(module) and (
        module == other or module.endswith(f".{other}") or other.endswith(f".{module}")
    )


# ---- constructions -------------------------------------------------------------------------------------


def _cases(file: _File, subject: Subject) -> Iterator[dict[str, Any]]:
    """The cases in a file: a construction, and the arguments of `init` on what was constructed."""
    for blocks, body in _blocks(file):
        scope = Scope(blocks, file.imports, lambda name: _local(file, subject, name))
        for call in _calls(body):
            if _is(call.func, subject.name):
                yield from _case(call, call, body, scope)
            elif _partial(call) and _is(call.args[0], subject.name):
                rest = ast.Call(call.args[0], call.args[1:], call.keywords)
                yield from _case(call, rest, body, scope)
        if subject.entry["source"] == "haiku-function":
            for call in _calls(body):
                if _transforms(call, subject.name):
                    yield from _case(call, None, body, scope)


def _blocks(
    file: _File,
) -> Iterator[tuple[list[dict[str, ast.expr | None]], Sequence[ast.stmt]]]:
    """Each function's body, and the file's, with the assignments that its expressions can use."""
    yield (
        [file.top],
        [s for s in file.tree.body if not isinstance(s, ast.ClassDef | ast.FunctionDef)],
    )
    for node in ast.walk(file.tree):
        if isinstance(node, ast.FunctionDef):
            own = assignments(node.body)
            for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
                own[argument.arg] = None
            yield [own, file.top], node.body


def _calls(body: Sequence[ast.stmt]) -> Iterator[ast.Call]:
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                yield node


def _is(node: ast.expr, name: str) -> bool:
    """Whether an expression is the name, alone or as an attribute of a module."""
    last = name.rpartition(".")[2]
    return (isinstance(node, ast.Name) and node.id == last) or (
        isinstance(node, ast.Attribute) and node.attr == last and isinstance(node.value, ast.Name)
    )


def _transforms(call: ast.Call, name: str) -> bool:
    called = (
        call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    )
    return called in _TRANSFORMS and bool(call.args) and _is(call.args[0], name)


def _partial(call: ast.Call) -> bool:
    return bool(call.args) and ast.unparse(call.func) in ("partial", "functools.partial")


def _local(file: _File, subject: Subject, name: str) -> str | None:
    """How a class or function of the file is written in a case."""
    if name not in file.defined:
        return None
    return f"module.{name}" if file.path == subject.file else None


def _case(
    made: ast.Call, constructed: ast.Call | None, body: Sequence[ast.stmt], scope: Scope
) -> Iterator[dict[str, Any]]:
    try:
        args, kwargs = _arguments(constructed, scope, 0) if constructed else ([], {})
    except Open:
        return
    kwargs.pop("name", None)
    plain = {"origin": "code", "args": args, "kwargs": kwargs, "method": "__call__"}
    found = False
    for init in _inits(made, body):
        try:
            inputs, call = _arguments(init, scope, 1)
        except Open:
            continue
        method = call.pop("method", "__call__")
        if isinstance(method, str) and not method.startswith("py:"):
            found = True
            yield {**plain, "inputs": inputs, "call": call, "method": method}
    if not found and constructed is not None:
        yield {**plain, "inputs": None, "call": {}}


def _arguments(call: ast.Call, scope: Scope, skip: int) -> tuple[list[Any], dict[str, Any]]:
    """A call's arguments as a case has them, without the first `skip`; raises Open."""
    if any(isinstance(arg, ast.Starred) for arg in call.args):
        raise Open("unpacked arguments")
    kwargs: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg is None:
            raise Open("unpacked arguments")
        kwargs[keyword.arg] = _value(keyword.value, scope)
    skipped = skip if len(call.args) >= skip else 0
    kwargs = {k: v for k, v in kwargs.items() if skipped or not skip or k not in ("rngs", "rng")}
    return [_value(arg, scope) for arg in call.args[skipped:]], kwargs


def _value(node: ast.expr, scope: Scope) -> Any:
    text = closed(node, scope)
    try:
        literal = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return f"py:{text}"
    plain = literal is None or isinstance(literal, bool | int | float)
    simple = isinstance(literal, str) and not literal.startswith("py:")
    return literal if plain or simple else f"py:{text}"


# ---- init ----------------------------------------------------------------------------------------------


def _inits(made: ast.Call, body: Sequence[ast.stmt]) -> Iterator[ast.Call]:
    """The calls of `init` on what a call made: directly, or by the name that it was given."""
    names = {
        target.id
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Assign) and any(inner is made for inner in ast.walk(node.value))
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for call in _calls(body):
        func = call.func
        if not (isinstance(func, ast.Attribute) and func.attr in ("init", "init_with_output")):
            continue
        named = isinstance(func.value, ast.Name) and func.value.id in names
        if named or func.value is made:
            yield call

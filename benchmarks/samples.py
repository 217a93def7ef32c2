#!/usr/bin/env python3
"""Turns a manifest of cases into `[[tool.nnx-codemod.samples]]` in the pyproject.toml of each tree.

    python benchmarks/samples.py MANIFEST.json TREES

The manifest is a JSON list. Each entry names a repository (`repo`, with its tree in TREES/OWNER+NAME), the module to
build (`import_as`, and `class` or `name`; `root`, the folder for sys.path), the constructor's arguments (`ctor`,
`ctor_args`), the call's (`inputs`, `kwargs`) and the `method`. Texts that begin with `py:` are expressions, in which
`mod` or `M` is the module itself. `call` may be a lambda over the module and the inputs that calls a method of it. What no
sample can say (a factory, statements that run before, other lambdas) is left out and listed.
Samples that the script wrote before are replaced.
"""

from __future__ import annotations

import argparse
import ast
import json
import keyword
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BEGIN, END = "# samples from a manifest: begin", "# samples from a manifest: end"
_KINDS = {"float": "f", "int": "i", "uint": "u", "complex": "c", "bfloat": "bf"}
_NOT_SAID = ("factory", "setup", "pick")


class NotSaid(Exception):
    """A case that a sample cannot express."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("trees", type=Path)
    given = parser.parse_args()
    samples: dict[str, list[str]] = defaultdict(list)
    for entry in json.loads(given.manifest.read_text()):
        try:
            samples[entry["repo"].replace("/", "+", 1)].append(sample(entry))
        except NotSaid as why:
            print(f"left out: {entry['id']}: {why}")
    for repository, texts in samples.items():
        tree = given.trees / repository
        if not tree.is_dir():
            print(f"no tree: {repository}")
            continue
        write(tree / "pyproject.toml", texts)
        print(f"{repository}: {len(texts)}")


def write(file: Path, texts: Sequence[str]) -> None:
    """Puts samples into a pyproject.toml, at its end, in the place of those of an earlier run."""
    before = file.read_text() if file.exists() else ""
    before = re.sub(rf"\n*{BEGIN}\n.*?{END}\n", "", before, flags=re.S)
    block = "\n".join([BEGIN, *texts, END])
    file.write_text(f"{before.rstrip()}\n\n{block}\n".lstrip("\n"))


def sample(entry: Mapping[str, Any]) -> str:
    """The table of one entry; raises NotSaid."""
    for key in _NOT_SAID:
        if entry.get(key):
            raise NotSaid(f"it has `{key}`")
    root, module = str(entry.get("root", ".")), str(entry["import_as"])
    if root.startswith("@parent:"):  # the tree is imported as a package of this name
        root, module = ".", module.removeprefix(root.removeprefix("@parent:") + ".")
    name = entry.get("class") or entry["name"]
    inputs, call = [_input(one) for one in entry["inputs"]], _values(entry.get("kwargs") or {})
    method = entry.get("method", "__call__")
    if entry.get("call"):
        method, inputs, call = _called(str(entry["call"]), inputs)
    lines = ["[[tool.nnx-codemod.samples]]", f"module = {toml(module + ':' + name)}"]
    if root != ".":
        lines.append(f"path = {toml(root)}")
    parts = {
        "args": _values(entry.get("ctor_args") or []),
        "kwargs": _values(entry.get("ctor") or {}),
        "inputs": inputs,
        "call": call,
    }
    lines += [f"{key} = {toml(value)}" for key, value in parts.items() if value]
    if method != "__call__":
        lines.append(f"method = {toml(method)}")
    return "\n".join(lines) + "\n"


def _called(text: str, inputs: Sequence[Any]) -> tuple[str, list[Any], dict[str, Any]]:
    """The method, the inputs and the keyword arguments of a call that `lambda m, x: m.method(x, flag=True)` says."""
    match ast.parse(text.removeprefix("py:").strip(), mode="eval").body:
        case ast.Lambda(args=ast.arguments(args=[module, *names]), body=ast.Call() as made):
            given = {name.arg: one for name, one in zip(names, inputs, strict=False)}
        case _:
            raise NotSaid("its call is no plain lambda")
    match made.func:
        case ast.Name(id=name) if name == module.arg:
            method = "__call__"
        case ast.Attribute(value=ast.Name(id=name), attr=method) if name == module.arg:
            pass
        case _:
            raise NotSaid("it calls something else than the module")

    def value(node: ast.expr) -> Any:
        if isinstance(node, ast.Name) and node.id in given:
            return given[node.id]
        if isinstance(node, ast.Constant):
            return node.value
        if {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & {module.arg, *given}:
            raise NotSaid("it computes what it calls the module with")
        return _expression(ast.unparse(node))

    if any(isinstance(arg, ast.Starred) for arg in made.args):
        raise NotSaid("its call unpacks arguments")
    named = {keyword.arg: value(keyword.value) for keyword in made.keywords if keyword.arg}
    return method, [value(arg) for arg in made.args], named


# ---- values ------------------------------------------------------------------------------------------


def _values(value: Any) -> Any:
    if isinstance(value, Mapping) and ("shape" in value or set(value) == {"py"}):
        return _input(value)
    if isinstance(value, Mapping):
        return {name: _values(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_values(inner) for inner in value]
    return _expression(value[3:]) if isinstance(value, str) and value.startswith("py:") else value


def _input(value: Any) -> Any:
    """An input: an array by its shape and type, an expression, or a container of these."""
    if isinstance(value, Mapping) and "shape" in value:
        return _array(value)
    if isinstance(value, Mapping) and set(value) == {"py"}:
        return _expression(value["py"])
    if isinstance(value, Mapping):
        return {name: _input(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_input(inner) for inner in value]
    return value


def _array(value: Mapping[str, Any]) -> str:
    kind = str(value.get("dtype", "float32"))
    sizes = ",".join(map(str, value["shape"]))
    if "uniform" in value or value.get("minval"):
        low, high = value.get("uniform") or (value["minval"], value["maxval"])
        draw = "uniform" if "uniform" in value else "integers"
        return f"py:np.random.default_rng(0).{draw}({low}, {high}, ({sizes},)).astype({kind!r})"
    if kind == "bool":
        return f"bool[{sizes}]"
    found = re.fullmatch(r"([a-z]+)(\d+)", kind)
    if found is None or found.group(1) not in _KINDS:
        raise NotSaid(f"an input of type {kind}")
    below = f"<{value['maxval']}" if "maxval" in value else ""
    return f"{_KINDS[found.group(1)]}{found.group(2)}[{sizes}]{below}"


# What manifests have in scope and samples have not.
_NAMES = {
    "mod": "module",
    "M": "module",
    "imp": "load",
    "partial": "functools.partial",
    "types": "load('types')",
    "NS": "load('types').SimpleNamespace",
    "ns": "load('types').SimpleNamespace",
    "cfg": "load('ml_collections').ConfigDict",
    "rng": "np.random.RandomState(0)",
}


def _expression(text: str) -> str:
    """An expression in the names that samples have."""

    def other(found: re.Match[str]) -> str:
        name = found.group(1)
        called = text[found.end() :].lstrip().startswith("(")
        if name == "mod" and called:
            return "load"
        if name == "cfg" and called:
            return "(lambda **k: load('ml_collections').ConfigDict(k))"
        return _NAMES.get(name, name)

    names = "|".join(map(re.escape, _NAMES))
    return "py:" + re.sub(rf"(?<![\w.'\"])({names})(?![\w'\"]|\s*=[^=])", other, text.strip())


def toml(value: Any) -> str:
    """A value as TOML writes it, on one line."""
    match value:
        case None:
            return '"py:None"'
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case str():
            return json.dumps(value)
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case Mapping():
            inner = ", ".join(f"{_key(name)} = {toml(one)}" for name, one in value.items())
            return f"{{ {inner} }}"
    raise NotSaid(f"a value of type {type(value).__name__}")


def _key(name: str) -> str:
    plain = re.fullmatch(r"[A-Za-z0-9_-]+", name) and not keyword.iskeyword(name)
    return name if plain else json.dumps(name)


if __name__ == "__main__":
    main()

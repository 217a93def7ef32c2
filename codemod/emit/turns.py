"""What a loop goes through, and which places may read the variable that it gives its items."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping

from ..chains import constructs, stored_names
from ..model.sites import Loop, Site
from ..shapes.dims import Expression

Parents = Mapping[ast.AST, ast.AST]
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_LOOPS = (ast.For, *_COMPREHENSIONS)


def reads(origin: Expression, node: ast.AST, parents: Parents) -> bool:
    """Whether a variable of a loop has, at a node, the value that its turn there has."""
    loop = origin.loop
    if loop is None or loop not in parents or node not in parents:
        return True
    around = list(_around(node, parents))
    wanted = _wanted(origin.text, items(loop))
    one, other = _function(loop, parents), _function(node, parents)
    if one is not other:
        if not _is_over(one, other, parents):
            return True  # the text of a method that is called in the loop
        return any(_goes_through(each, wanted) for each in around)
    if loop is node or loop in around:
        return True
    own = [each for each in around if each not in _around(loop, parents)]
    if any(_goes_through(each, wanted) for each in own):
        return True
    return isinstance(loop, ast.For) and not own


def _is_over(one: ast.AST | None, other: ast.AST | None, parents: Parents) -> bool:
    """Whether one function is a constructor, whose loops have ended where another runs, which it does not call."""
    if not isinstance(one, ast.FunctionDef) or not constructs(one):
        return False
    cls = parents.get(one)
    methods = {m.name: m for m in getattr(cls, "body", ()) if isinstance(m, ast.FunctionDef)}
    reached: set[str] = set()
    pending = [one]
    while pending:
        called = _called(pending.pop()) - reached
        reached |= called
        pending += [methods[name] for name in called if name in methods]
    return getattr(other, "name", None) in methods.keys() - reached


def _called(function: ast.FunctionDef) -> set[str]:
    heads = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    return {head.attr for head in heads if isinstance(head, ast.Attribute)}


def of_list(site: Site) -> list[Loop]:
    """The loops in all whose turns one list is filled with what a site makes, outermost first."""
    if site.built is None:
        return site.loops
    return [loop for loop in site.loops if site.built.start not in ast.walk(loop)]


def start(loop: ast.AST, sites: Iterable[Site]) -> ast.AST:
    """The loop before which a size starts that changes in each turn of one.

    Where what its turns make is called elsewhere, in one loop over a whole list, that is the first that fills the list.
    """
    for site in sites:
        if site.loops and site.loops[-1] is loop and site.uses:
            inside = set(ast.walk(loop))
            if not any(use.call in inside for use in site.uses):
                return next(iter(of_list(site)), loop)
    return loop


def changes(origin: Expression) -> list[ast.stmt]:
    """The statements of a loop that change the name which a size is, within a turn."""
    if origin.loop is None or not origin.text.isidentifier():
        return []
    return [
        node
        for node in ast.walk(origin.loop)
        if isinstance(node, ast.Assign | ast.AugAssign) and origin.text in stored_names(node)
    ]


def items(loop: ast.AST) -> dict[str, str]:
    """The sequences that a loop goes through, by the variables for their items."""
    found: dict[str, str] = {}
    for target, sequence in clauses(loop):
        match target, sequence:
            case ast.Name(id=name), _:
                found[name] = ast.unparse(sequence)
            case ast.Tuple(elts=[_, ast.Name(id=name)]), ast.Call(
                func=ast.Name(id="enumerate"), args=[inner], keywords=[]
            ):
                found[name] = ast.unparse(inner)
    return found


def clauses(loop: ast.AST) -> list[tuple[ast.expr, ast.expr]]:
    """The targets and the iterables of a loop or comprehension."""
    if isinstance(loop, ast.For):
        return [(loop.target, loop.iter)]
    return [(each.target, each.iter) for each in getattr(loop, "generators", [])]


def _wanted(text: str, known: Mapping[str, str]) -> dict[str, str] | None:
    """The sequences whose items an expression reads by the variables of a loop; None where it reads no variable.

    One that is such a variable itself may have another name in another loop, which gets this one.
    """
    if text in known:
        return {"": known[text]}
    return {name: known[name] for name in re.findall(r"\w+", text) if name in known} or None


def _goes_through(loop: ast.AST, wanted: Mapping[str, str] | None) -> bool:
    own = items(loop)
    return wanted is not None and all(
        sequence in ([own.get(name)] if name else own.values()) for name, sequence in wanted.items()
    )


def _function(node: ast.AST, parents: Parents) -> ast.AST | None:
    while node in parents and not isinstance(node, ast.FunctionDef):
        node = parents[node]
    return node


def _around(node: ast.AST, parents: Parents) -> Iterator[ast.AST]:
    """The loops of its own function that a node stands in."""
    while node in parents:
        node = parents[node]
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            return
        if isinstance(node, _LOOPS):
            yield node

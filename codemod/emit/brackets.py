"""Parentheses around text that takes the place of a part of an expression."""

from __future__ import annotations

import ast

from ..shapes.printing import is_wrapped

_ATOMS = (
    ast.Name,
    ast.Attribute,
    ast.Call,
    ast.Constant,
    ast.Subscript,
    ast.Tuple,
    ast.List,
    ast.Dict,
    ast.Set,
    ast.ListComp,
    ast.DictComp,
    ast.SetComp,
    ast.GeneratorExp,
    ast.JoinedStr,
)
_LOOSEST = (ast.IfExp, ast.Lambda, ast.NamedExpr)
_PRODUCTS = (ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)


def bracketed(text: str, node: ast.AST, parent: ast.AST | None) -> str:
    """`text`, to be put where `node` stands in `parent`, in parentheses where it would be torn apart without."""
    return f"({text})" if _needs(text, node, parent) else text


def bare(text: str) -> str:
    """A choice that is a whole argument, or what a name is bound to, without the parentheses around it."""
    if not is_wrapped(text) or "\n" in text:
        return text
    choice = isinstance(ast.parse(text, mode="eval").body, ast.IfExp | ast.BoolOp)
    return text[1:-1] if choice else text


def _needs(text: str, node: ast.AST, parent: ast.AST | None) -> bool:
    if not isinstance(parent, ast.expr | ast.comprehension) or is_wrapped(text.strip()):
        return False
    try:
        new = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:  # a part of an expression, which its writer has seen to
        return False
    if isinstance(new, _ATOMS) and not isinstance(new, ast.Tuple):
        return isinstance(new, ast.Constant) and isinstance(parent, ast.Attribute)
    if isinstance(new, ast.Tuple) and text.strip().startswith("("):
        return False
    match parent:
        case ast.Attribute():
            return True
        case ast.Subscript(value=value) | ast.Call(func=value):
            return value is node
        case ast.UnaryOp() | ast.Await() | ast.Starred():
            return True
        case ast.BinOp():
            return not _fits(new, node, parent)
        case ast.Compare():
            return isinstance(new, (*_LOOSEST, ast.BoolOp, ast.Compare))
        case ast.BoolOp():
            return isinstance(new, (*_LOOSEST, ast.BoolOp))
        case ast.IfExp() | ast.comprehension():
            return isinstance(new, _LOOSEST)
    return False


def _fits(new: ast.expr, node: ast.AST, parent: ast.BinOp) -> bool:
    """Whether an operand means the same without parentheses."""
    if not isinstance(new, ast.BinOp):
        return False
    if isinstance(parent.op, ast.Add):
        return True
    product = isinstance(new.op, _PRODUCTS)
    if isinstance(parent.op, ast.Sub):
        return product or node is parent.left
    return product and node is parent.left and not isinstance(parent.op, ast.Pow)

"""Operators, comparisons, subscripts and iteration on abstract values."""

from __future__ import annotations

import ast
import functools
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import chosen, dtypes, listed, parts
from .arrays import index as index_array
from .arrays import matmul
from .classes import fields, is_record
from .dims import Dim, Expression, Rounded, differ, is_symbolic, names, same
from .values import (
    FALSE,
    FLAG,
    NONE,
    TRUE,
    UNKNOWN,
    WORD,
    Array,
    Begun,
    Behaviour,
    Constant,
    Either,
    External,
    Function,
    Index,
    Items,
    Object,
    OpenShape,
    Repeated,
    Shape,
    Size,
    Table,
    Unknown,
    Value,
    as_dim,
    as_shape,
    from_dim,
)

if TYPE_CHECKING:
    from .facts import Facts
    from .interpreter import Interpreter
    from .scopes import Environment

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_WRITTEN = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_SIMPLE_POWER = re.compile(r"(?<=\w) \*\* (?=\w)")
_EXACT = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod)


def binary(
    interp: Interpreter, node: ast.AST, op: ast.operator, left: Value, right: Value
) -> Value:
    """`left op right`."""
    if isinstance(left, Either) or isinstance(right, Either):
        left, right = _main(left), _main(right)
    if isinstance(left, Array) or isinstance(right, Array):
        return _array_binary(interp, node, op, left, right)
    if isinstance(left, Begun) and isinstance(op, ast.Add):
        return Begun(left.first)
    if isinstance(left, Items) or isinstance(right, Items):
        return _items_binary(interp, op, left, right)
    if isinstance(left, Constant) and isinstance(right, Constant):
        return _constants(op, left.value, right.value)
    if isinstance(op, _EXACT) and (isinstance(left, Size) or isinstance(right, Size)):
        one, two = dim_of(interp, left), dim_of(interp, right)
        if one is not None and two is not None:
            return _dims(interp, op, one, two)
    text = _composed(interp, op, left, right)
    if text is None and (parts := _fraction(interp, op, left, right)):
        return Unknown(parts=parts)
    return Unknown(text, loop=_turn(interp, left) or _turn(interp, right)) if text else UNKNOWN


def _turn(interp: Interpreter, value: Value) -> ast.AST | None:
    """The loop in whose turns alone a number has its text."""
    if not isinstance(value, Size):
        return getattr(value, "loop", None)
    origins = interp.symbols.origins_of(value.dim).values()
    return next((o.loop for o in origins if isinstance(o, Expression) and o.loop is not None), None)


def _main(value: Value) -> Value:
    """The alternative of an `Either` that an operator most likely meets."""
    if not isinstance(value, Either):
        return value
    known = [option for option in value.values if option != NONE]
    known = [option for option in known if not isinstance(option, Object)] or known
    return next(
        (option for option in known if isinstance(option, Array)),
        known[0] if len(known) == 1 else UNKNOWN,
    )


def _dims(interp: Interpreter, op: ast.operator, left: Dim, right: Dim) -> Value:
    left, right = interp.symbols.resolve(left), interp.symbols.resolve(right)
    try:
        return from_dim(_BINARY[type(op)](left, right))
    except Exception:  # an operation that JAX cannot decide on symbols
        return UNKNOWN


def _fraction(
    interp: Interpreter, op: ast.operator, left: Value, right: Value
) -> tuple[Dim | str, ...]:
    """A product or a quotient of a size and a number that is not whole; empty where it is something else."""
    sign = {ast.Mult: " * ", ast.Div: " / "}.get(type(op))
    sides = [each.dim if isinstance(each, Size) else _number_text(each) for each in (left, right)]
    if sign is None or None in sides or not isinstance(left, Size):
        return ()
    return (sides[0], sign, sides[1])


def _number_text(value: Value) -> str | None:
    """The text of a number that a constructor can compute, outside of any loop."""
    match value:
        case Unknown(text=text, loop=None, why=why) if text and why != WORD:
            return text
        case Constant(value=int() | float() as known) if not isinstance(known, bool):
            return repr(known)
    return None


def _composed(interp: Interpreter, op: ast.operator, left: Value, right: Value) -> str | None:
    one, two = interp_text(interp, left), interp_text(interp, right)
    if not one or not two or not isinstance(op, _WRITTEN):
        return None
    try:
        parts = [ast.parse(text, mode="eval").body for text in (one, two)]
    except SyntaxError:  # a symbol that has no text
        return None
    whole = ast.unparse(ast.BinOp(parts[0], op, parts[1]))
    return f"({_SIMPLE_POWER.sub('**', whole)})"


def interp_text(interp: Interpreter, value: Value) -> str | None:
    """The text of a value that a constructor can compute, for unknown numbers such as `2**i`."""
    match value:
        case Unknown(text=text):
            return text
        case Constant(value=known) if isinstance(known, int | float | str):
            return repr(known)
        case Size(dim=dim):
            texts: list[str] = []
            for origin in interp.symbols.origins_of(dim).values():
                if not isinstance(origin, Expression):
                    return None
                texts.append(origin.text)
            return interp.symbols.render(dim, lambda _, origin: getattr(origin, "text", "?"))
    return None


_NO_SIZES = ("not a size", WORD)


def dim_of(interp: Interpreter, value: Value) -> Dim | None:
    """The size that a value is; an unknown that a constructor can compute becomes a symbol."""
    dim = as_dim(value)
    if dim is not None:
        return dim
    if isinstance(value, Unknown) and value.text is not None and value.why not in _NO_SIZES:
        symbol = interp.symbols.new(
            Expression(value.text, value.loop), ("text", interp.root, value.text, value.loop)
        )
        interp.symbols.fractional |= names(symbol)
        return symbol
    return None


def _constants(op: ast.operator, left: Any, right: Any) -> Value:
    function = _BINARY.get(type(op))
    if function is None:
        return UNKNOWN
    if isinstance(op, ast.Pow) and not (
        abs(right) < 64 and abs(left) < 1e6 if _numbers(left, right) else False
    ):
        return UNKNOWN
    if isinstance(op, ast.Mult) and not _numbers(left, right):
        return UNKNOWN
    try:
        return Constant(function(left, right))
    except Exception:  # the program would raise here
        return UNKNOWN


def _numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _items_binary(interp: Interpreter, op: ast.operator, left: Value, right: Value) -> Value:
    match op, left, right:
        case ast.Add(), Items(items=a, kind=kind), Items(items=b):
            return Items([*a, *b], kind, open=left.open or right.open)
        case ast.Add(), Items(items=a, kind="tuple"), _ if a and not left.open:
            return Begun(a)
        case ast.Add(), Unknown() | Either() | Repeated(), Items(items=[*_, item], kind="tuple"):
            last = dim_of(interp, item)
            return UNKNOWN if last is None or right.open else OpenShape(last)
        case ast.Mult(), Items(items=a, kind=kind), Constant(value=int(n)) if n <= 1024:
            return Items(a * n, kind)
        case ast.Mult(), Constant(value=int(n)), Items(items=a, kind=kind) if n <= 1024:
            return Items(a * n, kind)
        case ast.Mult(), Items(items=[item]), Size() | Unknown():
            return Repeated(item)
        case ast.Mult(), Size() | Unknown(), Items(items=[item]):
            return Repeated(item)
    return UNKNOWN


def _array_binary(
    interp: Interpreter, node: ast.AST, op: ast.operator, left: Value, right: Value
) -> Value:
    if isinstance(op, ast.MatMult):
        return matmul(interp, node, left, right)
    one, two = _operand(left), _operand(right)
    if one is None or two is None:
        added = _with_vector(left, right) or _with_vector(right, left)
        if added is not None:
            return replace(added, dtype=promoted(left, right, op))
        known = left if isinstance(left, Array) else right
        # An operand of unknown kind (a rate, a scale, a field) leaves the shape of the other.
        other = right if known is left else left
        if isinstance(known, Array) and not (isinstance(other, Unknown) and other.text):
            return replace(known, shape=not_alone(interp, known.shape))
        return known if isinstance(known, Array) else UNKNOWN
    shape = broadcast(interp, node, one, two)
    return Array(shape, promoted(left, right, op))


def _with_vector(one: Value, two: Value) -> Array | None:
    """An array of unknown rank and a vector, a bias say, over its last axis."""
    match one, two:
        case Array(shape=None, last=None), Array(shape=(size,)) if size != 1:
            return Array(None, last=size)
    return None


def _operand(value: Value) -> Shape | None:
    match value:
        case Array(shape=shape):
            return shape
        case Constant() | Size():
            return ()
    return None


def promoted(left: Value, right: Value, op: ast.operator | None = None) -> str | None:
    """The dtype of what an operator makes of two operands, as far as they tell."""
    kinds = [value.dtype for value in (left, right) if isinstance(value, Array)]
    scalars = [v.value for v in (left, right) if isinstance(v, Constant)]
    floating = dtypes.together(kinds)
    if floating is not None:
        return floating
    if isinstance(op, ast.Div) or any(isinstance(scalar, float) for scalar in scalars):
        return "float32"
    return kinds[0] if kinds else None


def broadcast(interp: Interpreter, node: ast.AST, *shapes: Shape | None) -> Shape | None:
    """The broadcast shape; two sizes that must be equal are taken to be."""
    if any(shape is None for shape in shapes):
        return None
    rank = max(len(shape) for shape in shapes if shape is not None)
    result: list[Dim] = []
    for axis in range(-rank, 0):
        dims = [shape[axis] for shape in shapes if shape is not None and -axis <= len(shape)]
        known = [d for d in dims if not (isinstance(d, int) and d == 1)]
        # A mask, which comes later, may have an axis of one.
        if all(map(interp.symbols.met, known)):
            known.sort(key=interp.symbols.met, reverse=True)
        dim = agree(interp, node, known or [1])
        if dim is None:
            return None
        result.append(dim)
    return tuple(result)


def doubt_growth(interp: Interpreter, node: ast.AST, before: Value | None, after: Value) -> None:
    """What is added to an array seldom has more axes than it: the ranks of the inputs may be wrong."""
    if not isinstance(before, Array) or not isinstance(after, Array):
        return
    if before.shape and after.shape is not None and len(after.shape) > len(before.shape):
        interp.trouble(node, "what is added to an array has more axes than it")


def not_alone(interp: Interpreter, shape: Shape | None) -> Shape | None:
    """A shape beside something that may be an array of any shape: an axis of one may become longer."""
    if shape is None:
        return None
    return tuple(
        interp.symbols.unknown("it may be stretched by something unknown")
        if isinstance(dim, int) and dim == 1
        else dim
        for dim in shape
    )


def agree(interp: Interpreter, node: ast.AST, dims: list[Dim]) -> Dim | None:
    """The one size that several must be, as the program runs; None and a trouble if they cannot be."""
    dim = interp.symbols.resolve(dims[0])
    for other in dims[1:]:
        other = interp.symbols.resolve(other)
        if same(dim, other):
            continue
        if differ(dim, other):
            interp.trouble(node, f"sizes {dim} and {other} do not agree")
            return None
        interp.symbols.equate(dim, other)
        dim, other = interp.symbols.resolve(dim), interp.symbols.resolve(other)
        if interp.symbols.is_explained(other) and not interp.symbols.is_explained(dim):
            dim = other
        if is_symbolic(dim) and isinstance(interp.symbols.resolve(other), int):
            dim = interp.symbols.resolve(other)
    return dim


def unary(interp: Interpreter, node: ast.UnaryOp, operand: Value) -> Value:
    match node.op, operand:
        case ast.Not(), _:
            truth = interp.truth(operand)
            if truth is not None:
                return Constant(not truth)
            return (
                Unknown(f"not {operand.text}")
                if isinstance(operand, Unknown) and operand.text
                else UNKNOWN
            )
        case ast.USub(), Constant(value=int() | float() as known):
            return Constant(-known)
        case ast.USub(), Size(dim=dim):
            return from_dim(-dim)
        case ast.USub(), Unknown(text=str(text)) if text.isidentifier():
            symbol = dim_of(interp, operand)
            return UNKNOWN if symbol is None else from_dim(-symbol)
        case _, Array():
            return Array(operand.shape, operand.dtype)
    return UNKNOWN


# ---- comparisons ------------------------------------------------------------------------------------


def compare(interp: Interpreter, node: ast.Compare, values: list[Value]) -> Value:
    results = [
        _compare(interp, op, left, right)
        for op, left, right in zip(node.ops, values, values[1:], strict=False)
    ]
    if any(isinstance(result, Array) for result in results):
        return next(result for result in results if isinstance(result, Array))
    if FALSE in results:
        return FALSE
    return TRUE if all(result == TRUE for result in results) else UNKNOWN


def _compare(interp: Interpreter, op: ast.cmpop, left: Value, right: Value) -> Value:
    match op:
        case ast.Is() | ast.IsNot():
            answer = _is(left, right)
            return UNKNOWN if answer is None else Constant(answer is isinstance(op, ast.Is))
        case ast.Eq() | ast.NotEq():
            if isinstance(left, Array) or isinstance(right, Array):
                return _elementwise(interp, op, left, right)
            equal = _equal(interp, left, right)
            return UNKNOWN if equal is None else Constant(equal is isinstance(op, ast.Eq))
        case ast.In() | ast.NotIn():
            inside = _contains(left, right)
            return UNKNOWN if inside is None else Constant(inside is isinstance(op, ast.In))
    if isinstance(left, Array) or isinstance(right, Array):
        return _elementwise(interp, op, left, right)
    return _ordered(interp, op, left, right)


def _elementwise(interp: Interpreter, op: ast.AST, left: Value, right: Value) -> Value:
    one, two = (() if _is_text(value) else _operand(value) for value in (left, right))
    shape = None if one is None or two is None else broadcast(interp, op, one, two)
    return Array(shape, "bool")


def _is_text(value: Value) -> bool:
    """Whether a value is a number that a constructor can compute, of a configuration perhaps."""
    return isinstance(value, Unknown) and value.text is not None


def _is(left: Value, right: Value) -> bool | None:
    if isinstance(left, Constant) and isinstance(right, Constant):
        return left.value is right.value or (
            left.value == right.value and type(left.value) is type(right.value)
        )
    value = right if left == NONE else left
    other = left if value is right else right
    if other != NONE:
        return None
    match value:
        case Array(optional=optional):
            return None if optional else False
        case Either(values=values):
            answers = {_is(option, NONE) for option in values}
            return answers.pop() if len(answers) == 1 else None
        case Unknown():
            return None
    return False


def _equal(interp: Interpreter, left: Value, right: Value) -> bool | None:
    one, two = as_dim(left), as_dim(right)
    if one is not None and two is not None:
        one, two = interp.symbols.resolve(one), interp.symbols.resolve(two)
        return True if same(one, two) else (False if differ(one, two) else None)
    match left, right:
        case Constant(value=a), Constant(value=b):
            return bool(a == b)
        case Items(items=a), Items(items=b):
            if len(a) != len(b):
                return False
            answers = [_equal(interp, x, y) for x, y in zip(a, b, strict=True)]
            return False if False in answers else (None if None in answers else True)
        case External(name=x), External(name=y):
            return True if x == y else None
        case (Constant(value=None), Size() | Items()) | (Size() | Items(), Constant(value=None)):
            return False
        case (Constant(value=str()), Size()) | (Size(), Constant(value=str())):
            return False
    return True if left is right and not isinstance(left, Unknown | Either) else None


def _contains(left: Value, right: Value) -> bool | None:
    if isinstance(right, Table) and isinstance(left, Constant):
        return left.value in right.items
    if isinstance(left, Constant) and isinstance(right, Items):
        if all(isinstance(item, Constant) for item in right.items):
            return left in right.items
    if isinstance(left, Constant) and isinstance(right, Constant) and isinstance(right.value, str):
        return str(left.value) in right.value
    return None


def _ordered(interp: Interpreter, op: ast.cmpop, left: Value, right: Value) -> Value:
    functions: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
        ast.Lt: operator.lt,
        ast.LtE: operator.le,
        ast.Gt: operator.gt,
        ast.GtE: operator.ge,
    }
    function = functions[type(op)]
    one, two = as_dim(left), as_dim(right)
    if one is not None and two is not None:
        difference = interp.symbols.resolve(one) - interp.symbols.resolve(two)
        if isinstance(difference, int):
            return Constant(function(difference, 0))
        origins = interp.symbols.origins_of(difference).values()
        if any(isinstance(origin, Expression | Rounded) for origin in origins):
            return UNKNOWN  # a field or the count of a loop, which may be 0
        try:
            return Constant(bool(function(one, two)))  # decided by the least extent of 1
        except Exception:  # inconclusive
            return UNKNOWN
    if isinstance(left, Constant) and isinstance(right, Constant):
        try:
            return Constant(bool(function(left.value, right.value)))
        except TypeError:
            return UNKNOWN
    return UNKNOWN


def settled(interp: Interpreter, test: ast.expr, env: Environment) -> bool | None:
    """The truth of a test that the values leave open but the program's own checks settle; None if nothing does."""
    return None


def assume(interp: Interpreter, test: ast.expr, env: Environment, holds: bool) -> None:
    """Takes the outcome of a test as a fact about the names in it."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            assume(interp, operand, env, not holds)
        case ast.BoolOp(op=ast.And(), values=values) if holds:
            for operand in values:
                assume(interp, operand, env, True)
        case ast.BoolOp(op=ast.Or(), values=values) if not holds:
            for operand in values:
                assume(interp, operand, env, False)
        case ast.Call() if (asked := presence_asked(interp.facts, test)) is not None:
            _assume_none(interp, asked[0], env, holds is not asked[1])
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            _assume_compare(interp, op, left, right, env, holds)
        case ast.Name(id=name):
            value = env.lookup(name)
            if isinstance(value, Array) and value.optional:
                env.names[name] = Array(value.shape, value.dtype) if holds else NONE
            elif isinstance(value, Unknown) and value.why == FLAG:
                env.names[name] = Constant(holds)


def presence_asked(facts: Facts, node: ast.expr) -> tuple[ast.Name, bool] | None:
    """The name that `exists(x)` asks about, and whether it is true of one that is not None.

    The user's function is known by its one line, `return x is not None`.
    """
    match node:
        case ast.Call(func=func, args=[ast.Name() as name], keywords=[]):
            function = facts.value(func)
        case _:
            return None
    if not isinstance(function, Function):
        return None
    code = function.node
    body = [ast.Return(code.body)] if isinstance(code, ast.Lambda) else code.body
    match body[-1]:
        case ast.Return(
            value=ast.Compare(
                left=ast.Name(id=asked),
                ops=[ast.Is() | ast.IsNot() as op],
                comparators=[ast.Constant(value=None)],
            )
        ) if len(body) == 1 and [a.arg for a in code.args.args] == [asked]:
            return name, isinstance(op, ast.IsNot)
    return None


def _assume_compare(
    interp: Interpreter,
    op: ast.cmpop,
    left: ast.expr,
    right: ast.expr,
    env: Environment,
    holds: bool,
) -> None:
    if isinstance(op, ast.Is | ast.IsNot):
        is_none = holds is isinstance(op, ast.Is)
        if isinstance(right, ast.Constant) and right.value is None:
            _assume_none(interp, left, env, is_none)
    elif isinstance(op, ast.Eq | ast.NotEq) and holds is isinstance(op, ast.Eq):
        _assume_shape(interp, left, right, env)
        _assume_shape(interp, right, left, env)
        one, two = interp.facts.value(left), interp.facts.value(right)
        _assume_equal(interp, one, two)


def _assume_shape(interp: Interpreter, one: ast.expr, other: ast.expr, env: Environment) -> None:
    """`x.shape == (n, width)`: tells the shape of an array of which reading knows no more."""
    match one:
        case ast.Attribute(value=ast.Name(id=name), attr="shape"):
            known = env.lookup(name)
        case _:
            return
    shape = interp.peek(other, env)
    if not isinstance(shape, Items) or as_shape(shape) is None:
        return
    if known is UNKNOWN:
        env.names[name] = Array(as_shape(shape))
    elif isinstance(known, Array) and known.shape is None:
        env.names[name] = Array(as_shape(shape), known.dtype)


def _assume_none(interp: Interpreter, target: ast.expr, env: Environment, is_none: bool) -> None:
    """Narrows a name, or an attribute of an object, that is or is not None."""
    match target:
        case ast.Name(id=name):
            narrowed = _narrowed(env.lookup(name), is_none)
            if narrowed is not None:
                env.names[name] = narrowed
        case ast.Attribute(value=ast.Name(id=owner_name), attr=name):
            owner = env.lookup(owner_name)
            if isinstance(owner, Object):
                narrowed = _narrowed(owner.attributes.get(name, owner.arguments.get(name)), is_none)
                if narrowed is not None:
                    interp.mutating(owner)
                    owner.attributes[name] = narrowed


def _narrowed(value: Value | None, is_none: bool) -> Value | None:
    match value:
        case Array(optional=True, shape=shape, dtype=dtype):
            return NONE if is_none else Array(shape, dtype)
        case Either(values=values):
            rest = [option for option in values if (option == NONE) is is_none]
            return rest[0] if len(rest) == 1 else (Either(tuple(rest)) if rest else None)
        case Unknown() if is_none:
            return NONE
    return None


def _assume_equal(interp: Interpreter, left: Value | None, right: Value | None) -> None:
    if isinstance(left, Items) and isinstance(right, Items) and len(left.items) == len(right.items):
        for one, two in zip(left.items, right.items, strict=True):
            _assume_equal(interp, one, two)
        return
    a, b = as_dim(left), as_dim(right)
    if a is None and b is not None and left is not None:
        a = dim_of(interp, left)
    if b is None and a is not None and right is not None:
        b = dim_of(interp, right)
    if a is not None and b is not None:
        interp.symbols.equate(a, b)


# ---- iteration and subscripts ------------------------------------------------------------------------


def element(interp: Interpreter, value: Value, name: str | None = None) -> Value:
    """Any one item of an iterable; an unknown one is called `name` in a constructor."""
    from .joins import join

    match value:
        case Repeated(item=item):
            return item
        case Items(items=items) if items:
            result = items[0]
            for item in items[1:]:
                result = join(interp, ast.Pass(), "", result, item)
            return result
        case Array(shape=shape, dtype=dtype):
            return Array(shape[1:] if shape else None, dtype)
        case Unknown(text=text) if text is not None:
            return Unknown(name)
        case Constant(value=str()):
            return UNKNOWN
    return UNKNOWN


def may_be_layer(value: Value) -> bool:
    """Whether a value, or some of what it holds, is an object that is called, not data."""
    match value:
        case Items(items=items) | Either(values=items):
            return any(may_be_layer(item) for item in items)
        case Array() | Constant() | Size() | Index() | Unknown():
            return False
    return True


def items_of(interp: Interpreter, value: Value, count: int | None = None) -> list[Value] | None:
    """The items of an iterable of known length, or of an unknown one that must have `count`."""
    match value:
        case Items(items=items, open=unbounded):
            return None if unbounded else list(items)
        case Table(items=items):
            return [Constant(key) for key in items]
        case Behaviour():
            return value.items(interp, count)
        case Repeated(item=item):
            return None if count is None else [item] * count
        case Constant(value=str() | tuple() | list() | range() as known) if len(known) <= 256:
            return [Constant(item) for item in known]
        case Array(shape=shape, dtype=dtype) if shape:
            length = shape[0] if isinstance(shape[0], int) and shape[0] <= 256 else count
            return None if length is None else [Array(shape[1:], dtype)] * length
        case Unknown(text=text) if text is not None and count is not None:
            return [Unknown(f"{text}[{i}]", loop=value.loop) for i in range(count)]
        case Array() if count is not None:
            return [Array(None, value.dtype)] * count
    return None


def subscript(interp: Interpreter, node: ast.Subscript, container: Value, index: Value) -> Value:
    match container, index:
        case Behaviour(), _:
            return container.subscript(interp, index, node)
        case Items(open=True), _ if not is_slice(index):
            return listed.taken(interp, node, container)
        case Repeated(), Constant(value=int(at)) if at != -1:
            return listed.of_some_turn(interp, node, element(interp, container))
        case Items(open=True), _:
            return element(interp, container)
        case Items(items=items), Constant(value=int(at)):
            if -len(items) <= at < len(items):
                return items[at]
            interp.trouble(node, f"index {at} of {len(items)} items")
            return UNKNOWN
        case Items(items=items, kind=kind), Items(
            items=[Constant(value=a), Constant(value=b), Constant(value=c)]
        ):
            return Items(items[slice(a, b, c)], kind)
        case Items(items=items), Items(kind="slice") if items:
            return parts.part(interp, container, index) or Repeated(element(interp, container))
        case Constant(value=str() as text), Items(
            kind="slice", items=[Constant(value=a), Constant(value=b), Constant(value=c)]
        ):
            return Constant(text[slice(a, b, c)])
        case Items(items=items), _ if items:
            return chosen.size(interp, node, container) or element(interp, container)
        case Table(items=table), Constant(value=key):
            return table.get(key, UNKNOWN) if _hashable(key) else UNKNOWN
        case Table(items=table), _ if table:
            return element(interp, Items(list(table.values())))
        case Repeated(item=item), _ if not (isinstance(index, Items) and index.kind == "slice"):
            return item
        case Repeated(), _:
            return container
        case Array(), _:
            return index_array(interp, node, container, index)
        case External(), _:
            return container
        case Unknown(text=text), _ if text is not None:
            inside = _index_text(interp, index)
            loop = container.loop or next(
                filter(None, (_turn(interp, i) for i in _parts(index))), None
            )
            return Unknown(f"{text}[{inside}]", loop=loop) if inside else UNKNOWN
        case Object(cls=cls, attributes=attributes), Constant(value=int(at)) if is_record(cls):
            names = [field.name for field in fields(cls)]
            return attributes.get(names[at], UNKNOWN) if -len(names) <= at < len(names) else UNKNOWN
        case Either(values=values), _:
            return _of_one(interp, node, [v for v in values if _has(v, index)], index)
    return UNKNOWN


def _has(container: Value, index: Value) -> bool:
    """Whether a program that runs may take an item of one of several values."""
    if isinstance(container, Items) and isinstance(index, Constant) and not container.open:
        return isinstance(index.value, int) and index.value < len(container.items)
    return container != NONE


def _of_one(
    interp: Interpreter, node: ast.Subscript, options: Sequence[Value], index: Value
) -> Value:
    """An item of one of several values; what reading cannot tell is taken to be the like."""
    items = [subscript(interp, node, option, index) for option in options]
    from .joins import join

    told = [item for item in items if item is not UNKNOWN] or [UNKNOWN]
    return functools.reduce(lambda one, other: join(interp, node, "", one, other), told)


def _parts(index: Value) -> Sequence[Value]:
    """What an index is made of."""
    return index.items if isinstance(index, Items) else [index]


def is_slice(index: Value) -> bool:
    """Whether an index takes several items."""
    return isinstance(index, Items) and index.kind == "slice"


def _index_text(interp: Interpreter, index: Value) -> str | None:
    match index:
        case Constant(value=known):
            return repr(known)
        case Unknown(text=text):
            return text
        case Size():
            return interp_text(interp, index)
        case Items(kind="slice", items=items):
            parts = ["" if item == NONE else _index_text(interp, item) for item in items]
            if any(part is None for part in parts):
                return None
            return ":".join(str(part) for part in (parts if parts[2] else parts[:2]))
    return None


def _hashable(key: object) -> bool:
    return getattr(type(key), "__hash__", None) is not None

"""Loops and comprehensions.

A loop whose body makes no layers and whose length is known is unrolled, and any of known length where the interpreter
is to be `exact`, with nothing to tell of the layers. Any other is run on a symbol for its loop
variables until the sizes at its head no longer change: a size that a turn changes becomes a `Running` symbol, whose
first value and update are recorded in the facts.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import counted, last_turns, operators, walked
from .dims import Dim, Expression, Running, same
from .facts import RunningSize, Used
from .scopes import Environment
from .values import (
    UNKNOWN,
    Array,
    Begun,
    Constant,
    Either,
    Index,
    Items,
    LayerObject,
    Object,
    Repeated,
    Size,
    Table,
    Unknown,
    Value,
    as_dim,
    count_of,
)

if TYPE_CHECKING:
    from .interpreter import Interpreter
_Step = Callable[[Value, Value], Value]  # a layer and what it is given: what it returns
States = Mapping[int, tuple[Any, Any]]  # containers and their states, by identity

MAX_PASSES = 5


def run(
    interp: Interpreter, node: ast.For | ast.AsyncFor | ast.While, env: Environment
) -> str | None:
    """Runs a `for` or `while` statement; returns how control always leaves it."""
    iterable = UNKNOWN if isinstance(node, ast.While) else interp.evaluate(node.iter, env)
    known = None if isinstance(node, ast.While) else operators.items_of(interp, iterable)
    if known == []:
        return interp.execute(node.orelse, env)
    if isinstance(node, ast.For) and isinstance(iterable, Items) and iterable.open:
        groups = _grouped(interp, iterable.items)
        if any(loop is not None for loop, _ in groups):
            _over_layers(interp, node, groups, env)
            return interp.execute(node.orelse, env)
    before = dict(env.names)
    forget = interp.before_trial() if interp.before_trial is not None else None
    made = _sites(interp, known)
    interp._journals.append({})
    _stabilise(interp, node, iterable, env)
    states = interp._undo()
    few = known is not None and len(known) <= interp.max_unrolled
    unrollable = few and (interp.exact or _sites(interp, known) == made)
    if unrollable and known is not None:
        interp.facts.clear_under_all(node.body)
        env.names.clear()
        env.names.update(before)
        if forget is not None:
            forget()
        return _unroll(interp, node, known, env)
    interp._redo(states)
    for container, _ in states.values():
        if isinstance(container, Items) and len(container.items) > 0:
            container.open = True
    counted.lists(interp, node, iterable, before, env)
    return interp.execute(node.orelse, env)


def _sites(interp: Interpreter, known: Sequence[Value] | None) -> int:
    """How many layers were made so far; where each turn runs a module of its own, what these make is not the loop's."""
    if known is None or not _are_told_apart(known):
        return interp.creations
    owner = interp.frames[-1].self_value if interp.frames else None
    made = interp.creations_of
    return made.get(None, 0) + (made.get(owner, 0) if isinstance(owner, Object) else 0)


def _are_told_apart(items: Sequence[Value]) -> bool:
    """Whether some items are modules, each made in a place of its own: a list that is written out."""
    sites = [item.site for item in items if isinstance(item, Object | LayerObject)]
    return bool(sites) and None not in sites and len(set(map(id, sites))) == len(sites)


def _unroll(
    interp: Interpreter,
    node: ast.For | ast.AsyncFor | ast.While,
    known: list[Value],
    env: Environment,
) -> str | None:
    assert not isinstance(node, ast.While)
    for item in known:
        interp.assign(node.target, item, env)
        leaving = interp.execute(node.body, env)
        if leaving in ("return", "raise"):
            return leaving
        if leaving == "break":
            return None
    return interp.execute(node.orelse, env)


def _stabilise(
    interp: Interpreter, node: ast.For | ast.AsyncFor | ast.While, iterable: Value, env: Environment
) -> None:
    """Runs the body until the sizes at its head are stable.

    A list that a turn adds to, and reads, has no known length at the head.
    """
    head = dict(env.names)
    opened: set[int] = set()
    sides = last_turns.passed_by(node)
    for turn in range(MAX_PASSES):
        earlier: Mapping[str, Value] = {}
        if sides:
            with last_turns.left_out(interp, sides):
                _turn(interp, node, iterable, env)
            earlier = dict(env.names)
            env.names.clear()
            env.names.update(head)
        states = _turn(interp, node, iterable, env)
        changed = _changed(interp, node, head, last_turns.handed_on(head, env.names, earlier))
        grown = [each for each in _grown(node, states, env) if id(each[0]) not in opened]
        for growing, items in grown:
            interp.mutating(growing)
            growing.items, growing.open = list(items), True
            opened.add(id(growing))
        if not (changed or grown) or turn == MAX_PASSES - 1:
            interp._redo(states)
            _after(interp, node, head, env)
            return
        head.update(changed)
        env.names.clear()
        env.names.update(head)


def _turn(
    interp: Interpreter, node: ast.For | ast.AsyncFor | ast.While, iterable: Value, env: Environment
) -> States:
    """Runs the body once, for any turn; returns what it did to containers, which is taken back."""
    interp.facts.clear_under_all(node.body)
    interp._journals.append({})
    if not isinstance(node, ast.While):
        bind_target(interp, node, node.target, generic_item(interp, iterable), env)
        walked.bind(interp, node, env)
    else:
        interp.evaluate(node.test, env)
    interp.execute(node.body, env)
    return interp._undo()


def _grown(
    node: ast.For | ast.AsyncFor | ast.While, states: States, env: Environment
) -> list[tuple[Items, list[Value]]]:
    """The lists from before a loop that a turn has added to and that its body reads, with their items after it."""
    found: list[tuple[Items, list[Value]]] = []
    for container, after in states.values():
        if isinstance(container, Items) and len(after) > len(container.items):
            names = {name for name, value in env.names.items() if value is container}
            if any(_is_read(each, names, env) for part in node.body for each in ast.walk(part)):
                found.append((container, after))
    return found


def _is_read(node: ast.AST, names: Collection[str], env: Environment) -> bool:
    """Whether a node reads the items of a list, and does not only add to it."""
    if not isinstance(node, ast.Name) or node.id not in names or isinstance(node.ctx, ast.Store):
        return False
    match env.module.source.parents.get(node):
        case ast.Attribute(attr="append" | "extend" | "insert"):
            return False
        case ast.Call(func=ast.Name(id="len")):
            return False
    return True


def _changed(
    interp: Interpreter, node: ast.AST, head: dict[str, Value], end: Mapping[str, Value]
) -> dict[str, Value]:
    """The names whose sizes a turn changed, with symbols in place of what changed."""
    changed: dict[str, Value] = {}
    for name, start in head.items():
        value = _widened(interp, node, name, start, end.get(name, start))
        if value is not None:
            changed[name] = value
    return changed


def _widened(
    interp: Interpreter, node: ast.AST, name: str, start: Value, end: Value
) -> Value | None:
    if start is end:
        return None
    one, two = as_dim(start), as_dim(end)
    if one is not None and two is not None:
        one, two = interp.symbols.resolve(one), interp.symbols.resolve(two)
        if same(one, two):
            return None
        dim = interp.symbols.new(Expression(name, node), ("counter", node, name))
        return None if same(dim, one) else Size(dim)
    if isinstance(start, Unknown) and start.text:
        return _widened_text(node, name, start, end)
    if isinstance(start, Array) and isinstance(end, Array):
        return _widened_array(interp, node, name, start, end)
    if isinstance(start, Items) and isinstance(end, Items) and len(start.items) == len(end.items):
        items = [
            _widened(interp, node, f"{name}_{i}", a, b) or a
            for i, (a, b) in enumerate(zip(start.items, end.items, strict=True))
        ]
        return (
            None
            if all(a is b for a, b in zip(items, start.items, strict=True))
            else Items(items, start.kind, start.names, start.cls)
        )
    if isinstance(start, Constant) and isinstance(end, Constant) and start != end:
        return UNKNOWN
    return None


def _widened_text(node: ast.AST, name: str, start: Unknown, end: Value) -> Value | None:
    """A number that only a constructor can compute: one that a turn changes goes by its name in the turns."""
    known = isinstance(end, Unknown) and (end.text, end.loop) == (start.text, start.loop)
    own = (start.text, start.loop) == (name, node)
    return None if known or own else Unknown(name, loop=node)


def _widened_array(
    interp: Interpreter, node: ast.AST, name: str, start: Array, end: Array
) -> Array | None:
    if start.shape is None:
        return None
    if end.shape is None or len(end.shape) != len(start.shape):
        interp.trouble(node, f"a turn may change how many axes `{name}` has")
        return Array(None, start.dtype, start.optional)
    dims: list[Dim] = []
    for axis, (one, two) in enumerate(zip(start.shape, end.shape, strict=True)):
        one, two = interp.symbols.resolve(one), interp.symbols.resolve(two)
        if same(one, two):
            dims.append(one)
            continue
        place = axis - len(start.shape)
        dim = interp.symbols.new(
            Running(node, name, place), ("running", node, name, place, interp.root)
        )
        known = interp.facts.running.get(str(dim))
        again = known is not None and same(one, dim)  # a later turn of the same run of the loop
        interp.facts.running[str(dim)] = RunningSize(
            node, name, place, known.initial if known and again else one, two
        )
        dims.append(dim)
    shape = tuple(dims)
    if all(same(a, b) for a, b in zip(shape, start.shape, strict=True)):
        return None
    return Array(shape, start.dtype, start.optional)


def _after(interp: Interpreter, node: ast.AST, head: dict[str, Value], env: Environment) -> None:
    """After the loop a running size has whatever value the last turn gave it: the same symbol."""
    for name, start in head.items():
        end = env.names.get(name)
        if isinstance(start, Array) and isinstance(end, Array) and start.shape and end.shape:
            if len(start.shape) != len(end.shape):
                env.names[name] = Array(None, end.dtype, end.optional)
                continue
            for axis, (one, two) in enumerate(zip(start.shape, end.shape, strict=True)):
                place = axis - len(start.shape)
                running = interp.facts.running.get(str(one))
                if running is not None and running.loop is node and running.name == name:
                    interp.facts.running[str(one)] = RunningSize(
                        node, name, place, running.initial, two
                    )
            env.names[name] = Array(start.shape, end.dtype, end.optional)
        elif isinstance(start, Array) and isinstance(end, Array) and start.shape and end.last:
            running = interp.facts.running.get(str(start.shape[-1]))
            if running is not None and running.loop is node and same(running.update, end.last):
                env.names[name] = Array(None, end.dtype, end.optional, start.shape[-1])
        elif isinstance(start, Size) and as_dim(end) is not None:
            env.names[name] = start


# ---- layers that a loop made, run one after the other -----------------------------------------------------


def run_sequence(interp: Interpreter, steps: Sequence[Value], start: Value, run: _Step) -> Value:
    """Runs each step on what the one before returned; those that a loop made are run any number of times."""
    value = start
    for loop, members in _grouped(interp, steps):
        value = (
            _through(members, value, run)
            if loop is None
            else _repeated(interp, loop, members, value, run)
        )
    return value


Groups = list[tuple[ast.AST | None, list[Value]]]


def _grouped(interp: Interpreter, steps: Sequence[Value]) -> Groups:
    """Steps by the loop that made them; what is no layer belongs to the layer before it."""
    groups: Groups = []
    for step in steps:
        loop = _loop_of(interp, step)
        if groups and (loop is groups[-1][0] or _site_of(step) is None):
            groups[-1][1].append(step)
        else:
            groups.append((loop, [step]))
    return groups


def _over_layers(interp: Interpreter, node: ast.For, groups: Groups, env: Environment) -> None:
    """A loop over layers: those that a loop made are run through until the sizes between turns are stable.

    The sizes run along with the loop that made the layers, which is where the constructor needs them.
    """
    for loop, members in groups:
        head = dict(env.names)
        earlier = _uses(interp, members)
        for _ in range(MAX_PASSES if loop is not None else 1):
            _forget_later_uses(interp, earlier)
            for member in members:
                bind_target(interp, node, node.target, member, env)
                interp.execute(node.body, env)
            if loop is None:
                break
            changed = _changed(interp, loop, head, env.names)
            if not changed:
                _after(interp, loop, head, env)
                break
            head.update(changed)
            env.names.clear()
            env.names.update(head)


def _uses(interp: Interpreter, members: Sequence[Value]) -> dict[ast.Call, list[Used]]:
    """The calls of layers that were met before a loop over them, by site."""
    sites = [site for member in members if (site := _site_of(member)) is not None]
    return {site: list(interp.facts.uses_of[site]) for site in sites}


def _forget_later_uses(interp: Interpreter, earlier: Mapping[ast.Call, list[Used]]) -> None:
    for site, uses in earlier.items():
        interp.facts.uses_of[site] = list(uses)


def _site_of(step: Value) -> ast.Call | None:
    if isinstance(step, Items):
        return next((site for item in step.items if (site := _site_of(item)) is not None), None)
    if isinstance(step, Either):  # of one class or another, made in one place
        sites = {_site_of(option) for option in step.values}
        return sites.pop() if len(sites) == 1 else None
    return getattr(step, "site", None)


def _through(steps: Sequence[Value], value: Value, run: _Step) -> Value:
    for step in steps:
        value = run(step, value)
    return value


def _repeated(
    interp: Interpreter, loop: ast.AST, steps: Sequence[Value], start: Value, run: _Step
) -> Value:
    head = start
    earlier = _uses(interp, steps)
    for _ in range(MAX_PASSES):
        _forget_later_uses(interp, earlier)
        end = _through(steps, head, run)
        wider = _widened(interp, loop, "x", head, end)
        if wider is None:
            break
        head = wider
    if isinstance(head, Array) and isinstance(end, Array) and head.shape and end.shape:
        for axis, (one, two) in enumerate(zip(head.shape, end.shape, strict=False)):
            known = interp.facts.running.get(str(one))
            if known is not None and known.loop is loop:
                interp.facts.running[str(one)] = RunningSize(
                    loop, "x", axis - len(head.shape), known.initial, two
                )
    return head


def _loop_of(interp: Interpreter, step: Value) -> ast.AST | None:
    """The innermost loop in which a layer is made; that around it for a list which such a loop fills."""
    site = _site_of(step)
    if site is None:
        return None
    outward = _fillings(step)
    for module in interp.project.modules.values():
        node: ast.AST = site
        while node in module.source.parents:
            node = module.source.parents[node]
            if isinstance(node, ast.For):
                if outward == 0:
                    return node
                outward -= 1
            if isinstance(node, ast.FunctionDef):
                return None
    return None


def _fillings(step: Value) -> int:
    """How many loops, one in another, fill a list of lists."""
    if not isinstance(step, Items) or not step.items:
        return 0
    return int(step.open) + max(_fillings(item) for item in step.items)


# ---- what a loop variable is ----------------------------------------------------------------------------


def generic_item(interp: Interpreter, iterable: Value) -> Value:
    """Any one item of an iterable, numbers that differ between items left for the loop to name."""
    match iterable:
        case Repeated(item=Size(dim=dim), key=None) if not interp.symbols.is_explained(dim):
            return Index()
        case Repeated(item=item, key=None):
            return item
        case Repeated(key=key) if key is not None:
            return key
        case Items(items=items):
            return _generic(interp, items)
        case Table(items=table):
            return _generic(interp, [Constant(key) for key in table])
        case Constant(value=range() | tuple() | list() as known):
            return _generic(interp, [Constant(item) for item in known])
        case Array(shape=shape, dtype=dtype):
            return Array(shape[1:] if shape else None, dtype)
        case Unknown(text=text) if text is not None:
            return Unknown("")
    return UNKNOWN


def _generic(interp: Interpreter, items: Sequence[Value]) -> Value:
    if not items:
        return UNKNOWN
    first = items[0]
    if all(item is first or item == first for item in items):
        return first
    if all(as_dim(item) is not None for item in items):
        return Index()
    if all(
        isinstance(item, Items) and len(item.items) == len(getattr(first, "items", ()))
        for item in items
    ):
        columns = zip(*[item.items for item in items if isinstance(item, Items)], strict=True)
        return Items([_generic(interp, list(column)) for column in columns])
    if all(isinstance(item, Constant) for item in items):
        return Unknown("")
    return operators.element(interp, Items(list(items)))


def bind_target(
    interp: Interpreter, node: ast.AST, target: ast.expr, value: Value, env: Environment
) -> None:
    """Assigns a loop variable; numbers and unknowns get the variable's own name as their text."""
    match target, value:
        case ast.Name(id=name), Index():
            value = Size(
                interp.symbols.new(Expression(name, node), ("loop", node, name, interp.root))
            )
        case ast.Name(id=name), Unknown(text=""):
            value = Unknown(name, loop=node)
        case ((ast.Tuple(elts=elts) | ast.List(elts=elts)), Items(items=items)) if len(elts) == len(
            items
        ):
            for inner, item in zip(elts, items, strict=True):
                bind_target(interp, node, inner, item, env)
            return
        case ((ast.Tuple(elts=elts) | ast.List(elts=elts)), Unknown(text="")):
            for inner in elts:
                bind_target(interp, node, inner, value, env)
            return
    interp.assign(target, value, env)


# ---- comprehensions ---------------------------------------------------------------------------------------


def comprehension(
    interp: Interpreter,
    node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp,
    env: Environment,
) -> Value:
    """A list, set, dict or generator built in one expression."""
    made = _sites(interp, None)
    generator = node.generators[0]
    iterable = interp.evaluate(generator.iter, env)
    result = _symbolic(interp, node, iterable, Environment(env.module, env, node=node))
    known = operators.items_of(interp, iterable)
    simple = len(node.generators) == 1 and not generator.ifs and known is not None
    if (
        simple
        and known is not None
        and len(known) <= interp.max_unrolled
        and _sites(interp, None) == made
    ):
        return _expanded(interp, node, known, Environment(env.module, env, node=node))
    begun = iterable.first if isinstance(iterable, Begun) else known
    if begun is not None and isinstance(node, ast.ListComp | ast.GeneratorExp):
        first = _passing(interp, node, begun, Environment(env.module, env, node=node))
        if first and _sites(interp, None) == made:
            return Begun(first)
    return result


def _passing(
    interp: Interpreter,
    node: ast.ListComp | ast.GeneratorExp,
    known: list[Value],
    env: Environment,
) -> list[Value]:
    """The first items of `[x for x in xs if x is not None]`, up to one that may or may not pass."""
    match node.elt, node.generators:
        case ast.Name(id=item_name), [
            ast.comprehension(target=ast.Name(id=name) as target, ifs=[test])
        ] if item_name == name:
            found: list[Value] = []
            for item in known[: interp.max_unrolled]:
                interp.assign(target, item, env)
                passes = interp.truth(interp.evaluate(test, env))
                if passes is None:
                    break
                found += [item] if passes else []
            return found
    return []


def _symbolic(
    interp: Interpreter,
    node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp,
    first: Value,
    env: Environment,
) -> Value:
    for generator in node.generators:
        iterable = (
            first if generator is node.generators[0] else interp.evaluate(generator.iter, env)
        )
        bind_target(interp, node, generator.target, generic_item(interp, iterable), env)
        for condition in generator.ifs:
            interp.evaluate(condition, env)
    if isinstance(node, ast.DictComp):
        key = interp.evaluate(node.key, env)
        return Repeated(interp.evaluate(node.value, env), key=key)
    alone = len(node.generators) == 1 and not node.generators[0].ifs
    return Repeated(interp.evaluate(node.elt, env), count=count_of(first) if alone else None)


def _expanded(
    interp: Interpreter,
    node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp,
    known: list[Value],
    env: Environment,
) -> Value:
    target = node.generators[0].target
    if isinstance(node, ast.DictComp):
        table = Table({})
        for item in known:
            interp.assign(target, item, env)
            key = interp.evaluate(node.key, env)
            value = interp.evaluate(node.value, env)
            if not isinstance(key, Constant):
                return Repeated(value, key=key)
            table.items[key.value] = value
        return table
    items = []
    for item in known:
        interp.assign(target, item, env)
        items.append(interp.evaluate(node.elt, env))
    return Items(items, "list")

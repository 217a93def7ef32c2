"""Calls of layers, modules and own methods: flags go, other arguments are named and written as NNX has them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from ..rule import Around, Drop, Layer, Method, Mode, Refuse, To, Use, Written
from ..shapes import classes
from ..shapes.calls import use_of
from ..shapes.facts import Used
from ..shapes.values import Either, LayerObject, Object, Partial
from ..signatures import is_unpacked, written_arguments
from .construct import CallMode
from .method_context import MethodContext
from .transport import CannotMove, NeedsFlags


def edit_calls(context: MethodContext, function: ast.FunctionDef) -> None:
    """Arguments of calls of layers and modules: flags go, others are renamed."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and any(
            v.kind == "sow" for v in context.facts.variables.get(node, [])
        ):
            _sow(context, node)
        if isinstance(node, ast.Call) and node not in context.facts.used:
            _own_call(context, node)
        if isinstance(node, ast.Call) and node in context.facts.used and not context.is_gone(node):
            use = context.facts.used[node][-1]
            if use.method == "__call__" or isinstance(use.target, Object):
                _call(context, node, use)
    for node in reversed(list(ast.walk(function))):
        if isinstance(node, ast.Call) and node in context.facts.used and not context.is_gone(node):
            use = context.facts.used[node][-1]
            if use.method != "__call__" and isinstance(use.target, LayerObject):
                _layer_method(context, node, use, use.target)


def _sow(context: MethodContext, node: ast.Call) -> None:
    """`self.sow('intermediates', ...)` names the type of what is kept."""
    named = [k.value for k in node.keywords if k.arg == "col"]
    for collection in [*node.args[:1], *named]:
        if isinstance(collection, ast.Constant) and collection.value == "intermediates":
            context.edits.replace(collection, "nnx.Intermediate")
            context.gone.add(collection)


def _own_call(context: MethodContext, node: ast.Call) -> None:
    """A call of another method of the class: flags that went from its parameters go here too."""
    inherited = context.inherited(node)
    if inherited is not None:
        _drop_flags(context, node, *inherited)
        return
    match node.func:
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            method = next(
                (f for f in context.flags.parameters if getattr(f, "name", "") == name), None
            )
            if isinstance(method, ast.FunctionDef):
                names = [a.arg for a in method.args.args][1:]
                _drop_flags(context, node, names, context.flags.parameters[method])


def _drop_flags(
    context: MethodContext, node: ast.Call, names: Sequence[str], gone: Mapping[str, str]
) -> None:
    items = [a for place, a in enumerate(node.args) if place < len(names) and names[place] in gone]
    for item in [*items, *[k for k in node.keywords if k.arg in gone]]:
        context.edits.remove_item(node, item)
        context.gone.add(item)


def _call(context: MethodContext, node: ast.Call, use: Used) -> None:
    if isinstance(use.target, LayerObject):
        if not use.target.rule.inline:
            _layer_call(context, node, use, use.target)
        return
    child = context.models.get(use.target.cls.node)
    if child is None:
        return
    modes = child.modes.get(use.method, {})
    method = classes.method(use.target.cls, use.method)
    names = [a.arg for a in method.node.args.args][1:] if method is not None else []
    for name in modes:
        place = names.index(name) if name in names else len(node.args)
        value = next(
            (k.value for k in node.keywords if k.arg == name),
            node.args[place] if place < len(node.args) else None,
        )
        if value is None or not context.flags.is_mode(value):
            raise NeedsFlags(use.target.cls.node, child.name)
    dropped = [
        arg for place, arg in enumerate(node.args) if place < len(names) and names[place] in modes
    ]
    for arg in [*dropped, *[k for k in node.keywords if k.arg in modes]]:
        context.edits.remove_item(node, arg)
        context.gone.add(arg)


def _layer_call(context: MethodContext, node: ast.Call, use: Used, layer: LayerObject) -> None:
    rule = layer.rule
    _unpacked_arguments(context, node, rule)
    _call_around(context, node, rule)
    seen = use_of(context.interp, rule, layer.arguments, use.args, use.kwargs)
    for place, arg in enumerate(node.args):
        if isinstance(arg, ast.Starred) or place >= len(rule.inputs):
            continue
        _call_argument(context, node, arg, arg, rule.inputs[place], rule.call, seen)
    for keyword in node.keywords:
        if keyword.arg is not None:
            _call_argument(context, node, keyword, keyword.value, keyword.arg, rule.call, seen)
    given = {keyword.arg for keyword in node.keywords}
    for each in _modes_of(context, node, layer):
        target = each.mode.target or ""
        if target not in given:
            text = context.edits.render(each.value)
            text = _negation(each.value, text) if each.mode.negated else text
            _append_argument(context, node, f"{target}={text}")


def _unpacked_arguments(context: MethodContext, node: ast.Call, rule: Layer) -> None:
    """Arguments out of sight go on to a layer that has them as the original does, or get their new names in a run."""
    starred = next((p for p, a in enumerate(node.args) if isinstance(a, ast.Starred)), None)
    named = any(keyword.arg is None for keyword in node.keywords)
    if named and rule.call_options and starred is None:
        for keyword in node.keywords:
            if keyword.arg is None:
                text = context.edits.render(keyword.value)
                context.edits.replace(keyword.value, f"{rule.call_options}({text})")
        context.helpers.add(rule.call_options)
        return
    behind = rule.inputs[starred:] if starred is not None else ()
    changed = [name for name, argument in rule.call.items() if not _is_alike(name, argument)]
    if changed if named else set(changed) & set(behind):
        raise CannotMove(
            node,
            f"{rule.source.rpartition('.')[2]} is called with arguments that are unpacked",
            "write the arguments out",
        )


def _call_around(context: MethodContext, node: ast.Call, rule: Layer) -> None:
    """A call whose arguments a helper takes: `layer(x, scale=s)` becomes `helper(layer, x, scale=s)`."""
    placed = list(zip(rule.inputs, node.args, strict=False))
    given = [*placed, *[(k.arg or "", k.value) for k in node.keywords]]
    found = {
        argument.helper
        for name, value in given
        if isinstance(argument := rule.call.get(name), Around)
        and not (isinstance(value, ast.Constant) and value.value is None)
    }
    if not found:
        return
    kinds = [rule.call.get(name) for name, _ in placed[1:]]
    flags = any(isinstance(kind, Mode) for kind in kinds)
    if not node.args or (flags and any(isinstance(kind, Around) for kind in kinds)):
        raise CannotMove(node, "a scale or an offset that is given by place", "give it by name")
    (helper,) = found
    start, _ = context.edits.source.span(node)
    _, end = context.edits.source.span(node.func)
    inside, _ = context.edits.source.span(node.args[0])
    context.edits.insert(start, f"{helper}(")
    context.edits.replace((end, inside), ", ")
    context.helpers.add(helper)


def _layer_method(context: MethodContext, node: ast.Call, use: Used, layer: LayerObject) -> None:
    """Another method of a layer than its call: its rule may write the arguments anew."""
    method = layer.rule.methods.get(use.method)
    if not isinstance(method, Method) or method.write is None:
        return
    if is_unpacked(node):
        raise CannotMove(node, f"`{use.method}` gets unpacked arguments", "write the arguments out")
    given = written_arguments(method.inputs, node)
    seen = use_of(context.interp, layer.rule, layer.arguments, use.args, use.kwargs)
    written = {
        name: Written(context.edits.render(value), context.facts.value(value), seen)
        for name, value in given.items()
    }
    text = f"{context.edits.render(node.func)}({method.write(written)})"
    context.edits.replace(node, text)
    context.gone.update(ast.walk(node))


def _modes_of(context: MethodContext, call: ast.Call, layer: LayerObject) -> Iterator[CallMode]:
    """The flags that the source gave to a layer's constructor, for one of its calls."""
    for site in context.sites:
        if not any(made.value is layer for made in site.made):
            continue
        held = context.facts.value(site.node.func)
        options = held.values if isinstance(held, Either) else (held,)
        for maker, found in context.at_call.items():
            partial = context.facts.value(maker)
            given = [option is partial and isinstance(option, Partial) for option in options]
            if maker is not site.node and not any(given):
                continue
            if maker is not site.node and not all(given):
                raise CannotMove(
                    maker,
                    f"a flag that only some of what `{ast.unparse(site.node.func)}` may be is given",
                    "make the one or the other in an `if`",
                )
            if context.function_of(maker) is not context.function_of(call):
                raise CannotMove(maker, "a flag is given in one method, and used in another", "")
            yield from found


def _append_argument(context: MethodContext, call: ast.Call, text: str) -> None:
    source = context.edits.source
    end = len(source.text[: source.span(call)[1] - 1].rstrip())
    last = source.text[end - 1]
    context.edits.insert(end, {"(": text, ",": f" {text}"}.get(last, f", {text}"))


def _call_argument(
    context: MethodContext,
    call: ast.Call,
    item: ast.expr | ast.keyword,
    value: ast.expr,
    name: str,
    table: Mapping[str, object],
    use: Use,
) -> None:
    match table.get(name):
        case Mode() as mode:
            _mode_argument(context, call, item, value, name, mode)
        case Drop(only_if=only_if, message=message, help=help):
            known = value.value if isinstance(value, ast.Constant) else value
            if only_if is not None and known not in only_if:
                raise CannotMove(value, message or f"`{name}` has no counterpart", help)
            context.edits.remove_item(call, item)
            context.gone.add(item)
        case Around() if isinstance(value, ast.Constant) and value.value is None:
            context.edits.remove_item(call, item)
            context.gone.add(item)
        case Refuse(message=message, help=help):
            raise CannotMove(value, message, help)
        case To(name=target, write=write):
            _renamed_argument(context, item, value, name, target, write, use)


def _renamed_argument(
    context: MethodContext,
    item: ast.expr | ast.keyword,
    value: ast.expr,
    name: str,
    target: str,
    write: object,
    use: Use,
) -> None:
    text = context.edits.render(value)
    if callable(write):
        text = write(Written(text, use.inputs.get(name), use)) or text
    if target != name or callable(write):
        context.edits.replace(
            item,
            f"{target}={text}" if isinstance(item, ast.keyword) or target != name else text,
        )


def _mode_argument(
    context: MethodContext,
    call: ast.Call,
    item: ast.expr | ast.keyword,
    value: ast.expr,
    name: str,
    mode: Mode,
) -> None:
    if (
        context.flags.is_mode(value)
        or mode.target is None
        or (isinstance(value, ast.Constant) and value.value is None)
    ):
        context.edits.remove_item(call, item)
        context.gone.add(item)
        return
    if name == mode.target and not mode.negated and isinstance(item, ast.keyword):
        return
    text = context.edits.render(value)
    if mode.negated:
        text = _negation(value, text)
    context.edits.replace(item, f"{mode.target}={text}")


def _is_alike(name: str, argument: object) -> bool:
    """Whether a layer's counterpart has an argument of a call as the layer has it."""
    match argument:
        case Mode(target=target, negated=negated):
            return target == name and not negated
        case To(name=target, write=write):
            return target == name and write is None
    return False


def _negation(value: ast.expr, text: str) -> str:
    if isinstance(value, ast.Constant) and isinstance(value.value, bool):
        return str(not value.value)
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not):
        return text.removeprefix("not ").strip()
    return (
        f"not {text}" if isinstance(value, ast.Name | ast.Attribute | ast.Call) else f"not ({text})"
    )

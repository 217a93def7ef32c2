"""What names and calls around functions that make layers stand for."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from .. import chains
from ..ancestry import functions_around
from ..emit.file_names import FileNames
from ..project import Module, read_in_place
from ..shapes import classes
from ..shapes.interpreter import Interpreter
from ..shapes.values import Class, External, Function, Value
from .maker import calls_in, is_self, makes_on_self, names_written

TRANSFORMS = frozenset(
    f"haiku.{name}"
    for name in (
        "transform",
        "transform_with_state",
        "multi_transform",
        "multi_transform_with_state",
    )
)


_DRAWS = frozenset(
    f"haiku.{name}" for name in ("next_rng_key", "next_rng_keys", "maybe_next_rng_key")
)


# Layers that are only ever called, with one array.
_PLAIN_LAYERS = frozenset(
    f"haiku.{name}"
    for name in (
        *("Linear", "Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose"),
        *("Conv3DTranspose", "DepthwiseConv1D", "DepthwiseConv2D", "LayerNorm", "GroupNorm"),
        *("InstanceNorm", "RMSNorm", "Embed", "Flatten", "nets.MLP"),
        *("AvgPool", "MaxPool", "Reshape"),
    )
)


class Lookup:
    """Tells what an expression of a file names, by the definitions of the project."""

    def __init__(self, interp: Interpreter, modules: Sequence[Module]) -> None:
        self.interp = interp
        self.names = {m: FileNames(m, interp.environment_of(m), interp.rules) for m in modules}

    def method_around(self, node: ast.AST, module: Module) -> Class | None:
        """The module class in one of whose methods a node stands."""
        below: ast.AST = node
        while below in module.source.parents:
            above = module.source.parents[below]
            if isinstance(above, ast.ClassDef) and isinstance(below, ast.FunctionDef):
                value = self.interp.environment_of(module).names.get(above.name)
                if isinstance(value, Class) and classes.framework(value):
                    return value
                return None
            below = above
        return None

    def kind(self, call: ast.Call, module: Module) -> str | None:
        """The framework of what a call makes."""
        value = self.value(self._made_ready(call.func, module), module)
        match value:
            case External(name=name) if self.interp.rules.layer(name) is not None:
                return "haiku" if name.startswith("haiku.") else "linen"
            case Class():
                return classes.framework(value)
        return None

    def _made_ready(self, node: ast.expr, module: Module) -> ast.expr:
        """What a local partial of a function calls, `norm = functools.partial(nn.LayerNorm, ...)`; else the node."""
        if not isinstance(node, ast.Name):
            return node
        around = next(functions_around(node, module.source.parents), None)
        given = [
            assigned.value
            for assigned in ast.walk(around or node)
            if isinstance(assigned, ast.Assign) and node.id in names_written(assigned)
        ]
        match given:
            case [ast.Call(func=head, args=[made, *_])] if (
                self.names[module].qualified(head) == "functools.partial"
            ):
                return made
        return node

    def draws(self, call: ast.Call, module: Module) -> bool:
        return self.names[module].qualified(call.func) in _DRAWS

    def is_plain_layer(self, node: ast.expr, module: Module) -> bool:
        """Whether an expression makes a layer of Haiku, or a module, that is only ever called, with one array."""
        if not isinstance(node, ast.Call):
            return False
        match node:
            case ast.Call(args=[ast.List(elts=[first, *_]) | ast.Tuple(elts=[first, *_]), *_]) if (
                self.names[module].qualified(node.func) == "haiku.Sequential"
            ):
                return self._takes_one_array(first, node, module)
        if self.names[module].qualified(node.func) in _PLAIN_LAYERS:
            return True
        made = self.value(node.func, module)
        return isinstance(made, Class) and _is_plain_module(made)

    def _takes_one_array(self, first: ast.expr, stack: ast.Call, module: Module) -> bool:
        """Whether the first of several layers is a plain one, or made by a local that is."""
        if isinstance(first, ast.Name):
            around = next(functions_around(stack, module.source.parents), None)
            given = [
                assigned.value
                for assigned in ast.walk(around or stack)
                if isinstance(assigned, ast.Assign) and first.id in names_written(assigned)
            ]
            return bool(given) and all(self.is_plain_layer(each, module) for each in given)
        return self.is_plain_layer(first, module)

    def calls_once(self, node: ast.expr, module: Module) -> bool:
        """Whether a function of a library calls what it is given once, whenever what it hands back is called."""
        value = self.value(node, module)
        return isinstance(value, Function) and read_in_place(value.environment.module) is not None

    def makes_layers(self, function: ast.AST, module: Module) -> bool:
        """Whether a function itself makes layers, and does not only draw random numbers."""
        return any(
            self.kind(call, module)
            or (isinstance(function, ast.FunctionDef) and makes_on_self(call, function))
            for call in calls_in(function)
        )

    def value(self, node: ast.expr, module: Module) -> Value | None:
        qualified = self.names[module].qualified(node)
        if qualified is not None:
            return External(qualified)
        match node:
            case ast.Name(id=name) if not self.names[module].shadowed(node):
                return self.interp.environment_of(module).names.get(name)
            case ast.Attribute() if (owner := chains.root(node)) is not None:
                if not self.names[module].shadowed(owner):
                    return self.interp.peek(node, self.interp.environment_of(module))
        return None

    def target(self, node: ast.expr, module: Module) -> ast.AST | None:
        """The function that an expression names, nested ones and methods of the class around it included."""
        if isinstance(node, ast.Attribute) and is_self(node.value):
            owner: ast.AST | None = node
            while owner is not None and not isinstance(owner, ast.ClassDef):
                owner = module.source.parents.get(owner)
            body = owner.body if isinstance(owner, ast.ClassDef) else []
            return next(
                (f for f in body if isinstance(f, ast.FunctionDef) and f.name == node.attr), None
            )
        if isinstance(node, ast.Name):
            scope: ast.AST = node
            while scope in module.source.parents:
                scope = module.source.parents[scope]
                if isinstance(scope, ast.FunctionDef):
                    for inner in ast.walk(scope):
                        if (
                            isinstance(inner, ast.FunctionDef)
                            and inner.name == node.id
                            and inner is not scope
                        ):
                            return inner
            decorated = self._decorated(node, module)
            if decorated is not None:
                return decorated
        value = self.value(node, module) if isinstance(node, ast.Name | ast.Attribute) else None
        return value.node if isinstance(value, Function) else None

    def _decorated(self, node: ast.Name, module: Module) -> ast.FunctionDef | None:
        """The function at the top of a file that a name stands for, decorated by a library that calls it once."""
        for each in module.tree.body if not self.names[module].shadowed(node) else ():
            if isinstance(each, ast.FunctionDef) and each.name == node.id and each.decorator_list:
                if all(self.calls_once(decorator, module) for decorator in each.decorator_list):
                    return each
        return None

    def is_transformed(self, function: ast.FunctionDef, module: Module) -> bool:
        names = self.names[module]
        for decorator in function.decorator_list:
            target = decorator.func if isinstance(decorator, ast.Call) else decorator
            if names.qualified(target) in TRANSFORMS:
                return True
        return any(
            isinstance(arg, ast.Name) and arg.id == function.name
            for call in calls_in(module.tree)
            if names.qualified(call.func) in TRANSFORMS
            for arg in call.args
        )


def _is_plain_module(cls: Class) -> bool:
    """Whether nothing can be done with a Haiku module but to call it with one array."""
    if classes.framework(cls) != "haiku" or len(classes.mro(cls)) > 1:
        return False
    public = {name for name in cls.members if not name.startswith("_")}
    call = classes.method(cls, "__call__")
    if public or call is None or not isinstance(call.node, ast.FunctionDef):
        return False
    spec = call.node.args
    return len(spec.args) == 2 and not (spec.vararg or spec.kwarg or spec.kwonlyargs)

"""What the new text of a class must be like before it counts: Python that reads nothing undefined or left behind."""

from __future__ import annotations

import ast
import builtins
import functools
import symtable
import textwrap
from collections.abc import Collection, Iterable, Iterator

from .chains import is_own, root_name
from .edits import Edits
from .emit.file_names import FileNames
from .emit.module_class import Emitted
from .model.study import Study
from .rule import Declined
from .shapes import classes
from .shapes.dims import SYMBOL
from .shapes.interpreter import Interpreter
from .shapes.scopes import Environment
from .shapes.values import Class
from .strangers import handed_strangers, strangers, unknown_makers
from .unset import read_too_early, unbound_local


def check_text(cls: Class, edits: Edits) -> tuple[ast.Module, set[str]]:
    """The new text of a class, and the names from around that only it reads; raises Declined where it is not Python."""
    source = cls.module.source
    start = source.span(cls.node, decorators=True)[0]
    text = source.line_indent(start) + edits.render((start, source.span(cls.node)[1]))
    try:
        tree = ast.parse(textwrap.dedent(text))
        compile(tree, "<class>", "exec")  # what parses may still give one parameter twice
    except SyntaxError as error:
        raise Declined(
            f"class `{cls.name}` is written in a way that is not handled ({error.msg})",
            "please report it with the class; rewrite it by hand meanwhile",
        ) from error
    new = next(n for n in tree.body if isinstance(n, ast.ClassDef))
    unbound = unbound_local(new)
    if unbound is not None:
        raise Declined(
            f"the constructor of `{cls.name}` would read `{unbound}` before it is bound",
            "write the constructor by hand",
        )
    early = read_too_early(new)
    if early is not None:
        raise Declined(
            f"the constructor of `{cls.name}` would read `self.{early}` before it is set",
            "write the constructor by hand, or set the attribute further up",
        )
    original = (
        source.line_indent(start) + source.text[slice(*source.span(cls.node, decorators=True))]
    )
    reads = _from_around(text) - _from_around(original)
    return tree, reads - _visible(cls) - set(dir(builtins))


def check_known(cls: Class, reads: Collection[str], known: Collection[str]) -> None:
    """Raises Declined where the new text of a class reads a name that nothing defines."""
    missing = set(reads) - set(known)
    if any(SYMBOL.fullmatch(name) for name in missing):
        raise Declined(
            f"a size that `{cls.name}` needs could not be inferred",
            "pass the size to the class by hand",
            unsized=True,
        )
    if missing:
        raise Declined(
            f"the new text of `{cls.name}` would read `{min(missing)}`, which nothing defines",
            "please report it with the class; rewrite it by hand meanwhile",
        )


def _from_around(text: str) -> set[str]:
    """The names that a class reads, in any of its scopes, and that none of them binds."""
    found: set[str] = set()
    pending = [symtable.symtable(textwrap.dedent(text), "<class>", "exec")]
    while pending:
        table = pending.pop()
        is_top = table.get_type() == "module"
        found |= {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_referenced() and (symbol.is_global() or is_top)
        }
        pending += table.get_children()
    return found


def _visible(cls: Class) -> set[str]:
    """The names that the scopes around a class define."""
    found: set[str] = set()
    scope: Environment | None = cls.environment
    while scope is not None:
        found |= scope.names.keys()
        scope = scope.parent
    return found


def check_leftovers(cls: Class, edits: Edits, names: FileNames) -> None:
    """Raises Declined where a name of Linen or Haiku is left in the code of a rewritten class."""
    source = cls.module.source
    for node in ast.walk(cls.node):
        if not isinstance(node, ast.Name | ast.Attribute) or source.is_annotation(node):
            continue
        qualified = names.qualified(node)
        if qualified is None or not names.rules.is_framework(qualified) or names.stays(node):
            continue
        above = source.parents.get(node)
        if isinstance(above, ast.Attribute) or names.rewrite(node) is not None:
            continue
        if isinstance(above, ast.Call) and above.func is node and names.rewrite(above) is not None:
            continue
        if edits.keeps(node):
            raise Declined(
                f"`{source.segment(node)}` has no rule where `{cls.name}` uses it",
                "write this part for NNX by hand, and run the tool again",
            )


def check_moved(cls: Class, new: ast.Module, names: FileNames) -> None:
    """Raises Declined where a name of Linen or Haiku has moved into the new constructor, or into a function that is new."""
    old = {ast.dump(node.body) for node in ast.walk(cls.node) if isinstance(node, ast.Lambda)}
    for function in ast.walk(new):
        if isinstance(function, ast.FunctionDef) and function.name == "__init__":
            moved: list[ast.AST] = list(function.body)
        elif isinstance(function, ast.Lambda) and ast.dump(function.body) not in old:
            moved = [function.body]
        else:
            continue
        bound = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
        for node in (inner for part in moved for inner in ast.walk(part)):
            if root_name(node) in bound or names.stays(node):
                continue
            qualified = names.qualified(node)
            if qualified is not None and names.rules.is_framework(qualified):
                raise Declined(
                    f"`{ast.unparse(node)}` has no rule where `{cls.name}` uses it",
                    "write this part for NNX by hand, and run the tool again",
                )


def check_attributes(cls: Class, edits: Edits, emitted: Emitted) -> None:
    """Raises Declined where the new text reads what Linen or Haiku give to their modules, and NNX does not."""
    source = cls.module.source
    text = edits.render((source.span(cls.node, decorators=True)[0], source.span(cls.node)[1]))
    tree = ast.parse(textwrap.dedent(source.line_indent(source.span(cls.node)[0]) + text))
    uses = [node for node in ast.walk(tree) if is_own(node)]
    own = {name for owner in classes.mro(cls) for name in owner.members}
    own |= emitted.model.names | {node.attr for node in uses if not isinstance(node.ctx, ast.Load)}
    for node in uses:
        if node.attr in _of_framework(emitted.model.framework) and node.attr not in own:
            raise Declined(
                f"`self.{node.attr}` is there in {emitted.model.framework.title()} modules alone",
                "write this part for NNX by hand, and run the tool again",
            )
    _check_stored(cls, tree, emitted)


def _check_stored(cls: Class, new: ast.Module, emitted: Emitted) -> None:
    """Raises Declined where the new text reads attributes that nothing in it sets."""
    stored, old = _stored(ast.walk(new)), {n.attr for n in ast.walk(cls.node) if is_own(n)}
    lost = _stored(ast.walk(cls.node)) - stored - emitted.model.names
    lost -= _inherited(cls)
    alone = len(classes.mro(cls)) == 1
    members = {name for node in new.body for name in _members(node)} | cls.members.keys()
    of_themselves = set(_of_themselves(new))
    for node in ast.walk(new):
        if not is_own(node):
            continue
        fresh = alone and node.attr not in {*stored, *old, *members, *_of_nnx()}
        if node.attr in lost or fresh or node in of_themselves:
            raise Declined(
                f"nothing would set `self.{node.attr}` in the new text of `{cls.name}`",
                "set it in a statement of its own",
            )


def _members(tree: ast.AST) -> Iterator[str]:
    """What a class defines in its own text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _of_themselves(tree: ast.AST) -> Iterator[ast.Attribute]:
    """The attributes that are read in `self.x = self.x`: what made them has gone elsewhere."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Attribute() as target], value=ast.Attribute() as value):
                if is_own(target) and is_own(value) and target.attr == value.attr:
                    yield value


def _stored(nodes: Iterable[ast.AST]) -> set[str]:
    """The attributes of `self` that some code sets."""
    return {node.attr for node in nodes if is_own(node) and isinstance(node.ctx, ast.Store)}


def _inherited(cls: Class) -> set[str]:
    """What the bases of a class define or set."""
    bases = [owner for owner in classes.mro(cls) if owner is not cls]
    found = {name for owner in bases for name in owner.members}
    return found | {name for owner in bases for name in _stored(ast.walk(owner.node))}


@functools.cache
def _of_nnx() -> frozenset[str]:
    """The attributes that NNX gives its modules."""
    from flax import nnx

    return frozenset(dir(nnx.Module))


@functools.cache
def _of_framework(framework: str) -> frozenset[str]:
    """The attributes of modules that those of NNX do not have."""
    from flax import linen, nnx

    if framework == "linen":
        return (frozenset(dir(linen.Module)) | {"scope"}) - frozenset(dir(nnx.Module))
    return frozenset(("module_name", "params_dict", "state_dict", "submodules"))


def check_strangers(interp: Interpreter, study: Study) -> None:
    """Raises Declined where code that is not in the tree makes something that is then called: it may be a module."""
    cls = study.cls
    for node in ast.walk(cls.node):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            raise Declined(
                f"`{cls.name}` imports by name, and what it finds there may be modules",
                "import the modules at the top of the file",
            )

    def meaning(node: ast.expr) -> object:
        named = isinstance(node, ast.Name | ast.Attribute)
        return interp.peek_name(node, cls.around) if named else None

    for head in [*strangers(cls.node, meaning), *handed_strangers(cls.node, meaning)]:
        raise Declined(
            f"`{cls.module.source.segment(head)}` is not in the tree, and may be a module",
            "rewrite it together with the code that defines it",
        )
    for head in unknown_makers(cls.node, study.facts.value):
        raise Declined(
            f"`{cls.module.source.segment(head)}` may be a module class, and nothing here shows which",
            "rewrite it together with code that makes the module, or give the parameter a default",
        )

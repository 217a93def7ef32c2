"""Rewrites one module class by what was read of it.

A class is tried again and again while it becomes clear which others can follow. What came of a try holds as long as
the classes that it looked at, and what else it went by, are the same: it is remembered, and not worked out anew.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from . import unseen
from .config import Options
from .edits import Edits
from .emit import rates
from .emit.file_names import FileNames
from .emit.helpers import helper_source
from .emit.module_class import ClassEmitter, Emitted
from .emit.refinement import rewrite_refinement
from .emit.transport import CannotMove, HandedFlag, NeedsFlags
from .model.module import ModuleModel
from .model.study import Study, as_base
from .new_text import (
    check_attributes,
    check_known,
    check_leftovers,
    check_moved,
    check_strangers,
    check_text,
)
from .recorded import RecordedEdits
from .rule import Declined
from .shapes import classes, refined
from .shapes.interpreter import Interpreter
from .shapes.values import Class

_TRANSFORMS = re.compile(
    r"\bnnx\.(scan|vmap|remat|RNN|Bidirectional)\b|\b(rematerialized|vmapped)\("
)


@dataclass
class Refusal:
    """Why a class stays as it is."""

    cls: Class
    node: ast.AST
    code: str
    message: str
    help: str
    bridged: bool = False  # it runs rewritten modules through a bridge
    unsized: bool = False  # a size or rank was wanting
    users: tuple[Class, ...] = ()  # the classes that it stays for

    @property
    def framework(self) -> str:
        return classes.framework(self.cls) or "linen"


@dataclass
class ClassRewrite:
    """What came of a class: a model and the edits of its file, or a refusal."""

    refusal: Refusal | None = None
    model: ModuleModel | None = None
    edits: RecordedEdits | None = None
    text: str = ""
    reads: frozenset[str] = frozenset()  # names from around the class that only its new text reads
    wanted: set[str] = field(default_factory=set)  # imports
    called: set[str] = field(default_factory=set)  # helpers that calls of libraries became
    helpers: set[str] = field(default_factory=set)  # those of its own
    variable_classes: dict[str, str] = field(default_factory=dict)
    flag_requests: set[ast.AST] = field(default_factory=set)  # classes that have to keep flags
    hands_flags: bool = False  # it cannot keep its own
    lacks_names: bool = False  # refused for names that nothing defines, as others may do later


@dataclass
class Around:
    """What the rewrite of a class goes by besides the class: the state of its file, and what became of others."""

    options: Options
    models: Mapping[ast.AST, ModuleModel]
    edits: Edits
    names: FileNames
    variable_classes: dict[str, str]  # of the file
    new_names: Collection[str]  # what any new text may read

    def known(self, rewrite: ClassRewrite, new_name: str) -> set[str]:
        """What the new text of a class may read: imports, helpers, Variable classes, and rewritten classes."""
        lines = self.names.wanted | rewrite.wanted
        helpers = self.names.helpers | rewrite.called | rewrite.helpers
        own = rewrite.variable_classes.values()
        return {"nnx", new_name, *_imported(lines), *helpers, *own, *self.new_names}


class _Consulted(Mapping[ast.AST, ModuleModel]):
    """Models by class, and which of them were asked for."""

    def __init__(self, models: Mapping[ast.AST, ModuleModel]) -> None:
        self._models = models
        self.asked: dict[ast.AST, tuple[ModuleModel | None, bool]] = {}

    def __getitem__(self, node: ast.AST) -> ModuleModel:
        self.asked[node] = _as_it_is(self._models, node)
        return self._models[node]

    def __iter__(self) -> Iterator[ast.AST]:
        for node in self._models:
            self.asked[node] = _as_it_is(self._models, node)
            yield node

    def __len__(self) -> int:
        return len(list(iter(self)))


def _as_it_is(
    models: Mapping[ast.AST, ModuleModel], node: ast.AST
) -> tuple[ModuleModel | None, bool]:
    model = models.get(node)
    return model, model is not None and model.moded


@dataclass
class _Memory:
    """A rewrite, and all that it went by."""

    rewrite: ClassRewrite
    asked: Mapping[ast.AST, tuple[ModuleModel | None, bool]]
    before: tuple[object, ...]

    def holds(self, around: Around, before: tuple[object, ...]) -> bool:
        if before != self.before:
            return False
        for node, then in self.asked.items():
            now = _as_it_is(around.models, node)
            if now[0] is not then[0] or now[1] != then[1]:
                return False
        model = self.rewrite.model
        return model is None or self.rewrite.reads <= around.known(self.rewrite, model.new_name)


_MEMORIES = 4  # of one class: others keep their flags and lose them again, stay and are bridged


@dataclass
class ClassRewrites:
    """The latest rewrites of each class of a project."""

    interp: Interpreter
    _latest: dict[tuple[ast.AST, str], list[_Memory]] = field(default_factory=dict)

    def rewrite(self, cls: Class, studies: Sequence[Study], around: Around) -> ClassRewrite:
        """Rewrites a class by what its own study showed, or, for an abstract one, those of its subclasses."""
        around.names.value_of, around.names.layers_as_values = studies[0].facts.value, True
        latest = self._latest.setdefault((cls.node, around.options.mode_flags), [])
        before = self._before(cls, around)
        for memory in latest:
            if memory.holds(around, before):
                return memory.rewrite
        consulted = _Consulted(around.models)
        found = _rewritten(self.interp, cls, studies, around, consulted)
        beyond = found.edits is not None and found.edits.beyond
        if not (beyond or found.lacks_names) and self._before(cls, around) == before:
            latest.insert(0, _Memory(found, consulted.asked, before))
            del latest[_MEMORIES:]
        return found

    def _before(self, cls: Class, around: Around) -> tuple[object, ...]:
        """What the interpreter knows by now that a rewrite may ask it, and what others did to the class's text."""
        interp = self.interp
        return (
            around.edits.render(cls.node),
            around.variable_classes,
            cls.node in interp.asked_outputs,
            frozenset(interp.silent_outputs),
            sum(map(len, interp.read_outside.values())),
            len(interp.lifted),
            len(interp.stacked),
            len(interp.derived),
            len(interp.enclosed),
        )


def _rewritten(
    interp: Interpreter,
    cls: Class,
    studies: Sequence[Study],
    around: Around,
    models: Mapping[ast.AST, ModuleModel],
) -> ClassRewrite:
    """The rewrite of a class by its own study, or by all those of its subclasses, where they agree on one text."""
    if refined.is_refined(cls):
        return _refined(interp, cls, around)
    own, *others = studies
    first = _by_study(interp, cls, own, around, models)
    if first.refusal is None or not others:
        return first
    found: list[ClassRewrite] = []
    for each in others:
        tried = _by_study(interp, cls, as_base(each, cls, models), around, models)
        first.flag_requests |= tried.flag_requests
        first.hands_flags |= tried.hands_flags
        first.lacks_names |= tried.lacks_names
        found.append(tried)
        if tried.refusal is not None:
            return first
    if len({tried.text for tried in found}) > 1:
        return first
    last = found[-1]
    last.flag_requests, last.hands_flags = first.flag_requests, first.hands_flags
    return last


def _refined(interp: Interpreter, cls: Class, around: Around) -> ClassRewrite:
    """The rewrite of a subclass of a layer."""
    rule = refined.layer_of(interp, cls)
    base = next(iter(classes.external_bases(cls)), "a layer")
    found = ClassRewrite(edits=RecordedEdits(around.edits, cls.node))
    assert found.edits is not None
    try:
        if rule is None:
            raise Declined(
                f"`{cls.name}` changes `{base.removeprefix('flax.linen.')}`",
                "write the class for nnx by hand, on top of the layer's counterpart",
            )
        with around.names.collecting(found.wanted, found.called):
            model = rewrite_refinement(cls, rule, found.edits, around.names)
        _, reads = check_text(cls, found.edits)
        found.reads = frozenset(reads)
        check_known(cls, reads, {"nnx"})
    except Declined as refusal:
        return _refused(cls, refusal, found)
    found.model = model
    return found


def _by_study(
    interp: Interpreter,
    cls: Class,
    study: Study,
    around: Around,
    models: Mapping[ast.AST, ModuleModel],
) -> ClassRewrite:
    names = around.names
    names.value_of = study.facts.value
    edits = RecordedEdits(around.edits, cls.node)
    found = ClassRewrite(edits=edits)
    keeps = around.options.mode_flags == "keep"
    try:
        check_strangers(interp, study)
        unseen.check(interp, cls, study.facts.functions)
        unseen.check_boxes(interp, cls)
        with names.collecting(found.wanted, found.called):
            emitter = ClassEmitter(
                interp,
                study,
                edits,
                names,
                models,
                around.options.limit,
                keeps,
                around.variable_classes,
                original_names=around.options.names == "original",
            )
            emitted = emitter.emit()
            _check(cls, emitted, around, found)
    except Declined as refusal:
        if isinstance(refusal, NeedsFlags):
            found.flag_requests.add(refusal.cls)
        found.hands_flags = keeps and _hands_flag(refusal, cls)
        return _refused(cls, refusal, found)
    except Exception as error:
        # A class that our own machinery stumbles over stays as it is, with a diagnostic that says so.
        message = (
            f"class `{cls.name}` is written in a way that is not handled ({type(error).__name__})"
        )
        help = "please report it with the class; rewrite it by hand meanwhile"
        found.refusal = Refusal(cls, cls.node, "NX106", message, help)
        return found
    if interp.traced is not None:
        emitted.model.traced = interp.traced.places(cls.node)
    found.model, found.text = emitted.model, edits.render(cls.node)
    parts = emitted.model.children.values()
    used = found.text + "".join(map(helper_source, found.called | found.helpers))
    emitted.model.transforms = bool(_TRANSFORMS.search(used)) or any(p.transforms for p in parts)
    return found


def _hands_flag(refusal: Declined, cls: Class) -> bool:
    """Whether a class cannot keep its flags: it hands on a layer that has one, or a rate that one chooses."""
    if isinstance(refusal, HandedFlag):
        return True
    parents = cls.module.source.parents
    return isinstance(refusal, CannotMove) and rates.is_chosen_by_flag(refusal.node, parents)


def _check(cls: Class, emitted: Emitted, around: Around, found: ClassRewrite) -> None:
    """Looks whether the new text of a class will do. Raises Declined where not."""
    assert found.edits is not None
    found.helpers, found.variable_classes = emitted.helpers, emitted.variable_classes
    new, reads = check_text(cls, found.edits)
    found.reads = frozenset(reads)
    found.lacks_names = True
    check_known(cls, reads, around.known(found, emitted.model.new_name))
    found.lacks_names = False
    check_leftovers(cls, found.edits, around.names)
    check_attributes(cls, found.edits, emitted)
    check_moved(cls, new, around.names)


def _refused(cls: Class, refusal: Declined, found: ClassRewrite) -> ClassRewrite:
    node = refusal.node if isinstance(refusal, CannotMove) else cls.node
    found.refusal = Refusal(
        cls, node, "NX101", refusal.message, refusal.help, unsized=refusal.unsized
    )
    return found


def _imported(lines: Collection[str]) -> set[str]:
    """The names that some import lines bind."""
    return {
        (alias.asname or alias.name).split(".")[0]
        for line in lines
        for statement in ast.parse(line).body
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for alias in statement.names
    }

"""Functions that make layers, as modules of their own.

Code that is called inside a module or a transform may make layers in plain functions. NNX makes its layers ahead, in a
constructor: such a function is first written as a class of its framework, in the text, and its calls as the making and
the calling of that class. What it hands to constructors becomes a field, what it hands to layers stays an argument.
"""

from __future__ import annotations

from ..edits import Edits
from ..project import Module, Project
from ..rulebook import Rulebook
from ..shapes import frameworks
from ..shapes.interpreter import Interpreter
from .maker import Apart
from .maker_finder import Finder
from .maker_writer import Writer
from .prepared import Leave, Prepared, insert_imports, is_python


def prepare(
    project: Project,
    rules: Rulebook,
    leave: Leave,
    apart: frozenset[Apart] = frozenset(),
    limit: int = 100,
) -> Prepared:
    """Writes classes for the functions of a project that make layers, but for those named in `leave`.

    What `apart` names goes on calling the functions. `limit` is the longest line.
    """
    interp = Interpreter(project, rules, definitions_only=True)
    frameworks.install(interp)
    modules = [m for m in project.modules.values() if m.rewritable]
    finder = Finder(interp, modules, leave, apart)
    makers = finder.find()
    prepared = Prepared(project.copy(), reasons=finder.unfit)
    if not makers:
        return prepared
    edits: dict[Module, Edits] = {}
    for module in modules:
        edits[module] = Edits(module.source)
    writer = Writer(interp, edits, makers, limit)
    prepared.made = writer.write()
    for module in modules:
        insert_imports(edits[module], module, writer.names[module].wanted)
    texts = {module: edits[module].apply() for module in modules}
    if not all(is_python(text) for text in texts.values()):
        return Prepared(project, reasons=finder.unfit)
    for module, text in texts.items():
        if text != module.source.text:
            prepared.put(module, text)
    return prepared

"""Which classes keep their flags: those that code which stays calls, and all that hangs together with them.

A class that hands a layer with a flag on to another module, or a rate that a flag chooses, cannot keep its flags. It
loses them like any other, as does all that hangs together with it, and its bridges set the mode instead.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from .emit.bridges import component
from .model.module import ModuleModel

Uses = Mapping[ast.AST, set[ast.AST]]


@dataclass
class KeptFlags:
    """The classes that keep their flags; those of `moded` lose theirs though code that stays calls them."""

    kept: set[ast.AST] = field(default_factory=set)
    moded: set[ast.AST] = field(default_factory=set)
    _needed: set[ast.AST] = field(default_factory=set)  # a rewritten class says more than its mode

    def keep_needed(self, requests: set[ast.AST], uses: Uses) -> bool:
        """Has classes keep the flags that rewritten ones need; False where they do already."""
        if requests <= self.kept:
            return False
        self._needed |= requests
        self.kept |= requests
        if requests & self.moded:
            self.moded -= component(requests, uses, self.moded)
        return True

    def made_by_users(self, models: Mapping[ast.AST, ModuleModel], uses: Uses) -> set[ast.AST]:
        """The classes that lost a field for their mode and that no class makes: their users say the mode by it."""
        made = {node for owner, used in uses.items() for node in used if node is not owner}
        return {node for node, model in models.items() if model.field_modes} - made - self.moded

    def drop_handed(self, handed: set[ast.AST], uses: Uses, among: set[ast.AST]) -> bool:
        """Has classes whose layers hand flags on lose their flags; False where none may, or did."""
        free = {
            node for node in handed & self.kept if not component({node}, uses, among) & self._needed
        }
        if not free:
            return False
        self.moded |= component(free, uses, among)
        self.kept -= self.moded
        return True

    def keep_called(
        self, called: set[ast.AST], uses: Uses, models: Mapping[ast.AST, ModuleModel]
    ) -> bool:
        """Has the classes that code which stays calls keep their flags; False where they have none, or do already."""
        among = set(models)
        wanted = component(called, uses, among)
        moded = component(self.moded & among, uses, among) if self.moded else set()
        if not moded <= self.moded:
            self.moded |= moded
            self.kept -= moded
            return True
        wanted -= moded
        if wanted <= self.kept or not any(_has_flags(models[node]) for node in wanted):
            return False
        self.kept |= wanted
        return True


def _has_flags(model: ModuleModel) -> bool:
    """Whether flags went from the methods or from the constructor of a class."""
    return bool(model.modes or model.field_modes)

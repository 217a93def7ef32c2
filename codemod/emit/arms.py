"""Layers that a conditional expression makes: `nn.Dense(4)(x) if self.wide else x` has them only where the test holds."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from ..model.module import ModuleModel
from ..model.sites import Site


@dataclass(frozen=True)
class Arm:
    """One side of a conditional expression: the one for a test that holds, or the other."""

    node: ast.IfExp
    holds: bool


def arms(site: Site, child: ModuleModel | None, parents: Mapping[ast.AST, ast.AST]) -> list[Arm]:
    """The sides of conditional expressions that decide whether a site's variables exist, outermost first.

    `child` is the model of the class that the site makes, where it is the user's.
    """
    if not _has_variables(site, child):
        return []
    found: list[Arm] = []
    below: ast.AST = site.node
    while below is not site.statement and below in parents:
        above = parents[below]
        if isinstance(above, ast.Lambda | ast.comprehension):
            return []
        if isinstance(above, ast.IfExp) and below is not above.test:
            found.append(Arm(above, below is above.body))
        below = above
    return found[::-1]


def _has_variables(site: Site, child: ModuleModel | None) -> bool:
    """Whether a model with what a site makes has other variables than one without."""
    if site.variable is not None:
        return site.variable.kind != "rng"
    if child is not None:
        return bool(child.variables)
    if site.rule is None or site.rule.variables:
        return True
    given = [*site.node.args, *[k.value for k in site.node.keywords]]
    return any(isinstance(inner, ast.Call) for each in given for inner in ast.walk(each))

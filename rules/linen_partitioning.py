"""Initialisers that name the axes of a mesh, and constraints by the names of axes.

Linen puts the names into a box around the parameter and shards nothing by itself. NNX keeps them as metadata of the
parameter and, unless it is told otherwise, shards where the parameter is made, which fails without a mesh. The new code
says `eager_sharding=False`: modules are made as before, and `nnx.get_partition_spec` reads the names.
"""

from __future__ import annotations

from ..codemod.rule import Call, Refuse, Renames, To

_TO = {"fn": To("initializer"), "names": To("sharding"), "mesh": To("mesh")}
_LAZY = {"eager_sharding": "False"}

RULES = (
    Call(
        code="LN418",
        summary="nn.with_partitioning becomes nnx.with_partitioning",
        before='init = nn.with_partitioning(nn.initializers.lecun_normal(), (None, "model"))',
        after=(
            "init = nnx.with_partitioning(\n"
            '    nnx.initializers.lecun_normal(), (None, "model"), eager_sharding=False\n'
            ")"
        ),
        source="flax.linen.with_partitioning",
        target="flax.nnx.with_partitioning",
        signature=("fn", "names", "mesh"),
        arguments=_TO,
        stated=_LAZY,
    ),
    Call(
        code="LN419",
        summary="nn.with_logical_partitioning becomes nnx.with_partitioning",
        before='init = nn.with_logical_partitioning(nn.initializers.zeros_init(), ("embed",))',
        after='init = nnx.with_partitioning(nnx.initializers.zeros_init(), ("embed",), eager_sharding=False)',
        source="flax.linen.with_logical_partitioning",
        target="flax.nnx.with_partitioning",
        signature=("fn", "names", "mesh", "rules"),
        arguments={
            **_TO,
            "rules": Refuse(
                "logical axes with rules of their own",
                "give the rules with nnx.logical_axis_rules around what reads the names",
            ),
        },
        stated=_LAZY,
    ),
    Call(
        code="LN420",
        summary="nn.with_logical_constraint becomes a function beside the code",
        before='x = nn.with_logical_constraint(x, ("batch", "embed"))',
        after='x = with_logical_constraint(x, ("batch", "embed"))',
        source="flax.linen.with_logical_constraint",
        target="with_logical_constraint",
        signature=("x", "logical_axis_resources", "rules", "mesh", "fallback"),
        arguments={
            "fallback": Refuse(
                "a fallback for axes without a rule", "give every axis a rule, None for none"
            ),
        },
        result=lambda use: use.arguments.get("x"),
    ),
    Renames(
        code="LN421",
        summary="rules for logical axes keep their name in nnx",
        before="with nn.logical_axis_rules(rules): ...",
        after="with nnx.logical_axis_rules(rules): ...",
        names={"flax.linen.logical_axis_rules": "flax.nnx.logical_axis_rules"},
    ),
)

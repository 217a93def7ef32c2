"""Names of Linen without a counterpart that a rewrite could be sure of.

Each has a diagnostic of its own that says why it stays and what a person does next.
"""

from __future__ import annotations

from ..codemod.rule import Renames, Unsupported

_EIGHT_BIT = (
    "matrix products of 8 bits, which nnx does not have",
    "keep the module in Linen behind nnx.bridge, or use Qwix",
)
_SHARDING = (
    "nnx shards parameters as they are made and needs the mesh then, which reading cannot see",
    "annotate with nnx.with_partitioning and make the model under jax.set_mesh(mesh)",
)
_BOXES = (
    "nnx has no boxes around parameters: the sharding is metadata of nnx.Param",
    "drop the box; read `variable.get_metadata()`",
)
_LOGICAL = (
    "nnx resolves logical axis names itself, from the rules around the construction",
    "make the model under nnx.logical_axis_rules, or call jax.lax.with_sharding_constraint",
)
_SCOPES = (
    "nnx modules have no scopes that could be shared or intercepted",
    "let both modules hold the same attribute, or wrap the call in a method",
)
_PROFILING = (
    "nnx has no switch for named calls",
    "delete the call; jax.named_scope marks code for the profiler",
)
_FUNCTIONAL = (
    "nnx modules are made by calling their class and hold their state",
    "construct the module and call its method",
)
_AXES = (
    "nn.partitioning keeps axis names in a collection of its own",
    "use nnx.with_partitioning and nnx.get_partition_spec",
)

RULES = (
    Renames(
        code="LN417",
        summary="functions of Linen's inner modules have their place in flax.nnx.nn",
        before="dtype = flax.linen.dtypes.canonicalize_dtype(x, dtype=self.dtype)",
        after="dtype = nnx.nn.dtypes.canonicalize_dtype(x, dtype=self.dtype)",
        names={
            "flax.linen.dtypes.canonicalize_dtype": "flax.nnx.nn.dtypes.canonicalize_dtype",
            "flax.linen.default_kernel_init": "flax.nnx.nn.linear.default_kernel_init",
            "flax.linen.default_embed_init": "flax.nnx.nn.linear.default_embed_init",
            "flax.linen.canonicalize_padding": "flax.nnx.nn.linear.canonicalize_padding",
            "flax.linen.flip_sequences": "flax.nnx.nn.recurrent.flip_sequences",
            "flax.linen.PARTITION_NAME": "flax.nnx.PARTITION_NAME",
        },
    ),
    Unsupported(
        code="LN901",
        summary="matrix products of 8 bits have no counterpart",
        names={
            f"flax.linen.{name}": _EIGHT_BIT
            for name in (
                "Fp8DirectDotGeneralOp",
                "Fp8DotGeneral",
                "Fp8DotGeneralOp",
                "Fp8Einsum",
                "NANOOFp8DotGeneralOp",
                "fp8_ops",
            )
        },
    ),
    Unsupported(
        code="LN902",
        summary="partitioned parameters need the mesh at construction",
        names={
            **{f"flax.linen.{name}": _SHARDING for name in ("get_partition_spec", "get_sharding")},
            **{
                f"flax.linen.{name}": _BOXES
                for name in ("Partitioned", "LogicallyPartitioned", "unbox", "meta")
            },
            **{
                f"flax.linen.{name}": _LOGICAL
                for name in (
                    "get_logical_axis_rules",
                    "set_logical_axis_rules",
                    "logical_to_mesh",
                    "logical_to_mesh_axes",
                    "logical_to_mesh_sharding",
                    "RulesFallback",
                )
            },
            **{
                f"flax.linen.partitioning.{name}": _AXES
                for name in (
                    "AxisMetadata",
                    "PartitionedVariable",
                    "axis_rules",
                    "get_axis_names",
                    "param_with_axes",
                    "scan_with_axes",
                    "variable_with_axes",
                    "vmap_with_axes",
                    "with_sharding_constraint",
                )
            },
            "flax.linen.add_metadata_axis": (
                "nnx transforms add the axis name themselves",
                "pass `transform_metadata={nnx.PARTITION_NAME: name}` to nnx.vmap and nnx.scan",
            ),
        },
    ),
    Unsupported(
        code="LN903",
        summary="scopes, interception and filters of collections have no counterpart",
        names={
            "flax.linen.share_scope": _SCOPES,
            "flax.linen.intercept_methods": _SCOPES,
            "flax.linen.compact_name_scope": (
                "a method with a scope of its own becomes a module of its own in nnx",
                "move the method into a module class and hold it as an attribute",
            ),
            "flax.linen.DenyList": (
                "nnx filters by kinds of variables, not by names of collections",
                "use nnx.Not(nnx.Param) and its kin with nnx.split or nnx.state",
            ),
            "flax.linen.FrozenDict": (
                "nnx keeps variables in nnx.State",
                "import FrozenDict from flax.core, or use a dict",
            ),
            "flax.linen.RNNCellBase": (
                "cells of nnx take the shape before the key in `initialize_carry`",
                "derive from nnx.RNNCellBase and write `initialize_carry(self, input_shape, rngs)`",
            ),
            "flax.linen.GeGLU": (
                "nnx has no layer of this name",
                "write it as nnx.Linear(in_features, 2 * features) and x * nnx.gelu(gate)",
            ),
            "flax.linen.BatchApply": (
                "nnx has no function that folds leading axes around a layer",
                "reshape before the call and after it, or use jax.vmap on the function",
            ),
        },
    ),
    Unsupported(
        code="LN904",
        summary="lifted transforms that have no sure rewrite",
        names={
            "flax.linen.map_variables": (
                "nnx has no transform that maps variables around a call",
                "nnx.split the layer, map its nnx.Param state, nnx.merge it and call that",
            ),
            "flax.linen.fold_rngs": (
                "nnx streams count their own keys",
                "nnx.split_rngs or rngs.fork() give a call keys of its own",
            ),
            "flax.linen.custom_vjp": (
                "nnx.custom_vjp takes modules as arguments and residuals",
                "use nnx.custom_vjp(graph_updates=False), or jax.custom_vjp around nnx.split",
            ),
            "flax.linen.vjp": (
                "nnx.vjp differentiates a function of the module",
                "use nnx.vjp(lambda m, x: m(x), self, x, graph_updates=False)",
            ),
            "flax.linen.jvp": (
                "nnx.jvp differentiates a function of the module",
                "use jax.jvp for tangents of inputs, nnx.jvp(..., graph_updates=False) for others",
            ),
            "flax.linen.grad": (
                "nnx.grad differentiates a function of the module",
                "use nnx.grad(lambda m, x: ..., argnums=1)(self, x) for gradients of inputs",
            ),
            "flax.linen.value_and_grad": (
                "nnx.value_and_grad differentiates a function of the module",
                "use nnx.value_and_grad(lambda m, x: ..., argnums=1)(self, x)",
            ),
            "flax.linen.cond": (
                "the branches of nnx.cond take the module as an operand",
                "use nnx.cond(pred, true_fn, false_fn, self, *operands)",
            ),
            "flax.linen.switch": (
                "the branches of nnx.switch take the module as an operand",
                "use nnx.switch(index, branches, self, *operands)",
            ),
            "flax.linen.while_loop": (
                "nnx.while_loop takes the module as a part of the loop's value",
                "use nnx.while_loop(cond_fn, body_fn, (self, *value))",
            ),
            "flax.linen.remat_scan": (
                "nnx has no scan of rematerialised layers in one name",
                "stack the layers with nnx.vmap and run nnx.remat inside nnx.scan",
            ),
            "flax.linen.named_call": (
                "nnx has no transform for names in profiles",
                "use jax.named_scope within the method",
            ),
        },
    ),
    Unsupported(
        code="LN905",
        summary="the functional interface and profiling switches of Linen",
        names={
            **{f"flax.linen.{name}": _FUNCTIONAL for name in ("apply", "init", "init_with_output")},
            **{
                f"flax.linen.{name}": _PROFILING
                for name in ("disable_named_call", "enable_named_call", "override_named_call")
            },
            "flax.linen.tabulate": (
                "nnx.tabulate takes a module that is already made",
                "call nnx.tabulate(model, x)",
            ),
            "flax.linen.summary.tabulate": (
                "nnx.tabulate takes a module that is already made",
                "call nnx.tabulate(model, x)",
            ),
        },
    ),
)

"""Haiku's functions that call what they are given, and its sequences of keys.

Their calls stay as they are: `batch_apply`, `expand_apply` and `PRNGSequence` beside the code do what Haiku's do, and
JAX has the control flow. A branch or a loop's body that changes a variable of a module (an average, a stream of keys) is
declined.
"""

from __future__ import annotations

from ..codemod.rule import Call, Drop, Renames, To

_CONTROL = ("cond", "switch", "while_loop", "fori_loop")

RULES = (
    Renames(
        code="HK461",
        summary="hk.BatchApply and hk.expand_apply become functions beside the code",
        before="x = hk.BatchApply(hk.Linear(8))(x)",
        after="x = batch_apply(self.linear)(x)",
        names={
            "haiku.BatchApply": "batch_apply",
            "haiku.expand_apply": "expand_apply",
        },
    ),
    Renames(
        code="HK462",
        summary="hk.PRNGSequence becomes a class beside the code that draws the same keys",
        before="keys = hk.PRNGSequence(42)",
        after="keys = PRNGSequence(42)",
        names={"haiku.PRNGSequence": "PRNGSequence"},
    ),
    Renames(
        code="HK463",
        summary="control flow keeps its names in jax.lax",
        before="x = hk.cond(flag, double, halve, x)",
        after="x = jax.lax.cond(flag, double, halve, x)",
        names={f"haiku.{name}": f"jax.lax.{name}" for name in _CONTROL},
    ),
    Renames(
        code="HK464",
        summary="callables have their type in the standard library",
        before="activation: hk.SupportsCall",
        after="activation: typing.Callable",
        names={"haiku.SupportsCall": "typing.Callable", "haiku.pad.PadFn": "typing.Callable"},
    ),
    Call(
        code="HK468",
        summary="hk.scan of a function that only reads parameters becomes jax.lax.scan",
        before="state, y = hk.scan(step, state, xs)",
        after="state, y = jax.lax.scan(step, state, xs)",
        source="haiku.scan",
        target="jax.lax.scan",
        signature=("f", "init", "xs", "length", "reverse", "unroll"),
    ),
    Renames(
        code="HK469",
        summary="hk.eval_shape of what only reads parameters becomes jax.eval_shape",
        before="shapes = hk.eval_shape(block, x)",
        after="shapes = jax.eval_shape(block, x)",
        names={"haiku.eval_shape": "jax.eval_shape"},
    ),
    Call(
        code="HK467",
        summary="an NNX module has its parameters before it runs",
        before='axis = None if hk.running_init() else "i"',
        after='axis = "i"',
        source="haiku.running_init",
        target="bool",
        signature=(),
        write=lambda written: "False",
    ),
    Call(
        code="HK470",
        summary="an NNX module has no policy of mixed precision",
        before="policy = hk.mixed_precision.current_policy()",
        after="policy = None",
        source="haiku.mixed_precision.current_policy",
        target="None",
        signature=(),
        write=lambda written: "None",
    ),
    Call(
        code="HK465",
        summary="hk.vmap of what only reads parameters becomes jax.vmap",
        before="x = hk.vmap(self.embed, split_rng=False)(x)",
        after="x = jax.vmap(self.embed)(x)",
        source="haiku.vmap",
        target="jax.vmap",
        signature=("fun", "in_axes", "out_axes", "axis_name", "axis_size"),
        arguments={"split_rng": Drop()},
    ),
    Call(
        code="HK466",
        summary="hk.remat of what only reads parameters becomes nnx.remat",
        before="x = hk.remat(block)(x)",
        after="x = nnx.remat(block)(x)",
        source="haiku.remat",
        target="flax.nnx.remat",
        signature=("fun",),
        arguments={"fun": To("f")},
    ),
)

"""Names of Haiku without a counterpart that a rewrite could be sure of.

Each has a diagnostic of its own that says why it stays and what a person does next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..codemod.rule import Call, Unsupported, Use, Written
from ..codemod.shapes.values import Value

Reason = tuple[str, str]

_GETTERS: Reason = (
    "parameters of nnx modules are attributes: nothing stands between a module and its own",
    "map the parameters before the call, with nnx.map_state and nnx.merge",
)
_CREATORS: Reason = (
    "nnx modules make their own parameters: nothing can step in",
    "give the layers initialisers, or change their parameters after construction",
)
_INTERCEPTORS: Reason = (
    "methods of nnx modules are plain methods that nothing intercepts",
    "wrap the module in one that does before and after what the interceptor did",
)
_CONTEXT: Reason = (
    "it only describes what Haiku's interceptors see, which nnx does not have",
    "go without the interceptor first",
)
_LIFTING: Reason = (
    "parameters that are lifted into another transform are handed over as a tree",
    "make the inner module an attribute of the outer and call it; its names lose the prefix",
)
_NAMING: Reason = (
    "nnx names parameters by the attributes that hold them",
    "hold the layer under the attribute that the name should have",
)
_OWN_STREAM: Reason = (
    "nnx modules keep streams of keys, not one sequence for the program",
    "give the module nnx.Rngs of its own, or nnx.reseed it",
)
_SEED: Reason = (
    "nnx modules draw from the streams that they hold",
    "reseed the module with nnx.reseed before the call, or pass a key as an argument",
)
_STATE: Reason = (
    "a nnx module is its own state",
    "read it with nnx.state(model), of parameters with nnx.state(model, nnx.Param)",
)
_PRECISION: Reason = (
    "nnx layers have their dtypes as arguments, not as a policy of their class",
    "give the layers dtype= and param_dtype=, and cast what they return",
)
_SETTINGS: Reason = ("it sets up Haiku itself", "delete it once nothing is left in Haiku")
_SUMMARY: Reason = (
    "it draws up Haiku's own modules",
    "print nnx.tabulate(model, sample) in its place",
)
_GRAPHS: Reason = ("it draws Haiku's own modules", "use nnx.display(model) in a notebook")
_BRIDGES: Reason = (
    "it joins Haiku and Linen, and nothing joins Haiku and nnx",
    "rewrite the module on the other side, too",
)
_TREES: Reason = (
    "its function takes Haiku's module names, which nnx does not have",
    "use nnx.{}; its function takes the path and the leaf",
)
_PADS: Reason = (
    "nnx takes padding as pairs of numbers",
    "write the pairs that it stands for, one for each dimension",
)
_DEFERRED: Reason = (
    "nnx modules are made at once",
    "make the module in the constructor of the one that uses it",
)
_TESTS: Reason = (
    "nnx modules run without a transform",
    "make the module in the test and call it",
)


def _all(
    names: Iterable[str], reason: Reason, prefixes: Iterable[str] = ("",)
) -> dict[str, Reason]:
    return {f"haiku.{prefix}{name}": reason for prefix in prefixes for name in names}


def _both(names: Iterable[str], reason: Reason) -> dict[str, Reason]:
    """Names that `hk.experimental` has as well."""
    return _all(names, reason, ("", "experimental."))


def _state_function(name: str) -> Reason:
    why, instead = _TREES
    return why, instead.format(name)


def _as_it_is(arguments: Mapping[str, Written]) -> str:
    return next(iter(arguments.values())).text


def _same(use: Use) -> Value | None:
    return next(iter(use.arguments.values()), None)


RULES = (
    *(
        Call(
            code=code,
            summary=f"hk.data_structures.{name} goes: a State is a mapping already",
            before=f"params = hk.data_structures.{name}(params)",
            after="params = params",
            source=f"haiku.data_structures.{name}",
            target="",
            signature=("structure",),
            write=_as_it_is,
            result=_same,
        )
        for code, name in (("HK435", "to_immutable_dict"), ("HK436", "to_haiku_dict"))
    ),
    Unsupported(
        code="HK901",
        summary="nothing stands between a module and its parameters",
        names={
            **_both(("custom_getter",), _GETTERS),
            **_both(("custom_creator",), _CREATORS),
            "haiku.custom_setter": _CREATORS,
            **_both(("DO_NOT_STORE", "GetterContext"), _CONTEXT),
            "haiku.SetterContext": _CONTEXT,
            "haiku.experimental.ParamContext": _CONTEXT,
            **_both(("intercept_methods",), _INTERCEPTORS),
            **_both(("MethodContext",), _CONTEXT),
        },
    ),
    Unsupported(
        code="HK902",
        summary="transforms are not lifted into one another",
        names={
            **_both(
                ("lift", "lift_with_state", "transparent_lift", "transparent_lift_with_state"),
                _LIFTING,
            ),
            **_both(("LiftWithStateUpdater",), _LIFTING),
            **_both(
                ("LayerStackTransparencyMapping",),
                (
                    "a stack of layers has its parameters stacked",
                    "stack or unstack them with jax.tree.map",
                ),
            ),
            "haiku.Deferred": _DEFERRED,
        },
    ),
    Unsupported(
        code="HK903",
        summary="parameters are named by attributes",
        names=_both(("force_name", "name_like", "name_scope", "current_name"), _NAMING),
    ),
    Unsupported(
        code="HK904",
        summary="modules draw from streams that they hold",
        names={
            **_both(("maybe_get_rng_sequence_state", "replace_rng_sequence_state"), _OWN_STREAM),
            "haiku.with_rng": _SEED,
            "haiku.reserve_rng_keys": _SETTINGS,
            "haiku.experimental.rng_reserve_size": _SETTINGS,
            "haiku.experimental.optimize_rng_use": _SETTINGS,
        },
    ),
    Unsupported(
        code="HK905",
        summary="a module is its own state",
        names=_both(("get_params", "get_current_state", "get_initial_state"), _STATE),
    ),
    Unsupported(
        code="HK906",
        summary="trees of parameters have paths of attributes",
        names={
            **{
                f"haiku.data_structures.{name}": _state_function(instead)
                for name, instead in (
                    ("filter", "filter_state"),
                    ("map", "map_state"),
                    ("partition", "split_state"),
                    ("partition_n", "split_state"),
                    ("merge", "merge_state"),
                    ("traverse", "to_flat_state"),
                )
            },
            "haiku.data_structures.is_subset": (
                "it compares trees by Haiku's names",
                "compare the paths of nnx.to_flat_state",
            ),
            "haiku.data_structures.to_mutable_dict": (
                "a State can be changed, and its copy is another object",
                "copy the state with jax.tree.map, or change it in place",
            ),
            "haiku.EMAParamsTree": (
                "its averages are named after Haiku's parameters",
                "average the State with nnx.EMA, or with jax.tree.map over nnx.state(model, nnx.Param)",
            ),
            "haiku.SNParamsTree": (
                "its estimates are named after Haiku's parameters",
                "keep one spectral norm for each array and map them over the State",
            ),
        },
    ),
    Unsupported(
        code="HK907",
        summary="dtypes are arguments of layers",
        names={
            "haiku.mixed_precision": _PRECISION,
            **_all(
                ("clear_policy", "get_policy", "push_policy", "set_policy"),
                _PRECISION,
                ("mixed_precision.",),
            ),
        },
    ),
    Unsupported(
        code="HK908",
        summary="padding is pairs of numbers",
        names={
            "haiku.pad": _PADS,
            **_all(
                (
                    "causal",
                    "create",
                    "create_from_padfn",
                    "create_from_tuple",
                    "full",
                    "is_padfn",
                    "reverse_causal",
                    "same",
                    "valid",
                ),
                _PADS,
                ("pad.",),
            ),
            "haiku.get_channel_index": (
                "channels are on the last axis in nnx",
                "write -1, or move the channels to the last axis",
            ),
            "haiku.EmbedLookupStyle": (
                "nnx.Embed looks up by index",
                "multiply jax.nn.one_hot(ids) with the table for the other style",
            ),
        },
    ),
    Unsupported(
        code="HK909",
        summary="what looks into Haiku itself",
        names={
            "haiku.config": _SETTINGS,
            "haiku.config.context": _SETTINGS,
            "haiku.config.set": _SETTINGS,
            **_all(("check_jax_usage", "module_auto_repr"), _SETTINGS, ("experimental.",)),
            **_all(
                ("tabulate", "eval_summary", "MethodInvocation", "ModuleDetails", "ArraySpec"),
                _SUMMARY,
                ("experimental.",),
            ),
            **_both(("to_dot",), _GRAPHS),
            "haiku.experimental.abstract_to_dot": _GRAPHS,
            "haiku.experimental.jaxpr_info": _GRAPHS,
            **_all(
                (
                    "Expression",
                    "Module",
                    "as_html",
                    "as_html_page",
                    "css",
                    "format_module",
                    "js",
                    "make_model_info",
                ),
                _GRAPHS,
                ("experimental.jaxpr_info.",),
            ),
            "haiku.experimental.flax": _BRIDGES,
            **_all(("Module", "flatten_flax_to_haiku", "lift"), _BRIDGES, ("experimental.flax.",)),
            "haiku.testing": _TESTS,
            "haiku.testing.transform_and_run": _TESTS,
        },
    ),
)

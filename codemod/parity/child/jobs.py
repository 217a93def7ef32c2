"""The jobs of a child process: measure the original of a case, or its rewrite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import (
    carry,
    case,
    compiled,
    draws,
    dropped,
    handed,
    inside,
    measure,
    originals,
    rewritten,
    search,
    sharded,
    standins,
    store,
    tracing,
    weights,
)
from .failure import Failure, describe
from .subject import Subject


def perform(job: dict[str, Any]) -> dict[str, Any]:
    """Runs a job; its arrays go to the folder `job["folder"]`. Failures are results."""
    import warnings

    warnings.simplefilter("ignore")
    try:
        return _SIDES[job["side"]](job)
    except Failure as failure:
        return {"status": "failed", "stage": failure.stage, "error": failure.message}


def versions(job: dict[str, Any]) -> dict[str, Any]:
    """What the process runs on."""
    import platform

    import jax

    found = {"python": platform.python_version(), "jax": jax.__version__}
    for name in ("flax", "haiku", "optax"):
        try:
            found[name] = __import__(name).__version__
        except ImportError:
            found[name] = ""
    devices = jax.devices()
    return {
        "status": "ok",
        **found,
        "platform": devices[0].platform,
        "device": devices[0].device_kind,
        "devices": len(devices),
    }


# ---- the original --------------------------------------------------------------------------------------


def _original(job: dict[str, Any]) -> dict[str, Any]:
    """Builds the original, searching a case where none is given; leaves its numbers and what the rewrite needs."""
    _reach(job, "imports")
    module = case.load(job["module"], job["paths"], job["tree"])
    _reach(job, "case")
    thing = handed.as_class(case.attribute(module, job["name"]))
    maker = originals.linen if job["class"]["source"] == "linen" else originals.haiku
    with draws.equal():
        used, subject = _cased(job, module, thing, maker)
        _reach(job, "eval")
        forward = compiled.forward(subject)
        with sharded.mesh(sharded.names(subject.partitioning)) as over:
            settled = weights.settle(subject, forward, job, _file(job, "weights"))
            found = measure.measure(subject, settled, forward, job["steps"], job["full"], over)
    if job["full"]:
        found.arrays.update(measure.drawn(subject, job["draws"]))
    store.save(_file(job, "original"), found.arrays)
    return {
        "status": "ok",
        "case": used,
        "facts": subject.facts,
        "stand_ins": standins.standing_in(),
        "dropped": dropped.used(),
        "partitioning": subject.partitioning,
        "weights": settled.kind,
        "modes": subject.modes,
        "shapes": [_shapes(subject.params), _shapes(subject.state)],
        **found.facts,
    }


def _traced(job: dict[str, Any]) -> dict[str, Any]:
    """Runs the original abstractly and tells the sizes that it works with."""
    _reach(job, "imports")
    module = case.load(job["module"], job["paths"], job["tree"])
    _reach(job, "case")
    thing = handed.as_class(case.attribute(module, job["name"]))
    return tracing.trace(job, thing, module, _cased, _linen_names())


def _inside(job: dict[str, Any]) -> dict[str, Any]:
    """Runs the original abstractly and tells what the modules in it are called with."""
    _reach(job, "imports")
    module = case.load(job["module"], job["paths"], job["tree"])
    _reach(job, "case")
    return inside.inside(job, handed.as_class(case.attribute(module, job["name"])), module, _cased)


def _cased(
    job: dict[str, Any], module: Any, thing: Any, maker: Any
) -> tuple[dict[str, Any], Subject]:
    """The first of the job's cases that the original accepts, else one that the search finds."""
    reported = job["class"]["mode_arguments"]
    refusals: list[str] = []
    for given in job["cases"]:
        if given["inputs"] is None or job["skip"]:
            continue
        try:
            values = case.evaluate(given, module, job["seed"], _linen_names())
            return given, maker(thing, values, given.get("method", "__call__"), reported)
        except Exception as error:
            refusals.append(f"{given['origin']}: {describe(error)}")
            if given["origin"] == "configuration":
                break
    if refusals and job["cases"][0]["origin"] == "configuration":
        raise Failure("case", f"the original does not accept the configured case: {refusals[0]}")
    if not job.get("search", True):
        raise Failure("case", "; ".join(refusals) or "there is no other case")
    return search.search(job, module, thing, maker, refusals, _linen_names())


def _linen_names() -> dict[str, Any]:
    names: dict[str, Any] = {}
    for name, package in (("nn", "flax.linen"), ("hk", "haiku"), ("flax", "flax")):
        try:
            names[name] = __import__(package, fromlist=["x"])
        except ImportError:
            continue
    return names


# ---- the rewrite ---------------------------------------------------------------------------------------


def _rewritten(job: dict[str, Any]) -> dict[str, Any]:
    """Builds the rewrite, gives it the original's weights and measures it."""
    _reach(job, "imports")
    module = case.load(job["module"], job["paths"], job["tree"])
    _reach(job, "builds")
    cls = case.attribute(module, job["name"])
    with sharded.mesh(sharded.names(job["partitioning"])) as over:
        return _of_class(cls, module, job, over)


def _of_class(cls: Any, module: Any, job: dict[str, Any], over: Any) -> dict[str, Any]:
    with draws.equal():
        values = _given(job, module)
        _expect_no_strangers(values, job["class"]["source"])
        subject = rewritten.build(cls, values, job, job["facts"])
        pairings = [_paired(job, subject, part) for part in (0, 1)]
        answer = {
            "shapes": [_shapes(subject.params), _shapes(subject.state)],
            "modes": subject.modes,
            "problems": [pairing.problem for pairing in pairings],
            "misshapen": pairings[0].misshapen,
        }
        lost = [bool(pairing.problem) for pairing in pairings]
        if (lost[0] and job["weights"] != "by size") or (lost[1] and not job["plain_state"]):
            return {"status": "unmapped", **answer}
        _reach(job, "eval")
        settled = weights.carry_over(subject, job, pairings)
        try:
            forward = compiled.forward(subject)
            found = measure.measure(subject, settled, forward, job["steps"], job["full"], over)
        except Failure as failure:
            failed = {"status": "failed", "stage": failure.stage, "error": failure.message}
            return {**failed, **answer, "pairs": _json(pairings)}
    if job["full"]:
        found.arrays.update(measure.drawn(subject, job["draws"]))
    store.save(_file(job, "rewritten"), found.arrays)
    return {
        "status": "ok",
        "pairs": _json(pairings),
        "partitioning": subject.partitioning,
        **answer,
        **found.facts,
    }


def _given(job: dict[str, Any], module: Any) -> case.Values:
    """The values of the case; code of the originals may make modules in it in a way that the rewrite's cannot be."""
    try:
        return case.evaluate(job["case"], module, job["seed"], _nnx_names())
    except Failure as failure:
        shown = job["case"]["origin"] != "configuration"
        raise Failure("stranger" if shown else failure.stage, failure.message) from failure


def _expect_no_strangers(values: case.Values, source: str) -> None:
    """Raises Failure where a case gives the constructor what only code of the old framework can use."""
    import jax
    import jax.numpy as jnp

    filling = (jnp.zeros, jnp.ones) if source != "linen" else ()
    for value in jax.tree.leaves([values.args, values.kwargs]):
        kind = value if isinstance(value, type) else type(value)
        if kind.__module__.startswith(("haiku.", "flax.linen.")):
            raise Failure("stranger", f"it holds `{kind.__name__}`, which is not of NNX")
        if any(value is one for one in filling):
            raise Failure("stranger", f"it holds `jnp.{value.__name__}` as an initialiser")


def _paired(job: dict[str, Any], subject: Subject, part: int) -> carry.Pairing:
    """The pairing of parameters (part 0) or of other state (part 1); shapes are checked, too."""
    mine = (subject.params, subject.state)[part]
    pairing = carry.pair(
        job["class"]["variables"],
        job["shapes"][part],
        _shapes(mine),
        job["facts"].get("root", ""),
        ("params", "state")[part],
        list((subject.state, subject.params)[part]),
    )
    if pairing.problem:
        return pairing
    blank = store.load(_file(job, "weights"))
    for one in pairing.pairs:
        try:
            carry.carried(one, blank, mine[one.target].shape)
        except Exception as error:
            why = str(error) if isinstance(error, ValueError) else describe(error)
            return carry.Pairing([], why, misshapen=True)
    return pairing


def _json(pairings: list[carry.Pairing]) -> list[list[Any]]:
    return [[[p.target, list(p.sources), p.layout] for p in one.pairs] for one in pairings]


def _nnx_names() -> dict[str, Any]:
    """`nn` and `hk` as cases use them, answered by NNX where it has the name."""
    from flax import linen, nnx

    return {
        "nn": _Answering(nnx, linen),
        "nnx": nnx,
        "flax": __import__("flax"),
        "hk": _Answering(_Haiku, nnx),
    }


class _Initialisers:
    """Haiku's, as a searched case has them."""

    @staticmethod
    def RandomNormal(stddev: float) -> Any:
        from flax import nnx

        return nnx.initializers.normal(stddev)


class _Haiku:
    initializers = _Initialisers


_ALIASES = {
    "Dense": "Linear",
    "DenseGeneral": "LinearGeneral",
    "MultiHeadDotProductAttention": "MultiHeadAttention",
    "SelfAttention": "MultiHeadAttention",
}


class _Answering:
    """A module's names, from the first of two that has them."""

    def __init__(self, first: Any, second: Any) -> None:
        self._places = first, second

    def __getattr__(self, name: str) -> Any:
        first, second = self._places
        found = getattr(first, _ALIASES.get(name, name), None)
        return getattr(second, name) if found is None else found


# ---- both ----------------------------------------------------------------------------------------------


def _shapes(flat: dict[str, Any]) -> dict[str, list[int]]:
    return {path: list(value.shape) for path, value in flat.items()}


def _reach(job: dict[str, Any], stage: str) -> None:
    """Leaves word of the stage that begins, for the case that the process does not survive it."""
    (Path(job["folder"]) / "stage").write_text(stage)


def _file(job: dict[str, Any], name: str) -> Path:
    return (
        Path(job["folder"]) / f"{name}{'-64' if job.get('x64') and name != 'weights' else ''}.npz"
    )


_SIDES = {
    "original": _original,
    "rewritten": _rewritten,
    "trace": _traced,
    "inside": _inside,
    "versions": versions,
}

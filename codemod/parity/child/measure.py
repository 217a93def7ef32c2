"""What one side measures: outputs, gradients, state, losses, the cost of its compiled functions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import sharded, taken
from .compiled import Compiled, quickly
from .failure import Failure, describe
from .subject import Flat, Subject
from .weights import Settled

_RUNS = 7  # of a compiled step, of which the fastest counts
_FEWEST, _MOST = 6, 64  # seeds for initialisers
_RATE = 1e-2
_EPSILON = 1e-3  # of Adam: gradients that are only rounding errors must not become whole steps


@dataclass
class Found:
    """Arrays for the file and facts for the answer. `facts["errors"]` holds the rungs that failed, with why."""

    arrays: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=lambda: {"errors": {}})


def measure(
    subject: Subject,
    settled: Settled,
    forward: Compiled,
    steps: int,
    full: bool,
    over: Any = None,
) -> Found:
    """Climbs the ladder on one side; `full` for all rungs, else forward and gradients alone.

    `forward` is the subject's pass in eval mode. `over` is the mesh for variables that name its axes, None where none does.

    Raises Failure where not even the forward pass runs.
    """
    found = Found()
    found.arrays.update({f"initial:{path}": value for path, value in settled.initial.items()})
    try:
        outputs, _ = forward(settled.params, settled.state, subject.arrays)
    except Exception as error:
        raise Failure("eval", describe(error)) from error
    _keep(found, "eval", outputs)
    found.facts["devices"] = _devices()
    step = Compiled(_loss_and_gradient(subject), effort=1 if full else 0)
    inexact = {k: v for k, v in settled.params.items() if _floating(v)}
    fixed = {k: v for k, v in settled.params.items() if k not in inexact}
    evaluated = settled.params, settled.state, subject.arrays
    trained = inexact, fixed, settled.state, subject.arrays
    rungs: list[tuple[str, Callable[[], None]]] = [
        ("gradients", lambda: _gradients(step, inexact, fixed, settled, subject, found))
    ]
    if full:
        rungs += [
            (
                "state",
                lambda: _state(step, forward, inexact, fixed, settled, subject, steps, found),
            ),
            (
                "trajectory",
                lambda: _trajectory(step, inexact, fixed, settled, subject, steps, found),
            ),
            ("cost", lambda: _cost((forward, evaluated), (step, trained), found)),
            ("time", lambda: _time(step, trained, found)),
        ]
        if over is not None:
            rungs.append(("sharding", lambda: _sharding(subject, settled, over, found)))
    for name, climb in rungs:
        try:
            climb()
        except Exception as error:
            found.facts["errors"][name] = describe(error)
    return found


def _keep(found: Found, name: str, outputs: list[Any]) -> None:
    for position, output in enumerate(outputs):
        found.arrays[f"{name}:{position}"] = output


def _floating(value: Any) -> bool:
    import jax.numpy as jnp

    return bool(jnp.issubdtype(value.dtype, jnp.floating))


# ---- rungs ---------------------------------------------------------------------------------------------


def _devices() -> int:
    import jax

    return len(jax.devices())


def _loss_and_gradient(subject: Subject) -> Callable[..., Any]:
    """The gradient of a loss that depends on each number of the output, with outputs and state of the pass."""
    import jax
    import jax.numpy as jnp

    def loss(params: Flat, fixed: Flat, state: Flat, arrays: list[Any]) -> Any:
        outputs, new = subject.apply({**params, **fixed}, state, arrays, "train")
        total = jnp.zeros(())
        for output in outputs:
            if jnp.issubdtype(output.dtype, jnp.floating):
                wanted = jnp.cos(0.7 * jnp.arange(output.size)).reshape(output.shape)
                total += jnp.mean(jnp.square(output - wanted)) if output.size else 0.0
        return total, (outputs, new)

    return jax.value_and_grad(loss, has_aux=True)


def _gradients(
    step: Compiled, params: Flat, fixed: Flat, settled: Settled, subject: Subject, found: Found
) -> None:
    (loss, (outputs, _)), gradients = step(params, fixed, settled.state, subject.arrays)
    _keep(found, "train", outputs)
    found.arrays["loss:0"] = loss
    found.arrays.update({f"gradient:{path}": value for path, value in gradients.items()})
    found.facts["differentiable"] = any(_floating(output) for output in outputs)


def _state(
    step: Compiled,
    forward: Compiled,
    params: Flat,
    fixed: Flat,
    settled: Settled,
    subject: Subject,
    steps: int,
    found: Found,
) -> None:
    """The state after some training passes on inputs that grow, and what evaluation makes of it."""
    state = settled.state
    for number in range(steps):
        arrays = [_scaled(value, 1 + 0.25 * number) for value in subject.arrays]
        (_, (_, state)), _ = step(params, fixed, state, arrays)
    found.arrays.update({f"state:{path}": value for path, value in state.items()})
    found.arrays.update({f"before:{path}": value for path, value in settled.state.items()})
    outputs, _ = forward(settled.params, state, subject.arrays)
    _keep(found, "late", outputs)


def _sharding(subject: Subject, settled: Settled, over: Any, found: Found) -> None:
    """The forward pass with parameters spread over devices."""
    _keep(found, "sharded", sharded.forward(subject, settled.params, settled.state, over))


def _scaled(value: Any, factor: float) -> Any:
    import jax.numpy as jnp

    if not jnp.issubdtype(value.dtype, jnp.floating):
        return value
    return (value * factor).astype(value.dtype)


def _trajectory(
    step: Compiled,
    params: Flat,
    fixed: Flat,
    settled: Settled,
    subject: Subject,
    steps: int,
    found: Found,
) -> None:
    """Losses over steps of Adam."""
    import jax
    import jax.numpy as jnp
    import optax

    optimizer = optax.adam(_RATE, eps=_EPSILON)
    memory, state, losses = optimizer.init(params), settled.state, []

    @jax.jit
    def update(gradients: Flat, memory: Any, params: Flat) -> Any:
        changes, memory = optimizer.update(gradients, memory, params)
        return optax.apply_updates(params, changes), memory

    for _ in range(steps + 2):
        (loss, (_, state)), gradients = step(params, fixed, state, subject.arrays)
        losses.append(loss)
        params, memory = update(gradients, memory, params)
    found.arrays["losses:0"] = jnp.stack(losses)


_Pass = tuple[Compiled, tuple[Any, ...]]  # with its arguments


def _cost(forward: _Pass, step: _Pass, found: Found) -> None:
    """FLOPs and bytes accessed of the compiled forward pass and gradient, as XLA counts them."""
    if not (forward[0].traced and step[0].traced):
        raise RuntimeError("it cannot be compiled as a whole")
    costs = {}
    for name, (function, arguments) in (("forward", forward), ("gradient", step)):
        analysis = taken.compiled(function, arguments).cost_analysis()
        table = analysis[0] if isinstance(analysis, list) else analysis
        costs[name] = {"flops": table.get("flops", 0.0), "bytes": table.get("bytes accessed", 0.0)}
    found.facts["cost"] = costs


def _time(step: Compiled, arguments: tuple[Any, ...], found: Found) -> None:
    """Seconds for one compiled training pass with its gradient, the fastest of some."""
    import jax

    if not step.traced:
        raise RuntimeError("it cannot be compiled as a whole")
    fastest = float("inf")
    for _ in range(_RUNS):
        start = time.perf_counter()
        jax.tree.map(_wait, step(*arguments))
        fastest = min(fastest, time.perf_counter() - start)
    found.facts["seconds"] = fastest


def _wait(value: Any) -> None:
    value.block_until_ready()


def drawn(subject: Subject, numbers: int) -> dict[str, Any]:
    """Initial parameters for several seeds, stacked; outside of equal draws.

    There are so many seeds that they make about as many numbers as `numbers` in all.
    """
    import jax
    import numpy as np

    size = sum(int(np.size(value)) for value in subject.params.values())
    count = max(_FEWEST, min(_MOST, numbers // max(size, 1)))
    try:
        draw = jax.jit(subject.draw, compiler_options=quickly(0))
        rows = [draw(seed) for seed in range(count)]
    except Exception:
        rows = [subject.draw(seed) for seed in range(_FEWEST)]
    paths = list(rows[0]) if rows else []
    return {f"drawn:{path}": np.stack([np.asarray(row[path]) for row in rows]) for path in paths}

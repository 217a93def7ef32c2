"""The numbers that both sides start from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import carry, store
from .compiled import Compiled
from .subject import Flat, Subject, wide


@dataclass
class Settled:
    """Parameters and state to measure with; `kind` says how they were made.

    "random": other numbers for each variable; "initial": as initialised, with equal draws, because the original makes
    NaN of random ones; "by size": as initialised, with equal draws, plus noise that depends on the size alone.
    """

    params: Flat
    state: Flat
    kind: str
    initial: Flat = field(default_factory=dict)


def settle(subject: Subject, forward: Compiled, job: dict[str, Any], file: Path) -> Settled:
    """The original's weights: read from the file if there is one, else made and written to it."""
    if job.get("weights") == "by size":
        return _by_size(subject, job)
    if file.exists():
        stored = store.load(file)
        return Settled(
            _like(subject.params, stored),
            _like(subject.state, stored),
            job["weights"],
            subject.params,
        )
    settled = Settled(
        {path: _random(path, value, job["seed"]) for path, value in subject.params.items()},
        subject.state
        if job["plain_state"]
        else {path: _positive(path, value, job["seed"]) for path, value in subject.state.items()},
        "random",
        subject.params,
    )
    if not _finite(subject, forward, settled):
        settled = Settled(subject.params, subject.state, "initial", subject.params)
    store.save(file, {**settled.params, **settled.state})
    return settled


def _like(flat: Flat, stored: dict[str, Any]) -> Flat:
    """Stored numbers in place of a subject's own; float ones are of the precision that JAX computes in."""
    import jax.numpy as jnp

    return {
        path: jnp.asarray(_wide(stored[path])) if path in stored else value
        for path, value in flat.items()
    }


def _wide(array: Any) -> Any:
    import numpy as np

    return array.astype(np.float64) if wide() and array.dtype == np.float32 else array


def _random(path: str, value: Any, seed: int) -> Any:
    """Another draw with the mean and deviation of the value; a constant one gets noise of a tenth."""
    import jax.numpy as jnp
    import numpy as np

    if not jnp.issubdtype(value.dtype, jnp.floating):
        return value
    draws = _generator(path, seed)
    array = np.asarray(value, np.float64)
    spread = float(array.std()) if array.size else 0.0
    noise = draws.standard_normal(array.shape)
    made = array.mean() + spread * noise if spread > 1e-6 else array + 0.1 * noise
    return jnp.asarray(made, value.dtype)


def _positive(path: str, value: Any, seed: int) -> Any:
    """State with small positive noise: a variance stays one."""
    import jax.numpy as jnp
    import numpy as np

    if not jnp.issubdtype(value.dtype, jnp.floating):
        return value
    noise = 0.2 * np.abs(_generator(path, seed).standard_normal(value.shape))
    return jnp.asarray(np.asarray(value, np.float64) + noise, value.dtype)


def _generator(path: str, seed: int) -> Any:
    import zlib

    import numpy as np

    return np.random.default_rng([seed, zlib.crc32(path.encode())])


def _by_size(subject: Subject, job: dict[str, Any]) -> Settled:
    """Initial values with noise by size; in float64 those that the run in float32 began with, as draws differ by dtype."""
    file = Path(job["folder"]) / f"start-{job['side']}.npz"
    if job.get("x64") and file.exists():
        params = _like(subject.params, store.load(file))
    else:
        params = _noisy(subject.params)
        store.save(file, params)
    return Settled(params, subject.state, "by size", subject.params)


def _noisy(params: Flat) -> Flat:
    """Initial values plus noise that depends on the number of elements alone."""
    import jax.numpy as jnp
    import numpy as np

    found: Flat = {}
    for path, value in params.items():
        if not jnp.issubdtype(value.dtype, jnp.floating):
            found[path] = value
            continue
        size = int(np.prod(value.shape))
        noise = np.random.default_rng(size).standard_normal(size).reshape(value.shape)
        found[path] = jnp.asarray(_wide(np.asarray(value)) + 0.05 * noise)
    return found


def _finite(subject: Subject, forward: Compiled, settled: Settled) -> bool:
    """Whether the original makes numbers of these weights, if it does of its own."""
    import numpy as np

    def fine(params: Flat, state: Flat) -> bool:
        outputs, _ = forward(params, state, subject.arrays)
        return all(
            np.isfinite(np.asarray(out, np.float64)).all()
            for out in outputs
            if out.dtype.kind == "f"
        )

    return fine(settled.params, settled.state) or not fine(subject.params, subject.state)


# ---- the rewrite's -------------------------------------------------------------------------------------


def carry_over(subject: Subject, job: dict[str, Any], pairings: list[carry.Pairing]) -> Settled:
    """The rewrite's weights: the original's by the map, or its own initial ones with noise by size.

    State that the map does not cover stays as initialised; the job says so to both sides.
    """
    if job["weights"] == "by size":
        return _by_size(subject, job)
    stored = store.load(Path(job["folder"]) / "weights.npz")
    return Settled(
        _moved(subject.params, pairings[0], stored),
        _moved(subject.state, pairings[1], stored),
        job["weights"],
        subject.params,
    )


def _moved(flat: Flat, pairing: carry.Pairing, stored: dict[str, Any]) -> Flat:
    import jax.numpy as jnp

    if pairing.problem:
        return flat
    found = dict(flat)
    for one in pairing.pairs:
        value = carry.carried(one, stored, flat[one.target].shape)
        found[one.target] = jnp.asarray(_wide(value)).astype(_dtype(flat[one.target]))
    return found


def _dtype(value: Any) -> Any:
    import jax.numpy as jnp

    return jnp.float64 if wide() and value.dtype == jnp.float32 else value.dtype

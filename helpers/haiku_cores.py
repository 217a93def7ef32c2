"""Recurrent cores of Haiku beyond LSTM and GRU, and what is made of cores."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from .haiku import LSTMState, haiku_init


class VanillaRNN(nnx.Module):
    """hk.VanillaRNN: `output, state = rnn(inputs, state)`, a relu of two linear layers."""

    def __init__(
        self, in_features: int, hidden_size: int, double_bias: bool = True, *, rngs: nnx.Rngs
    ):
        self.hidden_size = hidden_size
        self.input_to_hidden = nnx.Linear(
            in_features, hidden_size, kernel_init=haiku_init, rngs=rngs
        )
        self.hidden_to_hidden = nnx.Linear(
            hidden_size, hidden_size, use_bias=double_bias, kernel_init=haiku_init, rngs=rngs
        )

    def initial_state(self, batch_size: int | None) -> jax.Array:
        batch = () if batch_size is None else (batch_size,)
        return jnp.zeros((*batch, self.hidden_size))

    def __call__(self, inputs: jax.Array, prev_state: jax.Array) -> tuple[jax.Array, jax.Array]:
        state = jax.nn.relu(self.input_to_hidden(inputs) + self.hidden_to_hidden(prev_state))
        return state, state


class ConvLSTM(nnx.Module):
    """hk.Conv1DLSTM and its kin: an LSTM whose matrices are convolutions.

    `input_shape` is the extent of the inputs, without batch and channels.
    """

    def __init__(
        self,
        in_features: int,
        input_shape: Sequence[int],
        output_channels: int,
        kernel_shape: int | Sequence[int],
        *,
        rngs: nnx.Rngs,
    ):
        self.input_shape = tuple(input_shape)
        self.output_channels = output_channels
        rank = len(self.input_shape)
        kernel_size = (kernel_shape,) * rank if isinstance(kernel_shape, int) else kernel_shape
        self.input_to_hidden = nnx.Conv(
            in_features, 4 * output_channels, kernel_size, kernel_init=haiku_init, rngs=rngs
        )
        self.hidden_to_hidden = nnx.Conv(
            output_channels, 4 * output_channels, kernel_size, kernel_init=haiku_init, rngs=rngs
        )

    def initial_state(self, batch_size: int | None) -> LSTMState:
        batch = () if batch_size is None else (batch_size,)
        zeros = jnp.zeros((*batch, *self.input_shape, self.output_channels))
        return LSTMState(hidden=zeros, cell=zeros)

    def __call__(self, inputs: jax.Array, state: LSTMState) -> tuple[jax.Array, LSTMState]:
        gates = self.input_to_hidden(inputs) + self.hidden_to_hidden(state.hidden)
        i, g, f, o = jnp.split(gates, 4, axis=-1)
        cell = jax.nn.sigmoid(f + 1) * state.cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return hidden, LSTMState(hidden, cell)


class IdentityCore(nnx.Module):
    """hk.IdentityCore: a core that returns its inputs and has no state."""

    def initial_state(self, batch_size: int | None) -> tuple[()]:
        return ()

    def __call__(self, inputs: Any, state: Any) -> tuple[Any, Any]:
        return inputs, state


class DeepRNN(nnx.Module):
    """hk.DeepRNN: cores and functions in a row as one core.

    A core is what has an `initial_state`; the state is a tuple with one entry for each.
    With `skip_connections`, each core also sees the inputs, and the output has all outputs.
    """

    def __init__(self, layers: Sequence[Callable[..., Any]], skip_connections: bool = False):
        self.layers = nnx.List(layers)
        self.skip_connections = skip_connections

    def initial_state(self, batch_size: int | None) -> tuple[Any, ...]:
        cores = [layer for layer in self.layers if hasattr(layer, "initial_state")]
        return tuple(core.initial_state(batch_size) for core in cores)

    def __call__(self, inputs: jax.Array, state: Sequence[Any]) -> tuple[jax.Array, Any]:
        x = inputs
        outputs: list[jax.Array] = []
        new_states: list[Any] = []
        for layer in self.layers:
            if not hasattr(layer, "initial_state"):
                x = layer(x)
                continue
            if self.skip_connections and outputs:
                x = jnp.concatenate([inputs, x], axis=-1)
            x, new_state = layer(x, state[len(new_states)])
            outputs.append(x)
            new_states.append(new_state)
        if self.skip_connections:
            x = jnp.concatenate(outputs, axis=-1)
        return x, tuple(new_states)


def deep_rnn_with_skip_connections(layers: Sequence[Callable[..., Any]]) -> DeepRNN:
    """hk.deep_rnn_with_skip_connections: a DeepRNN whose cores all see the inputs."""
    return DeepRNN(layers, skip_connections=True)


class ResetCore(nnx.Module):
    """hk.ResetCore: `output, state = core((inputs, should_reset), state)`.

    The state starts anew where `should_reset` holds: an array whose shape begins as those
    of the state, or a tree of them like the state.
    """

    def __init__(self, core: Any):
        self.core = core

    def initial_state(self, batch_size: int | None) -> Any:
        return self.core.initial_state(batch_size)

    def __call__(self, inputs: Any, state: Any) -> tuple[Any, Any]:
        inputs, should_reset = inputs
        if hasattr(should_reset, "shape"):
            should_reset = jax.tree.map(lambda _: should_reset, state)
        batch_size = jax.tree.leaves(inputs)[0].shape[0] if self._is_batched(state) else None
        state = jax.tree.map(self._reset, should_reset, self.initial_state(batch_size), state)
        output, state = self.core(inputs, state)
        return output, state

    def _is_batched(self, state: Any) -> bool:
        of_one, now = jax.tree.leaves(self.initial_state(1)), jax.tree.leaves(state)
        return bool(now) and all(
            a.shape[1:] == b.shape[1:] for a, b in zip(of_one, now, strict=False)
        )

    def _reset(self, should_reset: jax.Array, initial: jax.Array, current: jax.Array) -> jax.Array:
        should_reset = jnp.asarray(should_reset)
        if should_reset.shape != current.shape[: should_reset.ndim]:
            raise ValueError(f"cannot reset {current.shape} where {should_reset.shape} says so")
        trailing = (1,) * (current.ndim - should_reset.ndim)
        where = should_reset.reshape(should_reset.shape + trailing)
        return jnp.where(where, initial.astype(current.dtype), current)


def static_unroll(
    core: Callable[..., Any], input_sequence: Any, initial_state: Any, time_major: bool = True
) -> tuple[Any, Any]:
    """Runs `output, state = core(inputs, state)` over the time axis, as a Python loop."""
    axis = 0 if time_major else 1
    leaves, tree = jax.tree.flatten(input_sequence)
    outputs, state = [], initial_state
    for step in zip(*[jnp.unstack(leaf, axis=axis) for leaf in leaves], strict=True):
        output, state = core(jax.tree.unflatten(tree, step), state)
        outputs.append(output)
    return jax.tree.map(lambda *steps: jnp.stack(steps, axis), *outputs), state

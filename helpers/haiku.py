"""What takes the place of Haiku layers and initialisers without an equal in NNX."""

import math
from typing import Callable, NamedTuple, Sequence

import jax
import jax.numpy as jnp
from flax import nnx


def haiku_init(key, shape, dtype=jnp.float32):
    """The default weights of hk.Linear and hk.Conv*, for `kernel_init=`.

    A truncated normal of standard deviation 1/sqrt(fan_in) before the truncation, which `lecun_normal` makes up for.
    """
    stddev = 1.0 / math.sqrt(math.prod(shape[:-1]))
    return stddev * jax.random.truncated_normal(key, -2.0, 2.0, shape, dtype)


def haiku_embedding_init(key, shape, dtype=jnp.float32):
    """The default table of hk.Embed: a standard normal, truncated at two."""
    return jax.random.truncated_normal(key, -2.0, 2.0, shape, dtype)


def uniform(minval: float = 0.0, maxval: float = 1.0):
    """An initialiser that draws between two bounds; `nnx.initializers.uniform` starts at zero."""

    def init(key, shape, dtype=jnp.float32):
        return jax.random.uniform(key, shape, dtype, minval, maxval)

    return init


def flatten(x):
    """All axes but the first become one."""
    return x.reshape(x.shape[0], -1)


class MLP(nnx.Module):
    """Linear layers with an activation between them, as hk.nets.MLP."""

    def __init__(
        self,
        in_features: int,
        output_sizes: Sequence[int],
        kernel_init: Callable = haiku_init,
        bias_init: Callable = nnx.initializers.zeros,
        use_bias: bool = True,
        activation: Callable[[jax.Array], jax.Array] = jax.nn.relu,
        activate_final: bool = False,
        *,
        rngs: nnx.Rngs,
    ):
        self.activation = activation
        self.activate_final = activate_final
        self.linears = nnx.List()
        for size in output_sizes:
            self.linears.append(
                nnx.Linear(
                    in_features,
                    size,
                    use_bias=use_bias,
                    kernel_init=kernel_init,
                    bias_init=bias_init,
                    rngs=rngs,
                )
            )
            in_features = size

    def __call__(self, x: jax.Array) -> jax.Array:
        for i, linear in enumerate(self.linears):
            x = linear(x)
            if i < len(self.linears) - 1 or self.activate_final:
                x = self.activation(x)
        return x


class ExponentialMovingAverage(nnx.Module):
    """A moving average without the bias of its start at zero.

    After n values, `average` is `hidden / (1 - decay**n)`: the first value counts fully.
    """

    def __init__(self, shape, decay: float, dtype=jnp.float32):
        self.decay = decay
        self.hidden = nnx.BatchStat(jnp.zeros(shape, dtype))
        self.average = nnx.BatchStat(jnp.zeros(shape, dtype))
        self.counter = nnx.BatchStat(jnp.zeros((), jnp.int32))

    def __call__(self, value: jax.Array) -> jax.Array:
        self.counter[...] += 1
        self.hidden[...] = self.hidden[...] * self.decay + value * (1 - self.decay)
        self.average[...] = self.hidden[...] / (1 - jnp.power(self.decay, self.counter[...]))
        return self.average[...]


class BatchNorm(nnx.Module):
    """nnx.BatchNorm with the running averages of hk.BatchNorm.

    The averages have no bias towards the values that nnx.BatchNorm starts from, which shows in the first hundreds of
    steps. `train()` and `eval()` switch it as they switch nnx.BatchNorm.
    """

    def __init__(
        self,
        num_features: int,
        *,
        use_scale: bool = True,
        use_bias: bool = True,
        use_running_average: bool = False,
        momentum: float = 0.99,
        epsilon: float = 1e-5,
        axis_name: str | None = None,
        scale_init: Callable = nnx.initializers.ones,
        bias_init: Callable = nnx.initializers.zeros,
        rngs: nnx.Rngs,
    ):
        self.use_running_average = use_running_average
        self.epsilon = epsilon
        self.axis_name = axis_name
        self.scale = nnx.Param(scale_init(rngs.params(), (num_features,))) if use_scale else nnx.data(None)
        self.bias = nnx.Param(bias_init(rngs.params(), (num_features,))) if use_bias else nnx.data(None)
        self.mean_ema = ExponentialMovingAverage((num_features,), momentum)
        self.var_ema = ExponentialMovingAverage((num_features,), momentum)

    def __call__(self, x, use_running_average: bool | None = None):
        if use_running_average is None:
            use_running_average = self.use_running_average
        if use_running_average:
            mean, var = self.mean_ema.average[...], self.var_ema.average[...]
        else:
            axes = tuple(range(x.ndim - 1))
            mean = jnp.mean(x, axes)
            mean_of_squares = jnp.mean(jnp.square(x), axes)
            if self.axis_name is not None:
                mean, mean_of_squares = jax.lax.pmean((mean, mean_of_squares), self.axis_name)
            var = mean_of_squares - jnp.square(mean)
            self.mean_ema(jax.lax.stop_gradient(mean))
            self.var_ema(jax.lax.stop_gradient(var))
        inverse = jax.lax.rsqrt(var + self.epsilon)
        if self.scale is not None:
            inverse = inverse * self.scale[...]
        x = (x - mean) * inverse
        return x if self.bias is None else x + self.bias[...]


class LSTMState(NamedTuple):
    hidden: jax.Array
    cell: jax.Array


class LSTM(nnx.Module):
    """hk.LSTM: `output, state = lstm(inputs, state)`.

    One matrix for the inputs and the hidden state, gates in the order i, g, f, o, and 1 added to the forget gate.
    """

    def __init__(self, in_features: int, hidden_size: int, *, rngs: nnx.Rngs):
        self.hidden_size = hidden_size
        self.linear = nnx.Linear(in_features + hidden_size, 4 * hidden_size, kernel_init=haiku_init, rngs=rngs)

    def initial_state(self, batch_size: int | None) -> LSTMState:
        shape = (self.hidden_size,) if batch_size is None else (batch_size, self.hidden_size)
        return LSTMState(hidden=jnp.zeros(shape), cell=jnp.zeros(shape))

    def __call__(self, inputs, state: LSTMState):
        gates = self.linear(jnp.concatenate([inputs, state.hidden], axis=-1))
        i, g, f, o = jnp.split(gates, 4, axis=-1)
        cell = jax.nn.sigmoid(f + 1) * state.cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return hidden, LSTMState(hidden, cell)


class GRU(nnx.Module):
    """hk.GRU: `output, state = gru(inputs, state)`. Its reset gate acts before the matrix product."""

    def __init__(self, in_features: int, hidden_size: int, *, rngs: nnx.Rngs):
        self.hidden_size = hidden_size
        init = nnx.initializers.lecun_normal()
        self.w_i = nnx.Param(init(rngs.params(), (in_features, 3 * hidden_size)))
        self.w_h = nnx.Param(init(rngs.params(), (hidden_size, 3 * hidden_size)))
        self.b = nnx.Param(jnp.zeros((3 * hidden_size,)))

    def initial_state(self, batch_size: int | None) -> jax.Array:
        return jnp.zeros((self.hidden_size,) if batch_size is None else (batch_size, self.hidden_size))

    def __call__(self, inputs, state):
        split = 2 * self.hidden_size
        w_h, b = self.w_h[...], self.b[...]
        gates = inputs @ self.w_i[...]
        zr = gates[..., :split] + state @ w_h[:, :split] + b[:split]
        z, r = jnp.split(jax.nn.sigmoid(zr), 2, axis=-1)
        a = jnp.tanh(gates[..., split:] + (r * state) @ w_h[:, split:] + b[split:])
        state = (1 - z) * state + z * a
        return state, state


def dynamic_unroll(core, inputs, state):
    """Runs `output, state = core(input, state)` over the first axis of `inputs`."""

    @nnx.scan(in_axes=(None, nnx.Carry, 0), out_axes=(nnx.Carry, 0))
    def scan_core(core, state, inputs):
        output, state = core(inputs, state)
        return state, output

    state, outputs = scan_core(core, state, inputs)
    return outputs, state


def initialise_averages(model, *args, **kwargs):
    """Sets the moving averages to the statistics of one input, as the `init` of a Haiku transform leaves them.

    Nothing else changes: the first training step starts from the same counters as without it.
    """
    trial = nnx.clone(model)
    trial.train()
    trial(*args, **kwargs)
    for (_, module), (_, ran) in zip(nnx.iter_modules(model), nnx.iter_modules(trial)):
        if isinstance(module, ExponentialMovingAverage):
            module.average[...] = ran.average[...]

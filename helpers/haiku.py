"""Layers of Haiku that NNX does not have, written for NNX.

Rewritten programs get copies of the definitions that they use, so each stands on its own: it depends on flax.nnx and
jax alone, and reads as if written for the program.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

# ---- initialisers ------------------------------------------------------------------------


def haiku_init(key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32) -> jax.Array:
    """The default weights of hk.Linear and hk.Conv*, for `kernel_init=`.

    A truncated normal with standard deviation 1/sqrt(fan_in). Unlike lecun_normal, it is
    not scaled up to make good for what the truncation cuts off.
    """
    fan_in = math.prod(shape[:-1])
    return jax.random.truncated_normal(key, -2.0, 2.0, shape, dtype) / math.sqrt(fan_in)


def for_vectors(init: nnx.Initializer) -> nnx.Initializer:
    """An initialiser that scales with the fan-in, for a bias: as Haiku does, its length is the fan-in."""

    def initialise(key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32) -> jax.Array:
        return init(key, (*shape, 1), dtype)[..., 0]

    return initialise


def orthogonal(scale: float = 1.0, axis: int = -1) -> nnx.Initializer:
    """hk.initializers.Orthogonal: `nnx.initializers.orthogonal` gives the transpose of a square matrix for the same key."""

    def init(key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32) -> jax.Array:
        rest = [*shape]
        columns = rest.pop(axis)
        draw = nnx.initializers.orthogonal(scale, column_axis=0)
        matrix = draw(key, (math.prod(rest), columns), dtype)
        return jnp.moveaxis(matrix.reshape((*rest, columns)), -1, axis)

    return init


def uniform(minval: float, maxval: float) -> nnx.Initializer:
    """hk.initializers.RandomUniform: `nnx.initializers.uniform` always starts at 0."""

    def init(key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, minval, maxval)

    return init


def identity(gain: float = 1.0) -> nnx.Initializer:
    """hk.initializers.Identity: the identity matrix, on the last two axes."""

    def init(key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32) -> jax.Array:
        return jnp.broadcast_to(gain * jnp.eye(shape[-2], shape[-1], dtype=dtype), shape)

    return init


def transposed(init: nnx.Initializer) -> nnx.Initializer:
    """An initialiser for kernels that hk.Conv*Transpose has as (..., out, in)."""

    def swapped(key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32) -> jax.Array:
        *spatial, inputs, outputs = shape
        return jnp.swapaxes(init(key, (*spatial, outputs, inputs), dtype), -1, -2)

    return swapped


def haiku_transpose_init(
    key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32
) -> jax.Array:
    """The default weights of hk.Conv*Transpose, for `kernel_init=`.

    As `haiku_init`, drawn as (..., out, in) and then transposed.
    """
    *spatial, inputs, outputs = shape
    draws = jax.random.truncated_normal(key, -2.0, 2.0, (*spatial, outputs, inputs), dtype)
    return jnp.swapaxes(draws, -1, -2) / math.sqrt(math.prod(spatial) * inputs)


# ---- shapes ------------------------------------------------------------------------------


def flatten(x: jax.Array) -> jax.Array:
    """Merges all axes but the first, as hk.Flatten() does."""
    return x if x.ndim < 2 else x.reshape(x.shape[0], -1)


def haiku_padding(padding: Any, kernel_size: Sequence[int]) -> Any:
    """Padding as hk.Conv* takes it, for nnx.Conv.

    A name; or for each dimension, or for all, a pair or a function that makes one of the kernel's size.
    """
    if isinstance(padding, str):
        return padding
    one = callable(padding) or isinstance(padding[0], int)
    each = [padding] if one else list(padding)
    each *= len(kernel_size) if len(each) == 1 else 1
    return [
        tuple(pad(size)) if callable(pad) else tuple(pad)
        for pad, size in zip(each, kernel_size, strict=True)
    ]


def haiku_dropout(
    rng: jax.Array, rate: float | jax.Array, x: jax.Array, broadcast_dims: Sequence[int] = ()
) -> jax.Array:
    """hk.dropout, for a rate that may differ from call to call."""
    if isinstance(rate, int | float) and rate == 0:
        return x
    shape = [1 if axis in broadcast_dims else size for axis, size in enumerate(x.shape)]
    keep = jax.random.bernoulli(rng, 1.0 - rate, tuple(shape))
    return keep * x / (1.0 - rate)


class Reshape(nnx.Module):
    """Reshapes all axes but the first `preserve_dims`, as hk.Reshape.

    A negative `preserve_dims` counts the axes that are reshaped, from the last.
    """

    def __init__(self, output_shape: Sequence[int], preserve_dims: int = 1):
        self.output_shape = tuple(output_shape)
        self.preserve_dims = preserve_dims

    def __call__(self, x: jax.Array) -> jax.Array:
        if x.ndim <= self.preserve_dims:
            return x
        return x.reshape(*x.shape[: self.preserve_dims], *self.output_shape)


# ---- convolutions and poolings -----------------------------------------------------------


class SeparableDepthwiseConv(nnx.Module):
    """Two convolutions per channel, over the rows and then the columns of a kernel.

    As hk.SeparableDepthwiseConv2D: `strides` are those of the first, the bias is added
    after the second.
    """

    def __init__(
        self,
        in_features: int,
        channel_multiplier: int,
        kernel_size: Sequence[int],
        *,
        strides: int | Sequence[int] = 1,
        padding: str | Sequence[tuple[int, int]] = "SAME",
        use_bias: bool = True,
        kernel_init: nnx.Initializer = haiku_init,
        bias_init: nnx.Initializer = nnx.initializers.zeros,
        rngs: nnx.Rngs,
    ):
        height, width = kernel_size
        features = channel_multiplier * in_features
        self.rows = nnx.Conv(
            in_features,
            features,
            (height, 1),
            strides,
            padding=padding,
            feature_group_count=in_features,
            use_bias=False,
            kernel_init=kernel_init,
            rngs=rngs,
        )
        self.columns = nnx.Conv(
            features,
            features,
            (1, width),
            padding=padding,
            feature_group_count=features,
            use_bias=use_bias,
            kernel_init=kernel_init,
            bias_init=bias_init,
            rngs=rngs,
        )

    def __call__(self, inputs: jax.Array) -> jax.Array:
        return self.columns(self.rows(inputs))


class MaxPool(nnx.Module):
    """nnx.max_pool as a layer."""

    def __init__(self, window_shape: Sequence[int], strides: Sequence[int], padding: str):
        self.window_shape = tuple(window_shape)
        self.strides = tuple(strides)
        self.padding = padding

    def __call__(self, value: jax.Array) -> jax.Array:
        pooled: jax.Array = nnx.max_pool(value, self.window_shape, self.strides, self.padding)
        return pooled


class AvgPool(nnx.Module):
    """nnx.avg_pool as a layer; what padding adds is not counted."""

    def __init__(self, window_shape: Sequence[int], strides: Sequence[int], padding: str):
        self.window_shape = tuple(window_shape)
        self.strides = tuple(strides)
        self.padding = padding

    def __call__(self, value: jax.Array) -> jax.Array:
        pooled: jax.Array = nnx.avg_pool(
            value, self.window_shape, self.strides, self.padding, count_include_pad=False
        )
        return pooled


# ---- normalisation and averages ----------------------------------------------------------


class ExponentialMovingAverage(nnx.Module):
    """An average that starts at zero and is corrected for that start.

    `hidden` is the plain moving average and `average` the corrected one: after n updates
    it is `hidden / (1 - decay**n)`, so the first value counts fully. Without
    `zero_debias` both are the same; the first `warmup_length` values are taken as they are.
    """

    def __init__(
        self,
        shape: Sequence[int],
        decay: float,
        zero_debias: bool = True,
        warmup_length: int = 0,
    ):
        self.decay = decay
        self.zero_debias = zero_debias
        self.warmup_length = warmup_length
        self.hidden = nnx.BatchStat(jnp.zeros(shape))
        self.average = nnx.BatchStat(jnp.zeros(shape))
        self.counter = nnx.BatchStat(jnp.full((), -warmup_length, jnp.int32))

    def __call__(self, value: jax.Array, update_stats: bool = True) -> jax.Array:
        counter = self.counter[...] + 1
        decay = jnp.asarray(self.decay, value.dtype)
        if self.warmup_length:
            decay = jnp.where(counter <= 0, 0.0, decay)
        hidden = average = self.hidden[...] * decay + value * (1 - decay)
        if self.zero_debias:
            average = hidden / (1 - jnp.power(decay, counter))
        if update_stats:
            self.counter[...] = counter
            self.hidden[...] = hidden
            self.average[...] = average
        return average


def norm_options(options: Mapping[str, Any], **defaults: Any) -> dict[str, Any]:
    """Options of a Haiku norm, `{"create_scale": True, "eps": 1e-5}`, under the names that NNX has for them."""
    names = {
        "create_scale": "use_scale",
        "create_offset": "use_bias",
        "decay_rate": "momentum",
        "eps": "epsilon",
        "scale_init": "scale_init",
        "offset_init": "bias_init",
        "cross_replica_axis": "axis_name",
    }
    unknown = [name for name in options if name not in names]
    if unknown:
        raise ValueError(f"options of a norm that have no counterpart here: {unknown}")
    return {**defaults, **{names[name]: value for name, value in options.items()}}


def norm_modes(modes: Mapping[str, Any]) -> dict[str, Any]:
    """What a call of hk.BatchNorm unpacks, `{"is_training": True}`, under the names that BatchNorm has for it."""
    given = dict(modes)
    named = {}
    if "is_training" in given:
        named["use_running_average"] = not given.pop("is_training")
    if "test_local_stats" in given:
        named["local_stats"] = given.pop("test_local_stats")
    return {**named, **given}


class ChannelsFirst(nnx.Module):
    """A layer with its channels last, for inputs that have them on axis 1."""

    def __init__(self, layer: nnx.Module):
        self.layer = layer

    def __call__(self, x: jax.Array, *args: Any, **kwargs: Any) -> jax.Array:
        y = self.layer(jnp.moveaxis(x, 1, -1), *args, **kwargs)
        return jnp.moveaxis(y, -1, 1)


class BatchNorm(nnx.Module):
    """nnx.BatchNorm with the running averages of hk.BatchNorm.

    Takes the arguments of nnx.BatchNorm and obeys `train()` and `eval()` as it does.
    nnx.BatchNorm starts its averages at mean 0 and variance 1; these have no such bias,
    which shows in the first few hundred steps. With `local_stats`, the batch's own
    statistics are used in evaluation, too, and so they are before there are any averages.
    """

    def __init__(
        self,
        num_features: int,
        *,
        use_running_average: bool = False,
        momentum: float = 0.99,
        epsilon: float = 1e-5,
        use_scale: bool = True,
        use_bias: bool = True,
        scale_init: nnx.Initializer = nnx.initializers.ones,
        bias_init: nnx.Initializer = nnx.initializers.zeros,
        axis_name: str | None = None,
        rngs: nnx.Rngs,
    ):
        self.use_running_average = use_running_average
        self.epsilon = epsilon
        self.axis_name = axis_name
        shape = (num_features,)
        self.scale = nnx.Param(scale_init(rngs.params(), shape)) if use_scale else None
        self.bias = nnx.Param(bias_init(rngs.params(), shape)) if use_bias else None
        self.mean_ema = ExponentialMovingAverage(shape, momentum)
        self.var_ema = ExponentialMovingAverage(shape, momentum)

    def __call__(
        self,
        inputs: jax.Array,
        *,
        use_running_average: bool | None = None,
        local_stats: bool = False,
    ) -> jax.Array:
        if use_running_average is None:
            use_running_average = self.use_running_average
        if use_running_average and not local_stats:
            averages = self.mean_ema.average[...], self.var_ema.average[...]
            mean, var = (average.astype(inputs.dtype) for average in averages)
            fresh = (self.var_ema.counter[...] == 0) & jnp.all(var == 0) & jnp.all(mean == 0)
            now = jax.lax.cond(fresh, lambda: self._statistics(inputs), lambda: (mean, var))
            mean, var = jax.lax.stop_gradient(now)
        else:
            mean, var = self._statistics(inputs)
        if not use_running_average:
            self.mean_ema(jax.lax.stop_gradient(mean))
            self.var_ema(jax.lax.stop_gradient(var))
        factor = jax.lax.rsqrt(var + self.epsilon)
        if self.scale is not None:
            factor = self.scale[...] * factor
        y = (inputs - mean) * factor
        return y if self.bias is None else y + self.bias[...]

    def _statistics(self, inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
        axes = tuple(range(inputs.ndim - 1))
        mean, squares = jnp.mean(inputs, axes), jnp.mean(jnp.square(inputs), axes)
        if self.axis_name is not None:
            mean, squares = jax.lax.pmean((mean, squares), self.axis_name)
        return mean, squares - jnp.square(mean)


# ---- nets --------------------------------------------------------------------------------


class MLP(nnx.Module):
    """Linear layers with an activation between them, as hk.nets.MLP."""

    def __init__(
        self,
        in_features: int,
        output_sizes: Sequence[int],
        *,
        use_bias: bool = True,
        kernel_init: nnx.Initializer = haiku_init,
        bias_init: nnx.Initializer = nnx.initializers.zeros,
        activation: Callable[[jax.Array], jax.Array] = jax.nn.relu,
        activate_final: bool = False,
        rngs: nnx.Rngs,
    ):
        self.activation = activation
        self.activate_final = activate_final
        self.linears: nnx.List[nnx.Linear] = nnx.List()
        for size in output_sizes:
            linear = nnx.Linear(
                in_features,
                size,
                use_bias=use_bias,
                kernel_init=kernel_init,
                bias_init=bias_init,
                rngs=rngs,
            )
            self.linears.append(linear)
            in_features = size

    def __call__(self, inputs: jax.Array) -> jax.Array:
        x = inputs
        for i, linear in enumerate(self.linears):
            x = linear(x)
            if i < len(self.linears) - 1 or self.activate_final:
                x = self.activation(x)
        return x


# ---- recurrent cores ---------------------------------------------------------------------


class LSTMState(NamedTuple):
    """The state of an LSTM."""

    hidden: jax.Array
    cell: jax.Array


class LSTM(nnx.Module):
    """hk.LSTM: `output, state = lstm(inputs, state)`.

    One matrix for inputs and hidden state, gates in the order i, g, f, o, and a forget
    gate that is biased by 1 outside its parameter.
    """

    def __init__(self, in_features: int, hidden_size: int, *, rngs: nnx.Rngs):
        self.hidden_size = hidden_size
        self.linear = nnx.Linear(
            in_features + hidden_size, 4 * hidden_size, kernel_init=haiku_init, rngs=rngs
        )

    def initial_state(self, batch_size: int | None) -> LSTMState:
        batch = () if batch_size is None else (batch_size,)
        zeros = jnp.zeros((*batch, self.hidden_size))
        return LSTMState(hidden=zeros, cell=zeros)

    def __call__(self, inputs: jax.Array, prev_state: LSTMState) -> tuple[jax.Array, LSTMState]:
        gates = self.linear(jnp.concatenate([inputs, prev_state.hidden], axis=-1))
        i, g, f, o = jnp.split(gates, 4, axis=-1)
        cell = jax.nn.sigmoid(f + 1) * prev_state.cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return hidden, LSTMState(hidden, cell)


class GRU(nnx.Module):
    """hk.GRU: `output, state = gru(inputs, state)`.

    Its reset gate acts on the state before the matrix product, that of nnx.GRUCell after it:
    neither can be expressed by the other.
    """

    def __init__(
        self,
        in_features: int,
        hidden_size: int,
        *,
        w_i_init: nnx.Initializer | None = None,
        w_h_init: nnx.Initializer | None = None,
        b_init: nnx.Initializer = nnx.initializers.zeros,
        rngs: nnx.Rngs,
    ):
        w_i_init = w_i_init or nnx.initializers.lecun_normal()
        w_h_init = w_h_init or nnx.initializers.lecun_normal()
        self.hidden_size = hidden_size
        self.w_i = nnx.Param(w_i_init(rngs.params(), (in_features, 3 * hidden_size)))
        self.w_h = nnx.Param(w_h_init(rngs.params(), (hidden_size, 3 * hidden_size)))
        self.b = nnx.Param(b_init(rngs.params(), (3 * hidden_size,)))

    def initial_state(self, batch_size: int | None) -> jax.Array:
        batch = () if batch_size is None else (batch_size,)
        return jnp.zeros((*batch, self.hidden_size))

    def __call__(self, inputs: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        split = 2 * self.hidden_size
        w_h, b = self.w_h[...], self.b[...]
        gates = inputs @ self.w_i[...]
        zr = gates[..., :split] + state @ w_h[:, :split] + b[:split]
        z, r = jnp.split(jax.nn.sigmoid(zr), 2, axis=-1)
        a = jnp.tanh(gates[..., split:] + (r * state) @ w_h[:, split:] + b[split:])
        state = (1 - z) * state + z * a
        return state, state


def dynamic_unroll(
    core: Callable[..., Any],
    input_sequence: Any,
    initial_state: Any,
    time_major: bool = True,
    reverse: bool = False,
    return_all_states: bool = False,
    unroll: int = 1,
) -> tuple[Any, Any]:
    """Runs `output, state = core(inputs, state)` over the time axis of `input_sequence`.

    Returns all outputs, and the last state or all of them.
    """
    time_axis = 0 if time_major else 1
    module = core if isinstance(core, nnx.Module) else None
    # Steps share the parameters; streams of keys and averages go from one step to the next.
    shared = None if module is None else nnx.StateAxes([(nnx.Param, None), (..., nnx.Carry)])

    @nnx.scan(
        in_axes=(shared, nnx.Carry, time_axis),
        out_axes=(nnx.Carry, time_axis),
        reverse=reverse,
        unroll=unroll,
    )
    def scan_core(module: nnx.Module | None, state: Any, inputs: Any) -> tuple[Any, Any]:
        output, state = (core if module is None else module)(inputs, state)
        return state, (output, state) if return_all_states else output

    state, outputs = scan_core(module, initial_state, input_sequence)
    return outputs if return_all_states else (outputs, state)

"""Layers of Linen that NNX does not have, written for NNX.

Rewritten programs get copies of the definitions that they use, so each stands on its own: it depends on flax.nnx and
jax alone, and reads as if written for the program.
"""

import functools
import inspect
import math
import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import nnx
from flax.core import FrozenDict, meta, spmd, unfreeze

# ---- half precision ----------------------------------------------------------------------


def keep_dtypes(
    arrays: tuple[Any, ...], dtype: Any = None, inexact: bool = True
) -> tuple[Any, ...]:
    """For `promote_dtype=` of a norm: only its result is cast to `dtype`, not what it computes with."""
    return arrays


def attend_in_dtype(
    query: jax.Array, key: jax.Array, value: jax.Array, **options: Any
) -> jax.Array:
    """Dot product attention whose softmax runs in the dtype of its inputs, half precision included."""
    weights = nnx.nn.attention.dot_product_attention_weights(query, key, **options)
    precision = options.get("precision")
    return jnp.einsum("...hqk,...khd->...qhd", weights, value, precision=precision)


# ---- recurrent cells ---------------------------------------------------------------------


def gatewise(init: nnx.Initializer, gates: int) -> nnx.Initializer:
    """Initialises a kernel of several gates side by side, each gate as a kernel of its own."""

    def init_gates(key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32) -> jax.Array:
        one = (*shape[:-1], shape[-1] // gates)
        return jnp.concatenate([init(k, one, dtype) for k in jax.random.split(key, gates)], -1)

    return init_gates


class OptimizedLSTMCell(nnx.OptimizedLSTMCell):
    """nnx.OptimizedLSTMCell with gates that are initialised one by one, as those of nnx.LSTMCell."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        kernel_init: nnx.Initializer = nnx.nn.linear.default_kernel_init,
        recurrent_kernel_init: nnx.Initializer = nnx.nn.recurrent.modified_orthogonal,
        rngs: nnx.Rngs,
        **options: Any,
    ):
        super().__init__(
            in_features,
            hidden_features,
            kernel_init=gatewise(kernel_init, 4),
            recurrent_kernel_init=gatewise(recurrent_kernel_init, 4),
            rngs=rngs,
            **options,
        )


class GRUCell(nnx.RNNCellBase):
    """A gated recurrent unit; unlike nnx.GRUCell, it has a bias on the hidden side of the candidate."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        gate_fn: Callable[[jax.Array], jax.Array] = jax.nn.sigmoid,
        activation_fn: Callable[[jax.Array], jax.Array] = jnp.tanh,
        kernel_init: nnx.Initializer = nnx.nn.linear.default_kernel_init,
        recurrent_kernel_init: nnx.Initializer = nnx.nn.recurrent.modified_orthogonal,
        bias_init: nnx.Initializer = nnx.initializers.zeros,
        dtype: Any = None,
        param_dtype: Any = jnp.float32,
        rngs: nnx.Rngs,
    ):
        self.hidden_features = hidden_features
        self.gate_fn = gate_fn
        self.activation_fn = activation_fn
        self.param_dtype = param_dtype

        def dense(features: int, kernel_init: nnx.Initializer, use_bias: bool) -> nnx.Linear:
            return nnx.Linear(
                features,
                hidden_features,
                use_bias=use_bias,
                dtype=dtype,
                param_dtype=param_dtype,
                kernel_init=kernel_init,
                bias_init=bias_init,
                rngs=rngs,
            )

        self.ir = dense(in_features, kernel_init, use_bias=True)
        self.iz = dense(in_features, kernel_init, use_bias=True)
        self.in_ = dense(in_features, kernel_init, use_bias=True)
        self.hr = dense(hidden_features, recurrent_kernel_init, use_bias=False)
        self.hz = dense(hidden_features, recurrent_kernel_init, use_bias=False)
        self.hn = dense(hidden_features, recurrent_kernel_init, use_bias=True)

    def __call__(self, carry: jax.Array, inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
        r = self.gate_fn(self.ir(inputs) + self.hr(carry))
        z = self.gate_fn(self.iz(inputs) + self.hz(carry))
        n = self.activation_fn(self.in_(inputs) + r * self.hn(carry))
        carry = (1.0 - z) * n + z * carry
        return carry, carry

    def initialize_carry(
        self, input_shape: Sequence[int], rngs: nnx.Rngs | None = None
    ) -> jax.Array:
        return jnp.zeros((*input_shape[:-1], self.hidden_features), self.param_dtype)

    @property
    def num_feature_axes(self) -> int:
        return 1


class MGUCell(nnx.RNNCellBase):
    """A minimal gated unit: one gate forgets and, with `reset_gate`, resets the hidden state."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        gate_fn: Callable[[jax.Array], jax.Array] = jax.nn.sigmoid,
        activation_fn: Callable[[jax.Array], jax.Array] = jnp.tanh,
        kernel_init: nnx.Initializer = nnx.nn.linear.default_kernel_init,
        recurrent_kernel_init: nnx.Initializer = nnx.nn.recurrent.modified_orthogonal,
        forget_bias_init: nnx.Initializer = nnx.initializers.ones,
        activation_bias_init: nnx.Initializer = nnx.initializers.zeros,
        dtype: Any = None,
        param_dtype: Any = jnp.float32,
        reset_gate: bool = True,
        rngs: nnx.Rngs,
    ):
        self.hidden_features = hidden_features
        self.gate_fn = gate_fn
        self.activation_fn = activation_fn
        self.param_dtype = param_dtype
        self.reset_gate = reset_gate

        def dense(features: int, **options: Any) -> nnx.Linear:
            return nnx.Linear(
                features,
                hidden_features,
                dtype=dtype,
                param_dtype=param_dtype,
                rngs=rngs,
                **options,
            )

        self.if_ = dense(in_features, kernel_init=kernel_init, bias_init=forget_bias_init)
        self.in_ = dense(in_features, kernel_init=kernel_init, bias_init=activation_bias_init)
        self.hf = dense(hidden_features, kernel_init=recurrent_kernel_init, use_bias=False)
        self.hn = dense(
            hidden_features,
            kernel_init=recurrent_kernel_init,
            bias_init=activation_bias_init,
            use_bias=reset_gate,
        )

    def __call__(self, carry: jax.Array, inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
        f = self.gate_fn(self.if_(inputs) + self.hf(carry))
        x = self.hn(carry)
        if self.reset_gate:
            x = x * f
        n = self.activation_fn(self.in_(inputs) + x)
        carry = (1.0 - f) * n + f * carry
        return carry, carry

    def initialize_carry(
        self, input_shape: Sequence[int], rngs: nnx.Rngs | None = None
    ) -> jax.Array:
        return jnp.zeros((*input_shape[:-1], self.hidden_features), self.param_dtype)

    @property
    def num_feature_axes(self) -> int:
        return 1


class ConvLSTMCell(nnx.RNNCellBase):
    """An LSTM whose products are convolutions; 1 is added to the forget gate."""

    def __init__(
        self,
        in_features: int,
        features: int,
        kernel_size: Sequence[int],
        strides: int | Sequence[int] | None = None,
        padding: Any = "SAME",
        *,
        use_bias: bool = True,
        dtype: Any = None,
        param_dtype: Any = jnp.float32,
        rngs: nnx.Rngs,
    ):
        self.features = features
        self.kernel_size = tuple(kernel_size)
        self.param_dtype = param_dtype

        def conv(channels: int) -> nnx.Conv:
            return nnx.Conv(
                channels,
                4 * features,
                kernel_size,
                strides,
                padding=padding,
                use_bias=use_bias,
                dtype=dtype,
                param_dtype=param_dtype,
                rngs=rngs,
            )

        self.ih = conv(in_features)
        self.hh = conv(features)

    def __call__(
        self, carry: tuple[jax.Array, jax.Array], inputs: jax.Array
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        c, h = carry
        i, g, f, o = jnp.split(self.ih(inputs) + self.hh(h), 4, axis=-1)
        c = jax.nn.sigmoid(f + 1) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (c, h), h

    def initialize_carry(
        self, input_shape: Sequence[int], rngs: nnx.Rngs | None = None
    ) -> tuple[jax.Array, jax.Array]:
        shape = (*input_shape[:-1], self.features)
        return jnp.zeros(shape, self.param_dtype), jnp.zeros(shape, self.param_dtype)

    @property
    def num_feature_axes(self) -> int:
        return len(self.kernel_size) + 1


# ---- convolution -------------------------------------------------------------------------


class ConvLocal(nnx.Module):
    """A convolution with a kernel of its own at every place.

    `in_shape` is the shape of one input, channels last.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        features: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] | None = 1,
        padding: Any = "SAME",
        input_dilation: int | Sequence[int] | None = 1,
        kernel_dilation: int | Sequence[int] | None = 1,
        *,
        use_bias: bool = True,
        dtype: Any = None,
        param_dtype: Any = jnp.float32,
        precision: Any = None,
        kernel_init: nnx.Initializer = nnx.nn.linear.default_kernel_init,
        bias_init: nnx.Initializer = nnx.initializers.zeros,
        rngs: nnx.Rngs,
    ):
        rank = len(in_shape) - 1

        def each(value: int | Sequence[int] | None) -> tuple[int, ...]:
            value = 1 if value is None else value
            return (value,) * rank if isinstance(value, int) else tuple(value)

        if isinstance(padding, int):
            padding = [(padding, padding)] * rank
        elif not isinstance(padding, str):
            padding = [(p, p) if isinstance(p, int) else tuple(p) for p in padding]
        axes = tuple(range(1, rank + 1))
        self.in_shape = tuple(in_shape)
        self.kernel_size = each(kernel_size)
        self.dtype = dtype
        self.options = {
            "window_strides": each(strides),
            "padding": padding if isinstance(padding, str) else tuple(padding),
            "lhs_dilation": each(input_dilation),
            "rhs_dilation": each(kernel_dilation),
            "dimension_numbers": jax.lax.ConvDimensionNumbers(
                (0, rank + 1, *axes), (rank + 1, rank, *range(rank)), (0, rank + 1, *axes)
            ),
            "precision": precision,
        }
        places = jax.eval_shape(
            lambda x, kernel: jax.lax.conv_general_dilated(x, kernel, **self.options),
            jax.ShapeDtypeStruct((1, *in_shape), jnp.float32),
            jax.ShapeDtypeStruct((*self.kernel_size, in_shape[-1], features), jnp.float32),
        ).shape[1:-1]
        size = math.prod(self.kernel_size) * in_shape[-1]
        self.kernel = nnx.Param(kernel_init(rngs.params(), (*places, size, features), param_dtype))
        self.bias = nnx.data(None)
        if use_bias:
            self.bias = nnx.Param(bias_init(rngs.params(), (*places, features), param_dtype))

    def __call__(self, inputs: jax.Array) -> jax.Array:
        batch = inputs.shape[: inputs.ndim - len(self.in_shape)]
        x = inputs.reshape(-1, *self.in_shape)
        bias = None if self.bias is None else self.bias[...]
        x, kernel, bias = nnx.nn.dtypes.promote_dtype((x, self.kernel[...], bias), dtype=self.dtype)
        x = jax.lax.conv_general_dilated_local(
            x, kernel, filter_shape=self.kernel_size, **self.options
        )
        x = x if bias is None else x + bias
        return x.reshape(*batch, *x.shape[1:])


class LazyConvLocal(ConvLocal):
    """A `ConvLocal` in the place of an `nnx.Conv`: its first call, which shows the shape of its input, makes the kernels.

    Call a model that has one once before its parameters are asked for.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: int | Sequence[int],
        *args: Any,
        rngs: nnx.Rngs,
        **options: Any,
    ):
        self.axes = 2 if isinstance(kernel_size, int) else len(kernel_size) + 1
        self.make = lambda layer, in_shape: ConvLocal.__init__(
            layer, in_shape, out_features, kernel_size, *args, **options, rngs=layer.rngs
        )
        self.rngs = rngs.fork()

    def __call__(self, inputs: jax.Array) -> jax.Array:
        if not hasattr(self, "kernel"):
            self.make(self, inputs.shape[-self.axes :])
        return super().__call__(inputs)


# ---- layers with changed weights ---------------------------------------------------------


def call_with_weights(
    layer: nnx.Module,
    change: Callable[[str, jax.Array], jax.Array],
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Calls a layer with `change(path, weight)` for each of its parameters, which stay as they are."""
    graphdef, params, rest = nnx.split(layer, nnx.Param, ...)
    changed = [
        (path, param.replace(change("/".join(map(str, path)), param[...])))
        for path, param in nnx.to_flat_state(params)
    ]
    return nnx.merge(graphdef, nnx.from_flat_state(changed), rest)(*args, **kwargs)


def l2_normalize(x: jax.Array, axis: Any = None, epsilon: float = 1e-12) -> jax.Array:
    """An array divided by its norm along `axis`."""
    return x * jax.lax.rsqrt((x * x).sum(axis=axis, keepdims=True) + epsilon)


class WeightNorm(nnx.Module):
    """Calls a layer with normalised weights, each feature scaled by a parameter.

    Unlike nnx.WeightNorm, it leaves the weights of the layer as they are, once they are normalised at the start. It concerns the parameters whose path has
    one of the words of `variable_filter`; None stands for all.
    """

    def __init__(
        self,
        layer_instance: nnx.Module,
        *,
        epsilon: float = 1e-12,
        param_dtype: Any = jnp.float32,
        use_scale: bool = True,
        scale_init: nnx.Initializer = nnx.initializers.ones,
        feature_axes: int | Sequence[int] | None = -1,
        variable_filter: Sequence[str] | None = ("kernel",),
        rngs: nnx.Rngs,
    ):
        self.layer_instance = layer_instance
        self.epsilon = epsilon
        self.feature_axes = feature_axes
        self.variable_filter = variable_filter
        self.scales = nnx.Dict()
        for path, param in nnx.to_flat_state(nnx.state(layer_instance, nnx.Param)):
            name = "/".join(map(str, path))
            if use_scale and self.concerns(name):
                shape = tuple(param.shape[axis] for axis in self.features_of(param.ndim))
                self.scales[name] = nnx.Param(scale_init(rngs.params(), shape, param_dtype))
            param[...] = self.normalize(name, param[...])

    def concerns(self, name: str) -> bool:
        return not self.variable_filter or any(word in name for word in self.variable_filter)

    def features_of(self, ndim: int) -> tuple[int, ...]:
        axes = self.feature_axes
        if axes is None:
            return ()
        return tuple(sorted(a % ndim for a in ((axes,) if isinstance(axes, int) else axes)))

    def normalize(self, name: str, weight: jax.Array) -> jax.Array:
        if not self.concerns(name):
            return weight
        features = self.features_of(weight.ndim)
        others = tuple(axis for axis in range(weight.ndim) if axis not in features)
        weight = l2_normalize(weight, others, self.epsilon)
        if name in self.scales:
            shape = [size if axis in features else 1 for axis, size in enumerate(weight.shape)]
            weight = weight * self.scales[name][...].reshape(shape)
        return weight

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return call_with_weights(self.layer_instance, self.normalize, *args, **kwargs)


class SpectralNorm(nnx.Module):
    """Calls a layer with weights divided by their largest singular value, found by power iteration.

    Unlike nnx.SpectralNorm, it leaves the weights of the layer as they are, once they are divided at the start.
    `train()` and `eval()` say whether calls keep what the iteration found.
    """

    def __init__(
        self,
        layer_instance: nnx.Module,
        *,
        n_steps: int = 1,
        epsilon: float = 1e-12,
        param_dtype: Any = jnp.float32,
        use_running_average: bool = False,
        rngs: nnx.Rngs,
    ):
        self.layer_instance = layer_instance
        self.n_steps = n_steps
        self.epsilon = epsilon
        self.use_running_average = use_running_average
        self.u = nnx.Dict()
        self.sigma = nnx.Dict()
        for path, param in nnx.to_flat_state(nnx.state(layer_instance, nnx.Param)):
            if param.ndim > 1 and n_steps > 0:
                name = "/".join(map(str, path))
                u = jax.random.normal(rngs.params(), (1, param.shape[-1]), param_dtype)
                self.u[name] = nnx.BatchStat(u)
                self.sigma[name] = nnx.BatchStat(jnp.ones((), param_dtype))
                param[...] = self.normalize(name, param[...])[0]

    def normalize(self, name: str, weight: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        matrix = weight.reshape(-1, weight.shape[-1])
        u = self.u[name][...]
        for _ in range(self.n_steps):
            v = l2_normalize(u @ matrix.T, epsilon=self.epsilon)
            u = l2_normalize(v @ matrix, epsilon=self.epsilon)
        u, v = jax.lax.stop_gradient((u, v))
        sigma = (v @ matrix @ u.T)[0, 0]
        return weight / jnp.where(sigma != 0, sigma, 1), u, sigma

    def __call__(self, *args: Any, use_running_average: bool | None = None, **kwargs: Any) -> Any:
        if use_running_average is None:
            use_running_average = self.use_running_average

        def change(name: str, weight: jax.Array) -> jax.Array:
            if name not in self.u:
                return weight
            weight, u, sigma = self.normalize(name, weight)
            if not use_running_average:
                self.u[name][...] = u
                self.sigma[name][...] = jax.lax.stop_gradient(sigma)
            return weight

        return call_with_weights(self.layer_instance, change, *args, **kwargs)


# ---- names of axes -----------------------------------------------------------------------


def with_logical_constraint(
    x: Any,
    logical_axis_resources: Any,
    rules: Sequence[tuple[str, Any]] | None = None,
    mesh: jax.sharding.Mesh | None = None,
) -> Any:
    """Shards arrays by the logical names of their axes; without rules for these, or without a mesh, nothing happens."""
    rules = spmd.get_logical_axis_rules() if rules is None else rules
    if not rules or logical_axis_resources is None:
        return x

    def spec(names: Sequence[Any]) -> jax.sharding.PartitionSpec:
        taken: set[str] = set()
        chosen: dict[str, Any] = {}
        for name, axes in rules:
            wanted = set(jax.tree.leaves(axes))
            if name in names and name not in chosen and not taken & wanted:
                chosen[name] = axes
                taken |= wanted
        return jax.sharding.PartitionSpec(
            *(chosen.get(name) if isinstance(name, str) else name for name in names)
        )

    def constrain(names: Sequence[Any] | None, leaf: jax.Array) -> jax.Array:
        if mesh is None and not meta.global_mesh_defined():
            return leaf
        if names is None:
            return leaf
        axes = spec(names)
        sharding = axes if mesh is None else jax.sharding.NamedSharding(mesh, axes)
        return jax.lax.with_sharding_constraint(leaf, sharding)

    def is_spec(node: Any) -> bool:
        return node is None or (
            isinstance(node, tuple)
            and all(name is None or not isinstance(name, tuple | dict | list) for name in node)
        )

    return jax.tree.map(constrain, logical_axis_resources, x, is_leaf=is_spec)


# ---- arguments -----------------------------------------------------------------------


def merge_param(name: str, a: Any, b: Any) -> Any:
    """The one of two values that is not None: an argument may be given to the constructor or to the call."""
    if (a is None) == (b is None):
        raise ValueError(f"give `{name}` to the constructor or to the call, and not to both")
    return b if a is None else a


# ---- memory ------------------------------------------------------------------------


def rematerialized(cls: Any, **options: Any) -> Any:
    """The class, but for calls that keep no activations for the gradients: these compute them again.

    Of a partial, its class is.
    """
    if isinstance(cls, functools.partial):
        made = rematerialized_class(cls.func, **options)
        return functools.partial(made, *cls.args, **cls.keywords)
    return rematerialized_class(cls, **options)


@functools.cache
def rematerialized_class(cls: type[nnx.Module], **options: Any) -> type[nnx.Module]:
    """The class that `rematerialized` gives, the same one each time."""
    call = nnx.remat(cls.__call__, **options)
    return type(cls.__name__, (cls,), {"__call__": call, "__module__": cls.__module__})


# ---- ensembles ---------------------------------------------------------------------


def vmapped(cls: Any, *, axis_size: int, in_axes: Any = 0, out_axes: Any = 0) -> Any:
    """What makes `axis_size` modules of a class as one, each with parameters of its own; a call of it runs them all.

    `in_axes` are the axes of the arguments of that call over which the modules go, None for what all of them get.
    """
    if isinstance(cls, functools.partial):
        made = vmapped(cls.func, axis_size=axis_size, in_axes=in_axes, out_axes=out_axes)
        return functools.partial(made, *cls.args, **cls.keywords)

    def make(*args: Any, rngs: nnx.Rngs, **kwargs: Any) -> nnx.Module:
        @nnx.vmap(in_axes=0, out_axes=0)
        def create(rngs: nnx.Rngs) -> nnx.Module:
            made: Any = vmapped_class(cls, in_axes, out_axes)
            return made(*args, rngs=rngs, **kwargs)

        return create(rngs.split(axis_size))

    return make


@functools.cache
def vmapped_class(cls: type[nnx.Module], in_axes: Any, out_axes: Any) -> type[nnx.Module]:
    """The class whose modules `vmapped` makes, the same one each time."""

    def call(self: nnx.Module, *args: Any, **kwargs: Any) -> Any:
        axes = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(args)

        @nnx.vmap(in_axes=(0, *axes), out_axes=out_axes)
        def run(module: nnx.Module, *args: Any) -> Any:
            return cls.__call__(module, *args, **kwargs)

        return run(self, *args)

    return type(cls.__name__, (cls,), {"__call__": call, "__module__": cls.__module__})


# ---- bridges -----------------------------------------------------------------------------


class LinenModule(nn.Module):
    """A module of NNX as one of Linen; `sizes` tells its leading arguments from those of the call, others in a dict.

    `call` runs it as it was run in Linen, by a function that takes its mode, `training`, besides its arguments. As in
    Linen, a random stream that `init` is not given, such as dropout's, comes from the one of the parameters.
    """

    module: Callable[..., nnx.Module]
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = FrozenDict()
    sizes: Callable[..., Sequence[Any]] | None = None
    call: Callable[..., Any] | None = None

    @nn.compact
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        sizes = self.sizes(*args, **kwargs) if self.sizes is not None else ()
        leading = [size for size in sizes if not isinstance(size, dict)]
        options = {k: v for named in sizes if isinstance(named, dict) for k, v in named.items()}

        def make(rngs: nnx.Rngs) -> nnx.Module:
            if "default" not in rngs:
                streams = {stream: rngs[stream].key[...] for stream in rngs}
                rngs = nnx.Rngs(default=rngs.params(), **streams)
            return self.module(*leading, *self.args, **self.kwargs, **options, rngs=rngs)

        def run(module: nnx.Module, *args: Any, **kwargs: Any) -> Any:
            return self.call(functools.partial(in_mode, module), *args, **kwargs)

        if self.call is not None:
            kwargs["nnx_method"] = run
        bridge = nnx.bridge.ToLinen(make)
        nn.share_scope(self, bridge)
        with warnings.catch_warnings():
            # Parameters that were saved before the module became one of NNX: they would be left out.
            warnings.filterwarnings("error", "Found unknown module paths")
            return bridge(*args, **kwargs)


def in_mode(module: Any, /, *args: Any, training: Any, **kwargs: Any) -> Any:
    """Calls a module in the mode for training, or in the one for evaluation."""
    if training:
        module.train()
    else:
        module.eval()
    return module(*args, **kwargs)


def linen_module(
    module: Callable[..., nnx.Module],
    /,
    *args: Any,
    call_sizes: Callable[..., Sequence[Any]] | None = None,
    call_as: Callable[..., Any] | None = None,
    name: str | None = None,
    **kwargs: Any,
) -> LinenModule:
    """`nnx.bridge.to_linen` for a module that draws random numbers, or whose sizes or mode only a call tells."""
    return LinenModule(module, args, FrozenDict(kwargs), call_sizes, call_as, name=name)


class LinenRecord(LinenModule):
    """A LinenModule that has the fields of its module too: what the constructor is given by name, and its defaults."""

    def __getattr__(self, name: str) -> Any:
        known = inspect.signature(self.module.__init__).parameters if name != "module" else {}
        if name.startswith("_") or name not in known:
            return super().__getattr__(name)
        found = self.kwargs.get(name, known[name].default)
        if found is inspect.Parameter.empty or (self.args and name not in self.kwargs):
            raise AttributeError(f"give `{name}` by name where the model is made")
        return found


def linen_record(
    module: Callable[..., nnx.Module],
    /,
    *args: Any,
    call_sizes: Callable[..., Sequence[Any]] | None = None,
    call_as: Callable[..., Any] | None = None,
    name: str | None = None,
    **kwargs: Any,
) -> LinenRecord:
    """`linen_module` for a module whose fields are read."""
    return LinenRecord(module, args, FrozenDict(kwargs), call_sizes, call_as, name=name)


class LinenModel(nn.Module):
    """A LinenModule that has the other methods of its module too, decodes, and sows.

    As in Linen, `init` makes caches for all steps of its inputs, and boxes parameters whose axes have names.
    """

    module: Callable[..., nnx.Module]
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = FrozenDict()
    sizes: Callable[..., Sequence[Any]] | None = None

    @nn.compact
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        made: list[nnx.Module] = []

        def make(*own: Any, **options: Any) -> nnx.Module:
            module = self.module(*own, **options)
            made.append(module)
            box_named(module)
            if self.is_initializing():
                cache_steps(module, *args, **kwargs)
            elif "cache" in self.variables:
                cache_one_step(module)
                take_caches(module, self.variables["cache"])
            elif has_cache(module) and self.is_mutable_collection("cache"):
                raise ValueError("give the cache that `init` makes")
            return module

        inner = LinenModule(make, self.args, self.kwargs, self.sizes)
        nn.share_scope(self, inner)
        with warnings.catch_warnings():
            # What is sown goes to the collections of Linen, not to nnx.capture.
            warnings.filterwarnings("ignore", "Using 'Module.sow", DeprecationWarning)
            returned = inner(*args, **kwargs)
        if self.is_initializing():
            keep_caches(self, made[-1])
        return returned

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not callable(getattr(self.module, name, None)):
            return super().__getattr__(name)

        def method(model: nn.Module, *args: Any, **kwargs: Any) -> Any:
            return model(*args, nnx_method=name, **kwargs)

        return types.MethodType(method, self)


def linen_model(
    module: Callable[..., nnx.Module],
    /,
    *args: Any,
    call_sizes: Callable[..., Sequence[Any]] | None = None,
    name: str | None = None,
    **kwargs: Any,
) -> LinenModel:
    """`linen_module` for a module that decodes or sows, or whose other methods are called."""
    return LinenModel(module, args, FrozenDict(kwargs), call_sizes, name=name)


def decoding_layers(module: nnx.Module) -> dict[Any, Any]:
    """The attention of a module that runs step by step, by its path."""
    return {
        path: layer
        for path, layer in nnx.iter_modules(module)
        if isinstance(layer, nnx.MultiHeadAttention) and layer.decode
    }


def has_cache(module: nnx.Module) -> bool:
    """Whether a module keeps anything from one step to the next."""
    return bool(jax.tree.leaves(nnx.state(module, nnx.Cache)) or decoding_layers(module))


def cache_one_step(module: nnx.Module) -> None:
    """Makes room for the caches that are given to a module."""
    for layer in decoding_layers(module).values():
        layer.init_cache((1, 1, layer.in_features))


def take_caches(module: Any, caches: Any) -> None:
    """Makes the caches that are given to a module, where a call would make them."""
    if not isinstance(caches, Mapping):
        return
    for name, cache in caches.items():
        part = getattr(module, name, None) if isinstance(name, str) else module[name]
        if part is None:
            setattr(module, name, nnx.Cache(cache))
        else:
            take_caches(part, cache)


def keep_caches(model: nn.Module, module: nnx.Module) -> None:
    """Adds the caches that a call made to those that the module was made with."""
    made = nnx.traversals.flatten_mapping(nnx.to_pure_dict(nnx.state(module, nnx.Cache)))
    known = nnx.traversals.flatten_mapping(unfreeze(dict(model.variables)).get("cache", {}))
    if made.keys() - known.keys():
        for name, caches in nnx.traversals.unflatten_mapping({**made, **known}).items():
            model.put_variable("cache", name, caches)


def cache_steps(
    module: nnx.Module, *args: Any, nnx_method: str = "__call__", **kwargs: Any
) -> None:
    """Makes caches for the steps that a call has, and has attention look at all of them at once."""
    decoding = decoding_layers(module)
    for layer in decoding.values():
        layer.decode = False
    probe = nnx.clone(module)
    layers: dict[Any, Any] = dict(nnx.iter_modules(probe))
    keys: dict[Any, jax.Array] = {}
    for path in decoding:
        layers[path].attention_fn = functools.partial(
            note_key, keys, path, layers[path].attention_fn
        )
    if decoding:
        nnx.eval_shape(lambda probe: getattr(probe, nnx_method)(*args, **kwargs), probe)
    for path, key in keys.items():
        decoding[path].init_cache((*key.shape[:-2], 1), key.dtype)


def note_key(
    keys: dict[Any, jax.Array],
    path: Any,
    attend: Callable[..., Any],
    query: jax.Array,
    key: jax.Array,
    *args: Any,
    **options: Any,
) -> Any:
    """Attends, and notes the keys of the attention at `path`."""
    keys[path] = key
    return attend(query, key, *args, **options)


def box_named(module: nnx.Module) -> None:
    """Has parameters whose axes have names become boxes of Linen."""
    for _, variable in nnx.iter_graph(module):
        if isinstance(variable, nnx.Variable) and variable.get_metadata().get("out_sharding"):
            variable.set_metadata(linen_meta_type=nn.LogicallyPartitioned, sharding_rules=None)

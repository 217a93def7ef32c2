"""Whole networks of Haiku, and its layers for vector quantisation, written for NNX."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from .haiku import BatchNorm, ExponentialMovingAverage, haiku_init


class ResNetBlock(nnx.Module):
    """A residual block of hk.nets.ResNet, of either version."""

    def __init__(
        self,
        in_features: int,
        channels: int,
        strides: int,
        use_projection: bool,
        bottleneck: bool,
        resnet_v2: bool,
        bn_config: Mapping[str, Any],
        *,
        rngs: nnx.Rngs,
    ):
        self.use_projection = use_projection
        self.resnet_v2 = resnet_v2
        if use_projection:
            self.shortcut_conv = self._conv(in_features, channels, 1, strides, rngs)
            if not resnet_v2:
                self.shortcut_batchnorm = BatchNorm(channels, **bn_config, rngs=rngs)
        if bottleneck:
            width = channels // 4
            layers = [(width, 1, 1), (width, 3, strides), (channels, 1, 1)]
        else:
            layers = [(channels, 3, strides), (channels, 3, 1)]
        self.convs: nnx.List[nnx.Conv] = nnx.List()
        self.batchnorms: nnx.List[BatchNorm] = nnx.List()
        for features, size, step in layers:
            self.convs.append(self._conv(in_features, features, size, step, rngs))
            last = bottleneck and len(self.convs) == len(layers)
            scale = nnx.initializers.zeros if last and not resnet_v2 else nnx.initializers.ones
            normalized = in_features if resnet_v2 else features
            self.batchnorms.append(BatchNorm(normalized, scale_init=scale, **bn_config, rngs=rngs))
            in_features = features

    def _conv(
        self, in_features: int, features: int, size: int, strides: int, rngs: nnx.Rngs
    ) -> nnx.Conv:
        return nnx.Conv(
            in_features,
            features,
            (size, size),
            strides,
            use_bias=False,
            kernel_init=haiku_init,
            rngs=rngs,
        )

    def __call__(self, x: jax.Array, **stats: Any) -> jax.Array:
        shortcut = x
        if self.use_projection and not self.resnet_v2:
            shortcut = self.shortcut_batchnorm(self.shortcut_conv(x), **stats)
        for i, (conv, batchnorm) in enumerate(zip(self.convs, self.batchnorms, strict=True)):
            if self.resnet_v2:
                x = jax.nn.relu(batchnorm(x, **stats))
                if i == 0 and self.use_projection:
                    shortcut = self.shortcut_conv(x)
                x = conv(x)
            else:
                x = batchnorm(conv(x), **stats)
                if i < len(self.convs) - 1:
                    x = jax.nn.relu(x)
        return x + shortcut if self.resnet_v2 else jax.nn.relu(x + shortcut)


class ResNetBlockGroup(nnx.Module):
    """hk.nets.ResNet.BlockGroup: residual blocks, of which the first has the stride.

    `bn_config` are arguments of the batch norms. Like them, it obeys `train()` and `eval()`.
    """

    def __init__(
        self,
        in_features: int,
        channels: int,
        num_blocks: int,
        stride: int,
        bn_config: Mapping[str, Any],
        resnet_v2: bool,
        bottleneck: bool,
        use_projection: bool,
        *,
        rngs: nnx.Rngs,
    ):
        bn_config = {"momentum": 0.999, **bn_config}
        self.blocks: nnx.List[ResNetBlock] = nnx.List()
        for i in range(num_blocks):
            block = ResNetBlock(
                in_features,
                channels,
                1 if i else stride,
                use_projection and i == 0,
                bottleneck,
                resnet_v2,
                bn_config,
                rngs=rngs,
            )
            self.blocks.append(block)
            in_features = channels

    def __call__(self, x: jax.Array, **stats: Any) -> jax.Array:
        for block in self.blocks:
            x = block(x, **stats)
        return x


class ResNet(nnx.Module):
    """hk.nets.ResNet: a residual network for images, of version 1 or 2.

    `bn_config` are arguments of the batch norms, `initial_conv_config` of the first
    convolution. Like them, it obeys `train()` and `eval()`.
    """

    def __init__(
        self,
        in_features: int,
        blocks_per_group: Sequence[int],
        num_classes: int,
        *,
        bn_config: Mapping[str, Any] | None = None,
        resnet_v2: bool = False,
        bottleneck: bool = True,
        channels_per_group: Sequence[int] = (256, 512, 1024, 2048),
        use_projection: Sequence[bool] = (True, True, True, True),
        initial_conv_config: Mapping[str, Any] | None = None,
        strides: Sequence[int] = (1, 2, 2, 2),
        rngs: nnx.Rngs,
    ):
        bn_config = {"momentum": 0.9, **(bn_config or {})}
        conv_config = {
            "out_features": 64,
            "kernel_size": (7, 7),
            "strides": 2,
            "use_bias": False,
            "kernel_init": haiku_init,
            **(initial_conv_config or {}),
        }
        self.resnet_v2 = resnet_v2
        self.initial_conv = nnx.Conv(in_features, **conv_config, rngs=rngs)
        in_features = conv_config["out_features"]
        if not resnet_v2:
            self.initial_batchnorm = BatchNorm(in_features, **bn_config, rngs=rngs)
        self.block_groups: nnx.List[nnx.List[ResNetBlock]] = nnx.List()
        groups = zip(blocks_per_group, channels_per_group, use_projection, strides, strict=True)
        for num_blocks, channels, projected, stride in groups:
            blocks: nnx.List[ResNetBlock] = nnx.List()
            for i in range(num_blocks):
                block = ResNetBlock(
                    in_features,
                    channels,
                    1 if i else stride,
                    projected and i == 0,
                    bottleneck,
                    resnet_v2,
                    bn_config,
                    rngs=rngs,
                )
                blocks.append(block)
                in_features = channels
            self.block_groups.append(blocks)
        if resnet_v2:
            self.final_batchnorm = BatchNorm(in_features, **bn_config, rngs=rngs)
        zeros = nnx.initializers.zeros
        self.logits = nnx.Linear(in_features, num_classes, kernel_init=zeros, rngs=rngs)

    def __call__(self, inputs: jax.Array, **stats: Any) -> jax.Array:
        x = self.initial_conv(inputs)
        if not self.resnet_v2:
            x = jax.nn.relu(self.initial_batchnorm(x, **stats))
        x = nnx.max_pool(x, (3, 3), (2, 2), "SAME")
        for blocks in self.block_groups:
            for block in blocks:
                x = block(x, **stats)
        if self.resnet_v2:
            x = jax.nn.relu(self.final_batchnorm(x, **stats))
        return self.logits(jnp.mean(x, axis=(1, 2)))


class ResNet18(ResNet):
    """hk.nets.ResNet18."""

    def __init__(self, in_features: int, num_classes: int, *, rngs: nnx.Rngs, **config: Any):
        config = {
            "bottleneck": False,
            "channels_per_group": (64, 128, 256, 512),
            "use_projection": (False, True, True, True),
            **config,
        }
        super().__init__(in_features, (2, 2, 2, 2), num_classes, rngs=rngs, **config)


class ResNet34(ResNet):
    """hk.nets.ResNet34."""

    def __init__(self, in_features: int, num_classes: int, *, rngs: nnx.Rngs, **config: Any):
        config = {
            "bottleneck": False,
            "channels_per_group": (64, 128, 256, 512),
            "use_projection": (False, True, True, True),
            **config,
        }
        super().__init__(in_features, (3, 4, 6, 3), num_classes, rngs=rngs, **config)


class ResNet50(ResNet):
    """hk.nets.ResNet50."""

    def __init__(self, in_features: int, num_classes: int, *, rngs: nnx.Rngs, **config: Any):
        super().__init__(in_features, (3, 4, 6, 3), num_classes, rngs=rngs, **config)


class ResNet101(ResNet):
    """hk.nets.ResNet101."""

    def __init__(self, in_features: int, num_classes: int, *, rngs: nnx.Rngs, **config: Any):
        super().__init__(in_features, (3, 4, 23, 3), num_classes, rngs=rngs, **config)


class ResNet152(ResNet):
    """hk.nets.ResNet152."""

    def __init__(self, in_features: int, num_classes: int, *, rngs: nnx.Rngs, **config: Any):
        super().__init__(in_features, (3, 8, 36, 3), num_classes, rngs=rngs, **config)


class ResNet200(ResNet):
    """hk.nets.ResNet200."""

    def __init__(self, in_features: int, num_classes: int, *, rngs: nnx.Rngs, **config: Any):
        super().__init__(in_features, (3, 24, 36, 3), num_classes, rngs=rngs, **config)


class MobileNetV1Block(nnx.Module):
    """A convolution of each channel and one across channels, of hk.nets.MobileNetV1."""

    def __init__(
        self, in_features: int, channels: int, strides: int, use_bn: bool, *, rngs: nnx.Rngs
    ):
        self.depthwise_conv = nnx.Conv(
            in_features,
            in_features,
            (3, 3),
            strides,
            padding=((1, 1), (1, 1)),
            feature_group_count=in_features,
            use_bias=not use_bn,
            kernel_init=haiku_init,
            rngs=rngs,
        )
        self.pointwise_conv = nnx.Conv(
            in_features, channels, (1, 1), use_bias=not use_bn, kernel_init=haiku_init, rngs=rngs
        )
        self.use_bn = use_bn
        if use_bn:
            self.batch_norm1 = BatchNorm(in_features, momentum=0.999, rngs=rngs)
            self.batch_norm2 = BatchNorm(channels, momentum=0.999, rngs=rngs)

    def __call__(self, x: jax.Array, **stats: Any) -> jax.Array:
        x = self.depthwise_conv(x)
        x = jax.nn.relu(self.batch_norm1(x, **stats) if self.use_bn else x)
        x = self.pointwise_conv(x)
        return jax.nn.relu(self.batch_norm2(x, **stats) if self.use_bn else x)


class MobileNetV1(nnx.Module):
    """hk.nets.MobileNetV1: a network for images that obeys `train()` and `eval()`."""

    def __init__(
        self,
        in_features: int,
        *,
        strides: Sequence[int] = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1),
        channels: Sequence[int] = (64, 128, 128, 256, 256, *[512] * 6, 1024, 1024),
        num_classes: int = 1000,
        use_bn: bool = True,
        rngs: nnx.Rngs,
    ):
        self.use_bn = use_bn
        self.conv = nnx.Conv(
            in_features,
            32,
            (3, 3),
            2,
            padding="VALID",
            use_bias=not use_bn,
            kernel_init=haiku_init,
            rngs=rngs,
        )
        if use_bn:
            self.batch_norm = BatchNorm(32, momentum=0.999, rngs=rngs)
        self.blocks: nnx.List[MobileNetV1Block] = nnx.List()
        for before, after, stride in zip((32, *channels), channels, strides, strict=False):
            self.blocks.append(MobileNetV1Block(before, after, stride, use_bn, rngs=rngs))
        self.logits = nnx.Linear(channels[-1], num_classes, kernel_init=haiku_init, rngs=rngs)

    def __call__(self, inputs: jax.Array, **stats: Any) -> jax.Array:
        x = self.conv(inputs)
        x = jax.nn.relu(self.batch_norm(x, **stats) if self.use_bn else x)
        for block in self.blocks:
            x = block(x, **stats)
        return self.logits(jnp.mean(x, axis=(1, 2)))


def quantized(
    inputs: jax.Array, embeddings: jax.Array, axis_name: str | None
) -> dict[str, jax.Array]:
    """The nearest of the columns of `embeddings` for each vector of `inputs`, and how they spread."""
    dim, count = embeddings.shape
    flat = inputs.reshape(-1, dim)
    distances = (
        jnp.sum(jnp.square(flat), 1, keepdims=True)
        - 2 * flat @ embeddings
        + jnp.sum(jnp.square(embeddings), 0, keepdims=True)
    )
    nearest = jnp.argmax(-distances, 1)
    encodings = jax.nn.one_hot(nearest, count, dtype=distances.dtype)
    indices = nearest.reshape(inputs.shape[:-1])
    shares = jnp.mean(encodings, 0)
    if axis_name is not None:
        shares = jax.lax.pmean(shares, axis_name)
    return {
        "quantize": embeddings.T[indices],
        "perplexity": jnp.exp(-jnp.sum(shares * jnp.log(shares + 1e-10))),
        "encodings": encodings,
        "encoding_indices": indices,
        "distances": distances,
    }


class VectorQuantizer(nnx.Module):
    """hk.nets.VectorQuantizer: replaces vectors by the nearest of those that it learns."""

    def __init__(
        self,
        embedding_dim: int,
        num_embeddings: int,
        commitment_cost: float,
        *,
        axis_name: str | None = None,
        rngs: nnx.Rngs,
    ):
        self.commitment_cost = commitment_cost
        self.axis_name = axis_name
        init = nnx.initializers.variance_scaling(1.0, "fan_in", "uniform")
        self.embeddings = nnx.Param(init(rngs.params(), (embedding_dim, num_embeddings)))

    def __call__(self, inputs: jax.Array) -> dict[str, jax.Array]:
        found = quantized(inputs, self.embeddings[...], self.axis_name)
        vectors = found["quantize"]
        latent_loss = jnp.mean(jnp.square(jax.lax.stop_gradient(vectors) - inputs))
        loss = jnp.mean(jnp.square(vectors - jax.lax.stop_gradient(inputs)))
        straight = inputs + jax.lax.stop_gradient(vectors - inputs)
        return {**found, "quantize": straight, "loss": loss + self.commitment_cost * latent_loss}

    def quantize(self, encoding_indices: jax.Array) -> jax.Array:
        """The vectors with these indices."""
        return self.embeddings[...].T[encoding_indices]


class VectorQuantizerEMA(nnx.Module):
    """hk.nets.VectorQuantizerEMA: replaces vectors by the nearest of those that it averages.

    Its vectors move towards the inputs that they replace, in training: it obeys `train()`
    and `eval()`.
    """

    def __init__(
        self,
        embedding_dim: int,
        num_embeddings: int,
        commitment_cost: float,
        decay: float,
        epsilon: float = 1e-5,
        *,
        use_running_average: bool = False,
        axis_name: str | None = None,
        rngs: nnx.Rngs,
    ):
        self.commitment_cost = commitment_cost
        self.epsilon = epsilon
        self.use_running_average = use_running_average
        self.axis_name = axis_name
        shape = (embedding_dim, num_embeddings)
        init = nnx.initializers.variance_scaling(1.0, "fan_in", "uniform")
        self.embeddings = nnx.BatchStat(init(rngs.params(), shape))
        self.ema_cluster_size = ExponentialMovingAverage((num_embeddings,), decay)
        self.ema_dw = ExponentialMovingAverage(shape, decay)

    def __call__(
        self, inputs: jax.Array, *, use_running_average: bool | None = None
    ) -> dict[str, jax.Array]:
        if use_running_average is None:
            use_running_average = self.use_running_average
        found = quantized(inputs, self.embeddings[...], self.axis_name)
        vectors = found["quantize"]
        loss = jnp.mean(jnp.square(jax.lax.stop_gradient(vectors) - inputs))
        if not use_running_average:
            self._update(inputs.reshape(-1, inputs.shape[-1]), found["encodings"])
        straight = inputs + jax.lax.stop_gradient(vectors - inputs)
        return {**found, "quantize": straight, "loss": self.commitment_cost * loss}

    def _update(self, inputs: jax.Array, encodings: jax.Array) -> None:
        sizes, sums = jax.lax.stop_gradient((jnp.sum(encodings, 0), inputs.T @ encodings))
        if self.axis_name is not None:
            sizes, sums = jax.lax.psum((sizes, sums), self.axis_name)
        sizes, sums = self.ema_cluster_size(sizes), self.ema_dw(sums)
        total = jnp.sum(sizes)
        sizes = (sizes + self.epsilon) / (total + sizes.size * self.epsilon) * total
        self.embeddings[...] = sums / sizes

    def quantize(self, encoding_indices: jax.Array) -> jax.Array:
        """The vectors with these indices."""
        return self.embeddings[...].T[encoding_indices]

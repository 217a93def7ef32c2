"""A small convolutional classifier, written with Flax Linen."""

from collections.abc import Sequence

from flax import linen as nn


class ConvBlock(nn.Module):
    """A convolution, normalised over the batch."""

    features: int

    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.Conv(self.features, kernel_size=(3, 3), use_bias=False)(x)
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)
        return nn.relu(x)


class Classifier(nn.Module):
    """Blocks that halve the image, then one score for each class."""

    classes: int
    widths: Sequence[int] = (8, 16)
    rate: float = 0.1

    @nn.compact
    def __call__(self, images, train: bool):
        x = images
        for width in self.widths:
            x = ConvBlock(width)(x, train)
            x = nn.max_pool(x, (2, 2), strides=(2, 2))
        x = x.mean(axis=(1, 2))  # one number for each channel
        x = nn.Dropout(self.rate, deterministic=not train)(x)
        return nn.Dense(self.classes)(x)

"""What takes the place of things that Haiku programs do to whole models."""

from flax import nnx

from .haiku import ExponentialMovingAverage


def initialise_averages(model, *args, **kwargs):
    """Sets the moving averages to the statistics of one input, as the `init` of a transform leaves them in Haiku.

    Nothing else changes: the first training step starts from the same counters as without it.
    """
    trial = nnx.clone(model)
    trial.train()
    trial(*args, **kwargs)
    for (_, module), (_, ran) in zip(nnx.iter_modules(model), nnx.iter_modules(trial), strict=True):
        if isinstance(module, ExponentialMovingAverage) and isinstance(
            ran, ExponentialMovingAverage
        ):
            module.average[...] = ran.average[...]

"""Layers and initialisers that Flax NNX does not have, as they are copied beside the user's code."""

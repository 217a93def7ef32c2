"""Flax Linen and Haiku code rewritten as Flax NNX code."""

__version__ = "0.1.0"

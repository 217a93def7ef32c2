"""Writes an nnx.Module from a module's model and from what the interpreter saw."""

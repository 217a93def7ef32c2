"""Values that a call gives, by the names of the parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .values import Value


def bind_signature(
    signature: Sequence[str], args: Sequence[Value], kwargs: Mapping[str, Value]
) -> dict[str, Value]:
    """Arguments by parameter name; surplus positional ones are dropped."""
    return {**dict(zip(signature, args, strict=False)), **kwargs}

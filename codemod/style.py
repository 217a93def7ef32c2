"""What a rewrite wrote, in the style of its file."""

from __future__ import annotations

from . import docstrings, longlines, quotes, spacing
from .source import Source


def like(text: str, original: Source, limit: int) -> str:
    """A text as the author of its original would have it, in lines of at most `limit` characters where that can be."""
    text = docstrings.like(Source(original.path, text.encode()), original)
    text = longlines.broken(Source(original.path, text.encode()), original, limit)
    return spacing.like(quotes.like(text, original.text), original.text)

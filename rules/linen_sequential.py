"""`nn.Sequential([...])` takes a list; `nnx.Sequential(...)` takes the layers one by one.

Both hand on what a layer returns: a tuple as several arguments, a dict as keywords.
"""

from __future__ import annotations

import ast
import re

from ..codemod.rule import Layer, To, Written

# A comma behind the last item keeps each on a line of its own.
_ONE_PER_LINE = re.compile(r",\s*\n\s*[\])]$")


def unpacked(written: Written) -> str:
    """The layers of a literal list as separate arguments, any other sequence behind a star."""
    text = written.text.strip()
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return f"*{text}"
    if not isinstance(tree, ast.List | ast.Tuple):
        return f"*{text}"
    if "#" in text:
        return text[1:-1].rstrip().rstrip(",")
    layers = ", ".join(ast.get_source_segment(text, element) or "" for element in tree.elts)
    return f"{layers}," if _ONE_PER_LINE.search(text) else layers


RULES = (
    Layer(
        code="LN401",
        summary="nn.Sequential becomes nnx.Sequential",
        before="mlp = nn.Sequential([nn.Dense(8), nn.relu])",
        after="self.mlp = nnx.Sequential(nnx.Linear(in_features, 8, rngs=rngs), nnx.relu)",
        source="flax.linen.Sequential",
        target="flax.nnx.Sequential",
        signature=("layers",),
        arguments={"layers": To("layers", unpacked)},
        leading=("layers",),
        attribute="sequential",
        rngs=False,
    ),
)

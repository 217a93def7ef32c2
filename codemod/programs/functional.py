"""The functional rung: parameters stay trees, and the module is put together where it is called.

What was an unbound model (a Linen module, a Haiku transform) becomes its graphdef: `init` makes the module and splits
it, `apply` merges the graphdef with the trees that it is given and calls the result. Gradients, compilation,
optimisers and whatever else the program does with its trees stay as they are.
"""

from __future__ import annotations

"""What a pattern of axes tells is what einops returns."""

from __future__ import annotations

import ast
import textwrap

import einops
import jax.numpy as jnp
import pytest

from nnx_codemod.codemod.project import Project
from nnx_codemod.codemod.rulebook import Rulebook
from nnx_codemod.codemod.shapes.interpreter import Interpreter
from nnx_codemod.codemod.shapes.patterns import rearranged
from nnx_codemod.codemod.shapes.values import Array, Constant
from nnx_codemod.tests.programs import check, rewritten


@pytest.mark.parametrize(
    ("function", "shape", "pattern", "sizes"),
    [
        ("rearrange", (2, 12, 8, 3), "n (a p) (b q) c -> n (a b) (p q) c", {"a": 3, "q": 2}),
        ("rearrange", (2, 3, 4), "... a b -> ... (b a)", {}),
        ("rearrange", (2, 3, 4, 5), "n ... c -> (n ...) c", {}),
        ("rearrange", (2, 1, 4), "n () c -> c n", {}),
        ("rearrange", (6, 4), "(n m) c -> n m 1 c", {"n": 2}),
        ("repeat", (2, 5), "n c -> n (c k) t", {"k": 3, "t": 7}),
        ("reduce", (2, 4, 6, 3), "n (h a) w c -> n h c", {"a": 2}),
    ],
)
def test_the_shape_is_that_of_einops(function, shape, pattern, sizes):
    more = ["mean"] if function == "reduce" else []
    expected = getattr(einops, function)(jnp.zeros(shape), pattern, *more, **sizes)
    interp = Interpreter(Project({}), Rulebook(()))
    found = rearranged(
        interp,
        ast.Pass(),
        [Array(shape, "float32"), Constant(pattern)],
        {name: Constant(size) for name, size in sizes.items()},
    )
    assert isinstance(found, Array)
    assert found.shape == expected.shape


def test_windows_of_an_image_that_divide_it_at_run_time(tmp_path):
    program = textwrap.dedent("""\
        import einops
        import flax.linen as nn
        import jax
        import jax.numpy as jnp


        class Windows(nn.Module):
            grid: tuple[int, int]
            zoom: float = 2.0

            @nn.compact
            def __call__(self, x):
                n, h, w, c = x.shape
                gh, gw = self.grid
                y = einops.rearrange(
                    x, "n (gh fh) (gw fw) c -> n (gh gw) (fh fw) c", gh=gh, gw=gw, fh=h // gh, fw=w // gw
                )
                y = nn.LayerNorm()(y)
                z = jax.image.resize(x, (n, int(h * self.zoom), int(w * self.zoom), c), "bilinear")
                return nn.Dense(3)(y).sum() + nn.Conv(2, (1, 1))(z).mean()


        x = jax.random.normal(jax.random.key(0), (2, 4, 6, 5))
        model = Windows((2, 3))
        params = model.init(jax.random.key(1), x)
        print('RESULT', float(model.apply(params, x)))
        """)
    done = rewritten(program)
    assert done.statuses == {"Windows": "rewritten"}
    check(done, tmp_path)

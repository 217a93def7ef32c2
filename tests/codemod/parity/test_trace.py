"""`rewrite --trace`: sizes that reading cannot tell come from runs of the originals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nnx_codemod.cli import cli

# What `import_module` gives is not read, so nothing is known of what these functions return.
TOOLS = """import jax.numpy as jnp


def fold(x, heads):
    return jnp.concatenate([x] * heads, -1)


def glue(x, other):
    return jnp.concatenate([x, other], -1)


def sizes(x):
    return x.shape[1], x.shape[2]


def square(x):
    return jnp.repeat(x, x.shape[-1], -1)


def rounded(x, ratio):
    width = max(8, int(x.shape[-1] * ratio + 4) // 8 * 8)
    return jnp.zeros((*x.shape[:-1], width)) + x.mean(-1, keepdims=True)


def widest(x, sizes, which):
    return jnp.zeros((*x.shape[:-1], sizes[which])) + x.mean(-1, keepdims=True)
"""
LINEN = """import importlib

from flax import linen as nn

tools = __import__("tools")


class Mixed(nn.Module):
    features: int
    heads: int = 2

    @nn.compact
    def __call__(self, x, other):
        h = nn.Dense(self.features)(tools.fold(x, self.heads))
        both = tools.glue(h, other)
        _, d = tools.sizes(both)
        return nn.Dense(d)(nn.LayerNorm()(both))


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(Mixed(12)(x, x))
"""
HAIKU = """import importlib

import haiku as hk

tools = __import__("tools")


class Mixed(hk.Module):
    def __init__(self, features, name=None):
        super().__init__(name=name)
        self.features = features

    def __call__(self, x, other):
        both = tools.glue(hk.Linear(self.features)(x), other)
        return hk.Linear(4)(both)
"""


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tools.py").write_text(TOOLS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rewritten(tree: Path, text: str, *more: str) -> Result:
    (tree / "models.py").write_text(text)
    return CliRunner().invoke(cli, ["rewrite", "--report", "-", "--allow-dirty", *more, "."])


def test_sizes_of_runs_are_expressions_over_fields_and_inputs(tree: Path) -> None:
    plain = rewritten(tree, LINEN, "--no-cache")
    assert plain.exit_code == 1
    assert (tree / "models.py").read_text() == LINEN

    traced = rewritten(tree, LINEN, "--trace", "--verify")
    assert traced.exit_code == 0, traced.output
    text = (tree / "models.py").read_text()
    assert "nnx.Linear(heads * x_features, features, rngs=rngs)" in text
    assert "nnx.LayerNorm(features + other_features, rngs=rngs)" in text
    assert "self.linear = nnx.Linear(in_features + 12, 3, rngs=rngs)" in text
    assert "2 of 2 modules hold" in " ".join(traced.stderr.split())

    entries = {c["name"]: c for f in json.loads(traced.stdout)["files"] for c in f["classes"]}
    lines = LINEN.split("\n")
    marked = [lines[place["line"] - 1].strip() for place in entries["Mixed"]["traced"]]
    assert "both = tools.glue(h, other)" in marked


def test_code_that_reads_numbers_runs_on_numbers(tree: Path) -> None:
    """What an array holds, if only one that the code makes, no abstract run can tell."""
    text = LINEN.replace("import importlib\n", "import importlib\n\nimport jax.numpy as jnp\n")
    text = text.replace(
        "        _, d = tools.sizes(both)\n",
        "        for rate in jnp.linspace(0, 0.2, 3):\n            both = both * (1 - rate.item())\n"
        "        _, d = tools.sizes(both)\n",
    )
    traced = rewritten(tree, text, "--trace")
    assert traced.exit_code == 0, traced.output
    assert "nnx.LayerNorm(features + other_features" in (tree / "models.py").read_text()


def test_haiku(tree: Path) -> None:
    assert rewritten(tree, HAIKU, "--no-cache").exit_code == 1
    traced = rewritten(tree, HAIKU, "--trace")
    assert traced.exit_code == 0, traced.output
    assert "nnx.Linear(other_features + features, 4," in " ".join(
        (tree / "models.py").read_text().split()
    )


def test_what_no_expression_explains_stays(tree: Path) -> None:
    text = LINEN.replace("tools.glue(h, other)", "tools.square(tools.glue(h, other))")
    traced = rewritten(tree, text, "--trace")
    assert traced.exit_code == 1
    assert "NX101" in traced.stderr
    assert (tree / "models.py").read_text() == text


ROUNDED = """import importlib

import jax
import jax.numpy as jnp
from flax import linen as nn

tools = __import__("tools")


class Rounded(nn.Module):
    features: int
    ratio: float = 1.5

    @nn.compact
    def __call__(self, x):
        h = tools.rounded(x, self.ratio)
        return nn.Dense(self.features)(nn.relu(h))


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return Rounded(8)(nn.Dense(12)(x))
"""
PROGRAM = """

x = jnp.ones((2, 12))
model = Rounded(4)
params = model.init(jax.random.key(0), x)
print(model.apply(params, x).shape)
"""


def test_what_no_expression_gives_is_a_parameter(tree: Path) -> None:
    """It is filled where the values that it goes by are known, and were so in some run."""
    traced = rewritten(tree, ROUNDED + PROGRAM, "--trace", "--verify")
    assert traced.exit_code == 0, traced.output
    text = (tree / "models.py").read_text()
    assert "def __init__(self, h_features: int, features: int, ratio: float = 1.5, *" in text
    assert "self.linear = nnx.Linear(h_features, features, rngs=rngs)" in text
    assert "self.rounded = Rounded(16, 8, rngs=rngs)" in text
    assert "model = Rounded(16, 4, rngs=nnx.Rngs(0))" in text

    entries = {c["name"]: c for f in json.loads(traced.stdout)["files"] for c in f["classes"]}
    (added,) = entries["Rounded"]["added_parameters"]
    assert added["from"].startswith("{(12, 1.5): 16, ")
    assert added["from"].endswith("}[x.shape[-1], self.ratio]")
    assert entries["Rounded"]["traced"]


def test_a_parameter_that_a_user_cannot_fill_keeps_its_class(tree: Path) -> None:
    """No run had the width that `Net` gives, and none tells what `net` is given."""
    for text in (
        ROUNDED.replace("nn.Dense(12)(x)", "nn.Dense(13)(x)") + PROGRAM,
        ROUNDED.replace("nn.Dense(12)(x)", "x") + PROGRAM,
    ):
        traced = rewritten(tree, text, "--trace")
        assert traced.exit_code == 1
        assert "the size `h_features` of `Rounded` could not be inferred here" in traced.stderr
        assert (tree / "models.py").read_text() == text


@pytest.mark.parametrize(("which", "text"), [(-1, "sizes[-1]"), (0, "sizes[0]")])
def test_sizes_are_items_of_fields(which: int, text: str, tree: Path) -> None:
    code = ROUNDED.replace("ratio: float = 1.5", "sizes: tuple[int, ...] = (4, 16)")
    code = code.replace("tools.rounded(x, self.ratio)", f"tools.widest(x, self.sizes, {which})")
    traced = rewritten(tree, code, "--trace", "--verify")
    assert traced.exit_code == 0, traced.output
    assert f"nnx.Linear({text}, features, rngs=rngs)" in (tree / "models.py").read_text()


def test_the_second_of_two_is_not_the_last(tree: Path) -> None:
    """A name for it would be one, but the runs cannot be sure of it."""
    code = ROUNDED.split("class Net")[0].replace(
        "ratio: float = 1.5", "sizes: tuple[int, ...] = (4, 16)"
    )
    code = code.replace("tools.rounded(x, self.ratio)", "tools.widest(x, self.sizes, 1)")
    traced = rewritten(tree, code, "--trace")
    assert traced.exit_code == 1
    assert (tree / "models.py").read_text() == code


def test_a_branch_that_the_case_does_not_take_is_run_as_well(tree: Path) -> None:
    code = ROUNDED.split("class Net")[0].replace("ratio: float = 1.5", "wide: bool = False")
    code = code.replace(
        "        h = tools.rounded(x, self.ratio)\n        return nn.Dense(self.features)(nn.relu(h))\n",
        "        if self.wide:\n"
        "            return nn.Dense(3)(tools.fold(x, 2))\n"
        "        return nn.Dense(self.features)(tools.glue(x, x[..., :1]))\n",
    )
    traced = rewritten(tree, code, "--trace")
    assert traced.exit_code == 0, traced.output
    text = (tree / "models.py").read_text()
    assert "nnx.Linear(2 * in_features, 3, rngs=rngs)" in text
    assert "nnx.Linear(in_features + 1, features, rngs=rngs)" in text


LOOP = """import haiku as hk
import jax
import jax.numpy as jnp

tools = __import__("tools")


class Branch(hk.Module):
    def __init__(self, heads, features, name=None):
        super().__init__(name=name)
        self.heads = heads
        self.features = features

    def __call__(self, x):
        w = hk.get_parameter("w", [x.shape[-1], self.features, self.heads], init=jnp.ones)
        return jnp.einsum("bi,ijk->bjk", x, w)


class Net(hk.Module):
    def __init__(self, sizes, heads, name=None):
        super().__init__(name=name)
        layers = []
        for index, size in enumerate(sizes):
            if index == 0:
                layers.append(Branch(heads, size))
            else:
                layers.append(hk.Linear(heads))
        self.layers = tuple(layers)

    def __call__(self, x):
        out = tools.glue(x, x[..., :1])
        for layer in self.layers:
            out = layer(out)
        return out
"""
LOOP_SAMPLE = """[[tool.nnx-codemod.samples]]
module = "models:Net"
kwargs = { sizes = [8, 3], heads = 4 }
inputs = ["f32[2,6]"]
"""


def test_what_one_call_in_a_loop_is_given_goes_by_where_each_layer_is_made(tree: Path) -> None:
    (tree / "pyproject.toml").write_text(LOOP_SAMPLE)
    traced = rewritten(tree, LOOP, "--trace")
    assert traced.exit_code == 0, traced.output
    assert "Branch(in_features + 1, heads, size" in (tree / "models.py").read_text()


def test_a_size_that_differs_from_turn_to_turn_is_none_of_them(tree: Path) -> None:
    """With two sizes the second layer runs once, with three it is given something else in its second turn."""
    (tree / "pyproject.toml").write_text(LOOP_SAMPLE)
    text = LOOP.replace("hk.Linear(heads)", "Parallel(size)").replace(
        "class Net",
        """class Parallel(hk.Module):
    def __init__(self, features, name=None):
        super().__init__(name=name)
        self.features = features

    def __call__(self, x):
        w = hk.get_parameter("w", [x.shape[1], self.features, x.shape[2]], init=jnp.ones)
        return jnp.einsum("bik,ijk->bjk", x, w)


class Net""",
    )
    traced = rewritten(tree, text, "--trace")
    assert "models.py:Net: sizes from a run of the original" in traced.stderr
    assert "no one expression explains the sizes" in " ".join(traced.stderr.split())
    assert "Parallel(" in text and "nnx" not in (tree / "models.py").read_text()


@pytest.mark.parametrize("other", ["x[..., :1]", "x[..., :0]"])
@pytest.mark.parametrize(
    "body",
    [
        """        if self.mode == "wide":
            return self.layer(tools.glue(x, x))
        return self.layer(tools.glue(x, OTHER))
""",
        """        WIDE = self.mode == "wide"
        return hk.Linear(4)(tools.glue(x, x)) if WIDE else hk.Linear(4)(tools.glue(x, OTHER))
""",
    ],
)
def test_a_call_that_no_run_made_is_not_like_another_one(body: str, other: str, tree: Path) -> None:
    """No run has another text for `mode`."""
    text = f"""{LOOP.split("class Branch")[0]}class Net(hk.Module):
    def __init__(self, mode="narrow", name=None):
        super().__init__(name=name)
        self.mode = mode
        self.layer = hk.Linear(4)

    def __call__(self, x):
{body.replace("OTHER", other)}"""
    if "self.layer(" not in body:
        text = text.replace("        self.layer = hk.Linear(4)\n", "")
    traced = rewritten(tree, text, "--trace")
    assert "models.py:Net: sizes from a run of the original" in traced.stderr
    assert traced.exit_code == 1
    assert (tree / "models.py").read_text() == text


MADE = """import haiku as hk

tools = __import__("tools")


def project(width, name=None):
    return hk.Linear(width, name=name)


class Net(hk.Module):
    def __init__(self, features, name=None):
        super().__init__(name=name)
        self.features = features

    def __call__(self, x, other):
        h = project(
            self.features,
            name="first")(x)
        both = tools.glue(
            project(
                self.features,
                name="second")(h),
            other)
        return project(4, name="last")(both)
"""


def test_statements_that_a_pass_wrote_anew_are_found(tree: Path) -> None:
    assert rewritten(tree, MADE).exit_code == 1
    traced = rewritten(tree, MADE, "--trace")
    assert traced.exit_code == 0, traced.output
    text = (tree / "models.py").read_text()
    assert "self.last = Project(other_features + features, 4, rngs=rngs)" in text


def test_a_size_that_may_be_given_is_no_expression_over_those_that_are(tree: Path) -> None:
    """`width` is None in the case; another one is a multiple of the input's."""
    text = """import haiku as hk

tools = __import__("tools")


class Net(hk.Module):
    def __init__(self, width=None, name=None):
        super().__init__(name=name)
        self.width = width

    def __call__(self, x):
        width = self.width or x.shape[-1]
        assert width % x.shape[-1] == 0
        both = tools.fold(hk.Linear(width)(x), 2)
        return hk.Linear(4)(both)
"""
    traced = rewritten(tree, text, "--trace")
    assert "models.py:Net: sizes from a run of the original" in traced.stderr
    assert "nnx.Linear(both_features, 4" in (tree / "models.py").read_text()
    narrow = text.replace("assert width % x.shape[-1] == 0", "assert width == x.shape[-1]")
    assert rewritten(tree, narrow, "--trace").exit_code == 1
    assert (tree / "models.py").read_text() == narrow


def test_what_a_text_decides_is_not_taken_for_settled(tree: Path) -> None:
    text = f"""{LOOP.split("class Branch")[0]}class Net(hk.Module):
    def __init__(self, mode="narrow", name=None):
        super().__init__(name=name)
        self.mode = mode

    def __call__(self, x):
        h = tools.glue(x, x) if self.mode == "wide" else tools.glue(x, x[..., :1])
        return hk.Linear(4)(h)
"""
    traced = rewritten(tree, text, "--trace")
    assert traced.exit_code == 1
    assert (tree / "models.py").read_text() == text


class Settings:
    """Settings as ml_collections has them: no dict, and no attributes of their own."""

    def __init__(self, **given: Any) -> None:
        self.__dict__["_fields"] = given

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_fields"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self._fields[name] = value

    def items(self) -> Any:
        return self._fields.items()

    def to_dict(self) -> dict[str, Any]:
        return dict(self._fields)


def test_settings_and_their_items_are_varied() -> None:
    from nnx_codemod.codemod.parity.child.case import Values
    from nnx_codemod.codemod.parity.child.variations import changed, longer, variables

    class Module:
        def __init__(self, config: Any, sizes: tuple[int, ...] = (3, 4)) -> None: ...

        def __call__(self, x: Any) -> None: ...

    values = Values(args=[Settings(width=8, fused=False, name="ab")])
    found = variables(Module, Module.__call__, values)
    kinds = {one.text: one.kind for one in found}
    assert kinds == {
        "config.width": "field",
        "config.fused": "other",
        "config.name": "fixed",
        "sizes[0]": "item",
        "sizes[-1]": "item",
    }
    place = {one.text: number for number, one in enumerate(found)}
    other = changed(values, found, {place["config.width"]: 16, place["sizes[0]"]: 6})
    assert other.args[0].width == 16
    assert values.args[0].width == 8
    assert other.kwargs == {"sizes": (6, 4)}
    new, more = longer(values, found, [("kwargs", "sizes")], 3)
    assert new == {place["sizes[0]"]: 3}
    assert more.kwargs == {"sizes": (3, 9, 4)}


def test_what_is_not_varied_of_many_settings_is_told() -> None:
    from nnx_codemod.codemod.parity.child.variations import _SETTINGS, _field

    few = Settings(**{f"size{i}": i for i in range(_SETTINGS)})
    assert {one.kind for one in _field("config", ("args", 0), few)} == {"field"}
    many = Settings(**{f"size{i}": i for i in range(_SETTINGS + 1)})
    found = [one for one in _field("config", ("args", 0), many) if one.kind == "fixed"]
    assert [one.text for one in found] == ["config"]


def test_a_class_that_does_not_run_is_named(tree: Path) -> None:
    text = LINEN.replace("tools.glue(h", "tools.missing(h")
    traced = rewritten(tree, text, "--trace")
    assert traced.exit_code == 1
    assert "models.py:Mixed: no sizes, the original did not run" in traced.stderr


def test_runs_see_samples(tree: Path) -> None:
    """A case that no search would find."""
    text = LINEN.replace(
        "        h = nn", "        assert x.shape[-1] == 5 and other.shape[-1] == 7\n        h = nn"
    ).split("class Net")[0]
    (tree / "pyproject.toml").write_text(
        '[[tool.nnx-codemod.samples]]\nmodule = "models:Mixed"\nkwargs = { features = 6 }\n'
        'inputs = ["f32[2,4,5]", "f32[2,4,7]"]\n'
    )
    traced = rewritten(tree, text, "--trace")
    assert "case: configuration" in traced.stderr


INNER = """import functools
import importlib

from flax import linen as nn

tools = __import__("tools")


class Inner(nn.Module):
    features: int
    norm: type = functools.partial(nn.LayerNorm, epsilon=1e-5)

    @nn.compact
    def __call__(self, x, other):
        assert (x.ndim, other.ndim) == (5, 3)
        return nn.Dense(self.features)(tools.glue(x.sum((1, 2)), other))


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return Inner(5)(nn.Dense(7)(x)[:, None, None], x)
"""


def test_a_class_that_no_search_reaches_runs_as_it_does_inside_of_another(tree: Path) -> None:
    traced = rewritten(tree, INNER, "--trace")
    assert "models.py:Inner: sizes from a run of the original (case: a run of Net)" in traced.stderr
    text = (tree / "models.py").read_text()
    assert "nnx.Linear(x_features + other_features, features, rngs=rngs)" in text


MAKERS = {
    "a transformed pair": """

def make(width):
    @hk.transform
    def forward(x, other):
        return Mixed(width)(x, other)

    return forward
""",
    "a function that is transformed elsewhere": """

def make(width):
    return lambda x, other: Mixed(width)(x, other)
""",
    "a module of Haiku": """

def make(width):
    return Mixed(width)
""",
    "a model of Linen": """

def make(width):
    return Mixed(width, heads=3)
""",
}


@pytest.mark.parametrize("what", MAKERS)
def test_a_sample_of_a_function_shows_what_runs_inside_of_the_model_that_it_makes(
    what: str, tree: Path
) -> None:
    linen = "Linen" in what
    text = LINEN.split("\n\nclass Net")[0] if linen else HAIKU
    before = "        h = nn" if linen else "        both = tools"
    text = text.replace(before, f"        assert x.shape[-1] == 5 and other.ndim == 6\n{before}")
    text = text.replace("tools.glue(h, other)", "tools.glue(h, other.sum((1, 2, 3)))")
    text = text.replace("(x), other)", "(x), other.sum((1, 2, 3, 4)))").replace(
        "_, d = tools", "d, _ = tools"
    )
    (tree / "pyproject.toml").write_text(
        '[[tool.nnx-codemod.samples]]\nmodule = "models:make"\nkwargs = { width = 6 }\n'
        f'inputs = ["f32[2{",4" * linen},5]", "f32[2,1,1,1,{"4" if linen else "1"},7]"]\n'
    )
    traced = rewritten(tree, text + MAKERS[what], "--trace")
    shown = "models.py:Mixed: sizes from a run of the original (case: a run of make)"
    assert shown in " ".join(traced.stderr.split())


def test_a_name_without_a_default_is_a_text(tree: Path) -> None:
    """Haiku asks each module for its name, and most of what is called so is one."""
    text = HAIKU.replace("name=None", "name").replace("(name=name)", "(name=name.strip())")
    traced = rewritten(tree, text, "--trace")
    assert traced.exit_code == 0, traced.output
    assert "nnx.Linear(other_features + features, 4," in " ".join(
        (tree / "models.py").read_text().split()
    )


def test_values_as_cases_write_them() -> None:
    import functools

    import jax.numpy as jnp
    from flax import linen as nn

    from nnx_codemod.codemod.parity.child.inside import Unwritten, given, written

    assert written(functools.partial(nn.LayerNorm, epsilon=1e-5)) == (
        "py:functools.partial(nn.LayerNorm, epsilon=1e-05)"
    )
    assert written(jnp.float32) == "py:jnp.float32"
    assert written(nn.relu) == "py:nn.relu"
    assert written((1, (2,))) == "py:(1, (2,))"
    assert written(nn.Dense(3)).startswith("py:nn.Dense(features=3")
    assert given({"x": [jnp.ones((2, 3))]}) == {"x": ["f32[2,3]"]}
    with pytest.raises(Unwritten):
        written(lambda x: x)

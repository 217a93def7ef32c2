"""The report's `variables`, applied: the original's numbers at the places that the map names give its outputs.

Each variable gets numbers of its own, so that two layers of one shape cannot stand in for each other.
"""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.parity.child import carry, case, originals, rewritten
from nnx_codemod.codemod.parity.child.subject import Flat, Subject
from nnx_codemod.codemod.run import examine

HEADS = {
    "linen": "import jax\nimport jax.numpy as jnp\nfrom flax import linen as nn\n\n\n",
    "haiku": "import haiku as hk\nimport jax\nimport jax.numpy as jnp\n\n\n",
}


class Sides:
    """A program and its rewrite, as files."""

    def __init__(self, folder: Path, framework: str, text: str) -> None:
        self.framework = framework
        self.folders = folder / "before", folder / "after"
        for each in self.folders:
            each.mkdir()
            (each / "program.py").write_text(HEADS[framework] + textwrap.dedent(text).lstrip("\n"))
        examined = examine([self.folders[1]], Options(line_length=100))
        for change in examined.changes:
            change.path.write_bytes(change.data)
        outcomes = {Path(o.report.path).name: o for o in examined.outcomes}
        report = outcomes["program.py"].report
        self.diagnostics = [diagnostic.message for diagnostic in report.diagnostics]
        self.entries = {cls.name: cls.to_json() for cls in report.classes}
        self.text = (self.folders[1] / "program.py").read_text()

    def subjects(
        self, name: str, kwargs: dict[str, Any], inputs: list[str]
    ) -> tuple[Subject, Subject]:
        """The module on both sides, built."""
        entry = self.entries[name]
        assert entry["status"] == "rewritten", self.diagnostics
        given = {"kwargs": kwargs, "inputs": inputs}
        made: list[Any] = []
        for folder, wanted in zip(self.folders, (name, entry["new_name"]), strict=True):
            for module in ("program", "nnx_layers"):
                sys.modules.pop(module, None)
            module = case.load("program", [str(folder)], str(folder))
            thing = case.attribute(module, wanted)
            values = case.evaluate(given, module, 0, {})
            if not made:
                maker = originals.linen if self.framework == "linen" else originals.haiku
                made.append(maker(thing, values, "__call__", entry["mode_arguments"]))
            else:
                job = {"case": given, "class": entry}
                made.append(rewritten.build(thing, values, job, made[0].facts))
        sys.modules.pop("program", None)
        return made[0], made[1]


def _random(flat: Flat, draws: np.random.Generator, positive: bool) -> Flat:
    found = {}
    for path, value in flat.items():
        noise = draws.standard_normal(value.shape)
        if np.asarray(value).dtype.kind != "f":
            found[path] = value
        elif positive:
            found[path] = (np.asarray(value) + 0.1 * np.abs(noise)).astype(value.dtype)
        else:
            found[path] = (0.5 * noise).astype(value.dtype)
    return found


def _carried(
    entry: dict[str, Any], old: Subject, new: Subject, values: tuple[Flat, Flat]
) -> tuple[Flat, Flat]:
    """The original's numbers at the places in the rewrite that the map names."""
    found: list[Flat] = []
    parts = ((old.params, new.params, new.state), (old.state, new.state, new.params))
    for (before, after, others), kind, numbers in zip(
        parts, ("params", "state"), values, strict=True
    ):
        shapes = [{path: v.shape for path, v in side.items()} for side in (before, after)]
        root = old.facts.get("root", "")
        pairing = carry.pair(entry["variables"], *shapes, root, kind, list(others))
        assert not pairing.problem, (pairing.problem, entry["variables"], *shapes)
        found.append(
            {
                pair.target: carry.carried(pair, numbers, after[pair.target].shape)
                for pair in pairing.pairs
            }
        )
    return found[0], found[1]


def check(
    folder: Path,
    framework: str,
    text: str,
    name: str = "Net",
    kwargs: dict[str, Any] | None = None,
    inputs: list[str] | None = None,
) -> None:
    """Rewrites a program and holds a class against its original, all numbers carried over."""
    sides = Sides(folder, framework, text)
    old, new = sides.subjects(name, kwargs or {}, inputs or ["f32[2,4]"])
    draws = np.random.default_rng(0)
    values = _random(old.params, draws, False), _random(old.state, draws, True)
    entry = json.loads(json.dumps(sides.entries[name]))
    moved = _carried(entry, old, new, values)
    before, _ = old.apply(*values, old.arrays, "eval")
    after, _ = new.apply(*moved, new.arrays, "eval")
    assert len(before) == len(after) > 0
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(
            one, other, rtol=2e-4, atol=2e-4 * float(np.abs(one).max()), err_msg=sides.text
        )


def compact(body: str, fields: str = "n: int = 3") -> str:
    """A Linen module with this call."""
    inner = textwrap.indent(textwrap.dedent(body).strip("\n"), " " * 8)
    return (
        f"class Net(nn.Module):\n    {fields}\n\n    @nn.compact\n"
        f"    def __call__(self, x):\n{inner}\n"
    )


def module(call: str, init: str = "", more: str = "") -> str:
    """A Haiku module with this call and constructor; `more` are further methods."""
    head = "class Net(hk.Module):\n    def __init__(self, n=3, wide=True, name=None):\n"
    lines = ["super().__init__(name)", "self.n = n", "self.wide = wide"]
    lines += textwrap.dedent(init).strip("\n").split("\n") if init else []
    text = head + textwrap.indent("\n".join(lines), " " * 8) + "\n\n    def __call__(self, x):\n"
    text += textwrap.indent(textwrap.dedent(call).strip("\n"), " " * 8) + "\n"
    if more:
        text += "\n" + textwrap.indent(textwrap.dedent(more).strip("\n"), "    ") + "\n"
    return text


LINEN = {
    "after a loop": compact("""
        for _ in range(self.n):
            x = nn.relu(nn.Dense(4)(x))
        return nn.Dense(4)(x)
    """),
    "two in a loop": compact("""
        x = nn.Dense(4)(x)
        for _ in range(self.n):
            x = nn.relu(nn.Dense(4)(x))
            x = nn.tanh(nn.Dense(4)(x))
        return nn.Dense(4)(x)
    """),
    "loops within loops": compact("""
        for _ in range(self.n):
            for _ in range(2):
                x = nn.relu(nn.Dense(4)(x))
        return nn.Dense(4)(nn.tanh(nn.Dense(4)(x)))
    """),
    "one inside another's argument": compact("""
        return nn.Dense(4)(nn.relu(nn.Dense(4)(nn.tanh(nn.Dense(4)(x)))))
    """),
    "two loops": compact("""
        for _ in range(self.n):
            x = nn.relu(nn.Dense(4)(x))
        for _ in range(2):
            x = nn.LayerNorm()(nn.Dense(4)(x))
        return nn.LayerNorm()(x)
    """),
    "names with numbers from one": compact("""
        for i in range(self.n):
            x = nn.relu(nn.Dense(4, name=f"layer_{i + 1}")(x))
        x = nn.Dense(4)(x)
        return nn.Dense(4, name="head")(x)
    """),
    "names counted by enumerate": compact(
        """
        for i, width in enumerate(self.widths):
            x = nn.relu(nn.Dense(width, name=f"up_{i}_down")(x))
        return nn.Dense(4)(x)
    """,
        "widths: tuple = (4, 4)",
    ),
    "names that no index tells": compact(
        """
        for width in self.widths:
            x = nn.relu(nn.Dense(width, name=f"w{width}")(x))
        return nn.Dense(4)(x)
    """,
        "widths: tuple = (4, 5)",
    ),
    "a recurrent network and a sequence": compact("""
        x = nn.RNN(nn.LSTMCell(4))(x[:, None])[:, 0]
        x = nn.Sequential([nn.Dense(4), nn.relu, nn.Dense(4)])(x)
        return nn.Dense(4)(x)
    """),
    "both ways": compact("""
        return nn.Bidirectional(nn.RNN(nn.GRUCell(4)), nn.RNN(nn.GRUCell(4)))(x[:, None])
    """),
    "a list that is filled": compact("""
        layers = []
        for _ in range(self.n):
            layers.append(nn.Dense(4))
            layers.append(nn.relu)
        layers.append(nn.Dense(4))
        x = nn.Sequential(layers)(x)
        return nn.Dense(4)(x)
    """),
    "a comprehension": compact("""
        layers = [nn.Dense(4) for _ in range(self.n)]
        for layer in layers:
            x = nn.relu(layer(x))
        return nn.Dense(4)(x)
    """),
    "a list written out": compact("""
        layers = [nn.Dense(4), nn.Dense(4)]
        x = nn.Dense(4)(x)
        for layer in layers:
            x = nn.relu(layer(x))
        return x
    """),
    "setup": """
        class Net(nn.Module):
            def setup(self):
                self.net = nn.Sequential([nn.Dense(4), nn.relu, nn.Dense(4)])
                self.rnn = nn.RNN(nn.GRUCell(4))
                self.layers = [nn.Dense(4) for _ in range(2)]
                self.pair = (nn.Dense(4), nn.Dense(4))
                self.heads = {"a": nn.Dense(4), "b": nn.Dense(4)}
                self.last = nn.Dense(4, name="other")

            def __call__(self, x):
                x = self.rnn(self.net(x)[:, None])[:, 0]
                for layer in self.layers:
                    x = nn.relu(layer(x))
                x = self.pair[1](nn.relu(self.pair[0](x)))
                return self.last(self.heads["a"](x) + nn.relu(self.heads["b"](x)))
    """,
    "stacked by scan": """
        class Layer(nn.Module):
            @nn.compact
            def __call__(self, x, _):
                return nn.relu(nn.Dense(4)(nn.Dense(5)(x))), None


        class Net(nn.Module):
            @nn.compact
            def __call__(self, x):
                layers = nn.scan(
                    Layer, variable_axes={"params": 0}, split_rngs={"params": True}, length=3
                )
                x, _ = layers()(x, None)
                return nn.Dense(4)(x)
    """,
    "stacked by vmap": """
        class Layer(nn.Module):
            @nn.compact
            def __call__(self, x):
                return nn.Dense(4)(nn.LayerNorm()(nn.relu(nn.Dense(4)(x))))


        class Net(nn.Module):
            @nn.compact
            def __call__(self, x):
                layers = nn.vmap(
                    Layer,
                    variable_axes={"params": 0},
                    split_rngs={"params": True},
                    in_axes=None,
                    axis_size=3,
                )
                return nn.Dense(4)(layers()(x))
    """,
    "blocks in blocks": """
        class Block(nn.Module):
            n: int

            @nn.compact
            def __call__(self, x):
                for _ in range(self.n):
                    x = nn.relu(nn.Dense(4)(nn.LayerNorm()(x)))
                return nn.Dense(4)(x)


        class Net(nn.Module):
            @nn.compact
            def __call__(self, x):
                for i in range(3):
                    x = Block(2, name=f"block_{i}")(x)
                for _ in range(2):
                    x = Block(1)(x)
                return Block(3)(Block(2)(x))
    """,
    "a module given to a module": """
        class Wrap(nn.Module):
            inner: nn.Module

            @nn.compact
            def __call__(self, x):
                return nn.Dense(4)(nn.relu(self.inner(x)))


        class Net(nn.Module):
            @nn.compact
            def __call__(self, x):
                return Wrap(nn.Dense(4))(x)
    """,
    "methods that a call runs": """
        class Net(nn.Module):
            def first(self, x):
                return nn.relu(nn.Dense(4)(x))

            @nn.compact
            def __call__(self, x):
                x = nn.Dense(4)(x)
                x = self.first(x)
                return nn.Dense(4)(x)
    """,
    "parameters in a loop": compact("""
        for i in range(self.n):
            w = self.param(f"w_{i}", nn.initializers.lecun_normal(), (4, 4))
            x = nn.relu(x @ w)
        b = self.param("b", nn.initializers.zeros, (4,))
        return nn.Dense(4)(x) + b
    """),
    "statistics": compact("""
        for _ in range(self.n):
            x = nn.BatchNorm(use_running_average=True)(nn.Dense(4)(x))
        return nn.BatchNorm(use_running_average=True)(nn.Dense(4)(x))
    """),
}
BRANCHES = compact("""
    if self.n > 2:
        x = nn.Dense(4)(x)
    else:
        x = nn.Dense(5)(nn.relu(nn.Dense(4)(x)))
    return nn.Dense(4)(x)
""")
RETURNS = compact("""
    if self.n > 2:
        return nn.Dense(4)(nn.relu(nn.Dense(4)(x)))
    x = nn.Dense(4)(nn.relu(nn.Dense(4)(x)))
    return nn.relu(nn.Dense(4)(x))
""")
NORMS = compact("""
    if self.n > 2:
        norm = nn.LayerNorm()
    else:
        norm = nn.RMSNorm()
    return nn.Dense(4)(norm(x))
""")


@pytest.mark.parametrize("name", LINEN)
def test_linen(tmp_path: Path, name: str) -> None:
    check(tmp_path, "linen", LINEN[name])


@pytest.mark.parametrize("text", [BRANCHES, RETURNS, NORMS])
@pytest.mark.parametrize("n", [2, 3])
def test_linen_branches(tmp_path: Path, text: str, n: int) -> None:
    check(tmp_path, "linen", text, kwargs={"n": n})


HAIKU = {
    "after a loop": module("""
        for _ in range(self.n):
            x = jax.nn.relu(hk.Linear(4)(x))
        return hk.Linear(4)(x)
    """),
    "two in a loop": module("""
        x = hk.Linear(4)(x)
        for _ in range(self.n):
            x = jax.nn.relu(hk.Linear(4)(x))
            x = hk.LayerNorm(-1, True, True)(hk.Linear(4)(x))
        return hk.Linear(4)(x)
    """),
    "one inside another's argument": module("return hk.Linear(4)(jax.nn.relu(hk.Linear(4)(x)))"),
    "methods have names of their own": module(
        "return hk.Linear(4)(self.decode(jax.nn.relu(self.first(x))))",
        "self.first = hk.Linear(4)\nself.second = hk.Linear(4)",
        "def decode(self, x):\n    return self.second(jax.nn.relu(hk.Linear(4)(x)))",
    ),
    "the constructor's lists": module(
        "for layer in self.layers:\n    x = jax.nn.relu(layer(x))\nreturn self.last(x)",
        "self.layers = [hk.Linear(4) for _ in range(n)]\nself.last = hk.Linear(4)",
    ),
    "names that are given": module("""
        for i in range(self.n):
            x = jax.nn.relu(hk.Linear(4, name=f"layer_{i}")(x))
        return hk.Linear(4, name="out")(x)
    """),
    "one name for several": module("""
        x = jax.nn.relu(hk.Linear(4, name="out")(x))
        return hk.Linear(4, name="out")(x)
    """),
    "a sequence": module("""
        x = hk.Sequential([hk.Linear(4), jax.nn.relu, hk.nets.MLP([4, 4])])(x)
        return hk.Linear(4)(x)
    """),
    "a sequence that is filled": module("""
        layers = []
        for _ in range(self.n):
            layers += [hk.Linear(4), jax.nn.relu]
        layers.append(hk.Linear(4))
        return hk.Linear(4)(hk.Sequential(layers)(x))
    """),
    "cores": module("""
        core = hk.DeepRNN([hk.LSTM(4), hk.GRU(4)])
        out, _ = hk.dynamic_unroll(core, x[None], core.initial_state(x.shape[0]))
        return hk.Linear(4)(out)
    """),
    "a stack of layers": module("""
        @hk.layer_stack(3)
        def stack(h):
            return jax.nn.relu(hk.Linear(4)(h))

        return hk.Linear(4)(stack(hk.Linear(4)(x)))
    """),
    "parameters and state": module("""
        w = hk.get_parameter("w", (4, 4), init=jnp.ones)
        count = hk.get_state("count", (), init=jnp.ones)
        return hk.Linear(4)(x @ w) * count
    """),
    "statistics": module("""
        for _ in range(self.n):
            x = hk.BatchNorm(True, True, 0.9)(hk.Linear(4)(x), is_training)
        return x
    """).replace("(self, x)", "(self, x, is_training)"),
    "modules in modules": module("""
        for _ in range(self.n):
            x = Block(2)(x)
        return Block(1)(Block(3)(x))
    """).replace(
        "class Net",
        textwrap.dedent("""
        class Block(hk.Module):
            def __init__(self, n, name=None):
                super().__init__(name)
                self.n = n
                self.first = hk.Linear(4)

            def __call__(self, x):
                x = self.first(x)
                for _ in range(self.n):
                    x = jax.nn.relu(hk.Linear(4)(x))
                return hk.Linear(4)(x)


        class Net""").lstrip("\n"),
    ),
}
FUNCTIONS = {
    "layers of a function": """
        def net(x):
            x = jax.nn.relu(hk.Linear(4)(x))
            for _ in range(2):
                x = jax.nn.relu(hk.Linear(4)(x))
            return hk.Linear(4)(x)


        network = hk.transform(net)
        params = network.init(jax.random.PRNGKey(0), jnp.ones((2, 4)))
    """,
    "functions that a function calls": """
        def block(x, width):
            y = jax.nn.relu(hk.Linear(width)(x))
            return x + hk.Linear(4)(y)


        def net(x):
            x = hk.Linear(4)(x)
            x = block(x, 5)
            x = jax.nn.tanh(block(x, 6))
            return hk.Linear(4)(x)


        network = hk.transform(net)
        params = network.init(jax.random.PRNGKey(0), jnp.ones((2, 4)))
    """,
    "functions that a loop calls": """
        def block(x):
            y = jax.nn.relu(hk.Linear(4)(x))
            return hk.LayerNorm(-1, True, True)(x + hk.Linear(4)(y))


        def net(x):
            for _ in range(3):
                x = block(x)
            return hk.Linear(4)(x)


        network = hk.transform(net)
        params = network.init(jax.random.PRNGKey(0), jnp.ones((2, 4)))
    """,
}


@pytest.mark.parametrize("name", HAIKU)
def test_haiku(tmp_path: Path, name: str) -> None:
    check(tmp_path, "haiku", HAIKU[name])


@pytest.mark.parametrize("wide", [False, True])
def test_haiku_branches(tmp_path: Path, wide: bool) -> None:
    text = module("""
        if self.wide:
            x = jax.nn.relu(hk.Linear(5)(x))
        x = jax.nn.relu(hk.Linear(4)(x))
        return hk.Linear(4)(x)
    """)
    check(tmp_path, "haiku", text, kwargs={"wide": wide})


@pytest.mark.parametrize("name", FUNCTIONS)
def test_haiku_functions(tmp_path: Path, name: str) -> None:
    check(tmp_path, "haiku", FUNCTIONS[name], "net")


def test_names_that_functions_are_given(tmp_path: Path) -> None:
    """For their layers, whole, as a part, handed on, by default; what is given none is counted."""
    text = """
        import functools


        def normed(x, name="norm"):
            norm = functools.partial(nn.LayerNorm, epsilon=1e-5)
            return norm(name=name)(x)


        def dense(x, width, name=None):
            return nn.Dense(width, name=name)(x)


        def block(x, name):
            x = nn.relu(dense(x, 4, name=name + "_in"))
            return normed(nn.Dense(4, name=f"{name}_out")(x), name=name)


        class Net(nn.Module):
            @nn.compact
            def __call__(self, x):
                x = nn.relu(nn.Dense(4)(x))
                x = nn.relu(dense(x, 4, name="hidden"))
                x = nn.tanh(dense(normed(x), 4))
                x = block(x, "first")
                return nn.Dense(4)(nn.relu(block(x, name="second")))
    """
    check(tmp_path, "linen", text)
    (tmp_path / "haiku").mkdir()
    layers = text.replace("nn.relu", "jax.nn.relu").replace("nn.tanh", "jnp.tanh")
    layers = layers.replace("nn.Dense", "hk.Linear").replace(" nn.Mod", " hk.Mod")
    layers = layers.replace("nn.LayerNorm, epsilon=1e-5", "hk.LayerNorm, -1, True, True")
    layers = layers.replace("(nn.Module)", "(hk.Module)").replace("    @nn.compact\n        ", "")
    check(tmp_path / "haiku", "haiku", layers)


def test_methods_of_haiku_have_the_same_layers_in_each_call(tmp_path: Path) -> None:
    """Only transparent ones make new layers; the others must not be taken for functions that do."""
    text = module(
        "return self.mix(jax.nn.relu(self.mix(x)))",
        more="@hk.transparent\ndef mix(self, x):\n    return hk.Linear(4)(x)",
    )
    check(tmp_path, "haiku", text)
    (tmp_path / "plain").mkdir()
    sides = Sides(tmp_path / "plain", "haiku", text.replace("    @hk.transparent\n", ""))
    assert "self.mix1" not in sides.text

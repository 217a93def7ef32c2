"""Functions that make layers become modules of their own, or stay with what calls them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod import engine
from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.project import IN_PLACE
from nnx_codemod.codemod.source import Source
from nnx_codemod.tests.programs import check, rewritten

LINEN = """
import flax.linen as nn
import jax
import jax.numpy as jnp


FUNCTION


class Net(nn.Module):
    width: int = 4
    act: str = 'relu'

    @nn.compact
    def __call__(self, x, train: bool = False):
        BODY


x = jax.random.normal(jax.random.key(0), (4, 6))
model = Net()
params = model.init(jax.random.key(1), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
out = model.apply(params, x, train=True, rngs={'dropout': jax.random.key(2)})
print('RESULT', float(jnp.abs(out).sum()))
"""


def linen(function: str, body: str) -> str:
    text = LINEN.replace("FUNCTION", function.strip())
    return text.replace("BODY", body.strip().replace("\n", "\n        "))


PLAIN = """
def block(x, width):
    return nn.relu(nn.Dense(width)(x))
"""

WITH_DEFAULTS = """
def block(x, width=5, *, bias=True, train=False):
    x = nn.Dense(width, use_bias=bias)(x)
    return nn.Dropout(0.5, deterministic=not train)(x)
"""

NAMED = """
def block(x, width, name):
    return nn.Dense(width, name=name)(x)
"""

CHOOSING = """
def normalise(x, kind):
    if kind == 'relu':
        return nn.LayerNorm()(x)
    return nn.RMSNorm()(x)
"""


@pytest.mark.parametrize(
    ("function", "body"),
    [
        (PLAIN, "return block(block(x, self.width), 3)"),
        (PLAIN, "for size in (5, 4):\n    x = block(x, size)\nreturn x"),
        (PLAIN, "return block(width=self.width, x=x)"),
        (WITH_DEFAULTS, "return block(block(x, train=train, bias=False), self.width, train=train)"),
        (NAMED, "return block(block(x, 5, 'first'), 3, name='second')"),
        (CHOOSING, "return normalise(nn.Dense(4)(x), self.act)"),
    ],
)
def test_functions_around_a_class(function: str, body: str, tmp_path: Path) -> None:
    done = rewritten(linen(function, body))
    assert set(done.statuses.values()) == {"rewritten"}
    assert not done.codes
    check(done, tmp_path)


def test_a_function_in_another_file(tmp_path: Path) -> None:
    imports = "import flax.linen as nn\nimport jax\nimport jax.numpy as jnp\n"
    text = linen("from layers import block", "return block(block(x, self.width), 3)")
    text = text.replace("\n\nfrom layers import block", "\nfrom layers import block")
    done = rewritten({"layers.py": imports + "\n" + PLAIN, "program.py": text})
    assert "def block" not in done.after["layers.py"]
    assert not done.codes
    check(done, tmp_path)


@pytest.mark.parametrize(
    ("function", "body"),
    [
        (PLAIN.replace("def block", "@jax.named_call\ndef block"), "return block(x, 3)"),
        (
            PLAIN.replace("x, width", "x, *width").replace("(width)", "(*width)"),
            "return block(x, 3)",
        ),
    ],
)
def test_functions_that_stay_keep_what_calls_them(function: str, body: str, tmp_path: Path) -> None:
    done = rewritten(linen(function, body))
    if done.codes:
        assert "def block" in done.after["program.py"]
    check(done, tmp_path)


HAIKU = """
import haiku as hk
import jax
import jax.numpy as jnp


def block(x, width, final=False):
    x = hk.Linear(width)(x)
    return x if final else jax.nn.relu(x)


def forward(x):
    for width in (5, 4):
        x = block(x, width)
    y = block(x, 2, final=True)
    return y


x = jax.random.normal(jax.random.PRNGKey(0), (4, 6))
model = hk.without_apply_rng(hk.transform(forward))
params = model.init(jax.random.PRNGKey(1), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


def test_functions_in_a_transformed_function(tmp_path: Path) -> None:
    done = rewritten(HAIKU)
    assert set(done.statuses.values()) == {"rewritten"}
    assert "haiku" not in done.after["program.py"].replace("haiku_init", "")
    check(done, tmp_path)


def test_a_function_with_parameters_of_its_own_is_part_of_its_caller(tmp_path: Path) -> None:
    scale = 'scale = hk.get_parameter("scale", [width], init=jnp.ones)\n    return scale * x'
    text = HAIKU.replace("return x if final else jax.nn.relu(x)", scale)
    text = text.replace("    for width in (5, 4):\n        x = block(x, width)\n", "")
    check(rewritten(text), tmp_path)


def test_a_function_in_a_file_that_does_not_import_the_framework() -> None:
    files = {
        "layers.py": """
import haiku as hk


class Double(hk.Module):
    def __call__(self, x):
        return 2 * hk.Linear(x.shape[-1])(x)
""",
        "blocks.py": """
import jax
import layers


def block(x):
    return jax.nn.relu(layers.Double()(x))
""",
        "program.py": """
import haiku as hk
import blocks


class Net(hk.Module):
    def __call__(self, x):
        return blocks.block(hk.Linear(4)(x)) + blocks.block(x)
""",
    }
    done = rewritten(files)
    assert "class Block(nnx.Module):" in done.after["blocks.py"]
    assert "haiku" not in done.after["blocks.py"]
    assert "self.block1 = blocks.Block(4, rngs=rngs)" in done.after["program.py"]


LAYERS = """
import flax.linen as nn


def conv3(x, planes, stride=1):
    return nn.Conv(planes, (3, 3), strides=(stride, stride))(x)
"""

MIDDLE = """
import layers

conv = layers.conv3
"""

OTHER_NAMES = """
import flax.linen as nn
import jax
import jax.numpy as jnp

import middle
from layers import conv3 as third
from middle import conv

last = middle.conv


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = last(conv(x, 5), 4)
        return middle.layers.conv3(middle.conv(third(x, 3), 2), 3, stride=2)


x = jnp.linspace(0.0, 1.0, 2 * 4 * 4 * 3).reshape(2, 4, 4, 3)
model = Net()
params = model.init(jax.random.key(1), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


def test_a_function_is_called_by_other_names(tmp_path: Path) -> None:
    done = rewritten({"layers.py": LAYERS, "middle.py": MIDDLE, "program.py": OTHER_NAMES})
    assert done.statuses["Net"] == "rewritten"
    assert "conv = layers.Conv3" in done.after["middle.py"]
    check(done, tmp_path)


def test_a_file_that_stays_gives_a_function_another_name() -> None:
    texts = {"layers.py": LAYERS, "middle.py": MIDDLE, "program.py": OTHER_NAMES}
    files = {
        Path("/nowhere") / n: Source(Path("/nowhere") / n, t.encode()) for n, t in texts.items()
    }
    sources = [source for path, source in files.items() if path.name != "middle.py"]
    outcomes = engine.rewrite(sources, Options(), load=files.get)
    assert all(o.new_text is None or "Conv3" not in o.new_text for o in outcomes)


HANDED = """
import haiku as hk
import jax
import jax.numpy as jnp
import jraph


@jraph.concatenated_args
def update_edges(features):
    return jax.nn.relu(hk.Linear(5)(features))


def update_nodes(nodes, sent, received, globals_, width=3):
    return hk.Linear(width)(jnp.concatenate([nodes, received], axis=-1))


def network(graph):
    BODY


graph = jraph.GraphsTuple(
    nodes=jnp.arange(12.0).reshape(4, 3) / 12,
    edges=jnp.arange(10.0).reshape(5, 2) / 10,
    receivers=jnp.array([0, 1, 2, 3, 0]),
    senders=jnp.array([1, 2, 3, 0, 2]),
    globals=None,
    n_node=jnp.array([4]),
    n_edge=jnp.array([5]),
)
net = hk.without_apply_rng(hk.transform(network))
params = net.init(jax.random.PRNGKey(0), graph)
print('RESULT', sum(p.size for p in jax.tree_util.tree_leaves(params)))
print('RESULT', float(jnp.abs(net.apply(params, graph)).sum()))
"""

NETWORK = "gn = jraph.GraphNetwork(update_edges, update_nodes)\n    "


@pytest.mark.parametrize(
    ("body", "given"),
    [
        (
            "return jraph.GraphNetwork(update_edges, update_node_fn=update_nodes)(graph).nodes",
            "concatenated_args(self.update_edges)",
        ),
        (f"{NETWORK}return gn(graph).nodes", "concatenated_args(self.update_edges)"),
        (
            f"for _ in range(2):\n        {NETWORK.strip()}\n        graph = gn(graph)\n    return graph.nodes",
            "for update_edge, update_node in zip(self.update_edges, self.update_nodes):",
        ),
        (
            f"{NETWORK}return update_edges(gn(graph).nodes, graph.nodes)",
            "concatenated_args(self.update_edges1)",
        ),
    ],
    ids=["at once", "by name", "anew in each turn", "called as well"],
)
def test_functions_that_a_library_calls_once_are_given_as_modules(
    body: str, given: str, tmp_path: Path
) -> None:
    library = (IN_PLACE / "jraph.py").read_text()
    done = rewritten({"program.py": HANDED.replace("BODY", body), "jraph.py": library})
    assert done.statuses["update_edges"] == done.statuses["update_nodes"] == "rewritten"
    assert given in done.after["program.py"]
    check(done, tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        f"{NETWORK}return gn(gn(graph)._replace(edges=graph.edges)).nodes",
        f"{NETWORK}for _ in range(2):\n        graph = gn(graph)\n    return graph.nodes",
        "kept = [update_edges]\n    return kept[0](graph.nodes) - kept[0](graph.nodes)",
    ],
    ids=["twice", "in turn", "put away"],
)
def test_functions_that_may_be_called_again_make_their_layers_again(
    body: str, tmp_path: Path
) -> None:
    library = (IN_PLACE / "jraph.py").read_text()
    done = rewritten({"program.py": HANDED.replace("BODY", body), "jraph.py": library})
    assert "kept" in done.statuses.values()
    check(done, tmp_path)


def test_files_may_have_classes_of_one_name() -> None:
    text = HANDED.replace("BODY", "return update_nodes(graph.nodes, None, graph.nodes, None)")
    done = rewritten({"program.py": text, "other.py": text})
    for name in ("program.py", "other.py"):
        assert "class UpdateNodes(nnx.Module)" in done.after[name]


SEQUENCE = """
import haiku as hk
import jax
import jax.numpy as jnp


def torso(x, *, width=4):
    return jnp.tanh(hk.Linear(width)(x))


def head(width=2, x=None):
    return hk.Linear(width)(jnp.ones((3, 5)) if x is None else x)


def forward(x):
    BODY


x = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
net = hk.transform(forward)
params = net.init(jax.random.PRNGKey(0), x)
print('RESULT', float(jnp.abs(net.apply(params, None, x)).sum()))
"""


@pytest.mark.parametrize(
    "body",
    [
        "return hk.Sequential([torso, jax.nn.relu, hk.Linear(2)])(x)",
        "return hk.BatchApply(torso)(x[None])",
    ],
)
def test_functions_among_layers_that_are_called_in_turn(body: str, tmp_path: Path) -> None:
    done = rewritten(SEQUENCE.replace("BODY", body))
    assert done.statuses["torso"] == "rewritten"
    check(done, tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        "last = torso\n    return last(x, width=5)",
        "return hk.Sequential([lambda x: x.shape[-1], head])(x)",
        "both = hk.Sequential([torso])\n    return both(x) - both(2 * x)",
    ],
)
def test_functions_that_are_given_what_a_constructor_needs_stay(body: str, tmp_path: Path) -> None:
    check(rewritten(SEQUENCE.replace("BODY", body)), tmp_path)


PRIVATE = """
import haiku as hk
import jax
import jax.numpy as jnp


class Net(hk.Module):
    def __init__(self, width, scale):
        super().__init__()
        self._width = width
        self._x = scale

    def __call__(self, x):
        def head(x):
            return hk.Linear(self._width)(x) * self._x

        return head(x) + head(2 * x)


model = hk.without_apply_rng(hk.transform(lambda x: Net(3, 2.0)(x)))
x = jnp.linspace(-1.0, 2.0, 12).reshape(4, 3)
params = model.init(jax.random.PRNGKey(0), x)
params = jax.tree.map(lambda p: jnp.linspace(-1.0, 1.0, p.size).reshape(p.shape), params)
print("RESULT", float(jnp.abs(model.apply(params, x)).sum()))
"""


def test_parameters_for_private_attributes_have_public_names(tmp_path: Path) -> None:
    done = rewritten(PRIVATE)
    text = done.after["program.py"]
    assert "_width" not in text
    assert "self._x = _x" in text  # `x` is what the function is called with
    check(done, tmp_path)


NAMESAKES = """
import haiku as hk
import jax


class One(hk.Module):
    def __call__(self, x):
        def head(x):
            return jax.nn.relu(hk.Linear(3)(x))

        return head(x) + head(2 * x)


class Two(hk.Module):
    def __call__(self, x):
        def head(x):
            with hk.experimental.name_scope("head"):
                return jax.nn.relu(hk.Linear(4)(x))

        return head(x) + head(2 * x)
"""


def test_a_function_that_stays_does_not_keep_others_of_its_name() -> None:
    done = rewritten(NAMESAKES)
    assert (done.statuses["One"], done.statuses["Two"]) == ("rewritten", "kept")
    assert "class OneHead(nnx.Module)" in done.after["program.py"]
    assert "self.head1 = OneHead(" in done.after["program.py"]


NAMED_BY_THE_CALL = """
import haiku as hk
import jax
import jax.numpy as jnp


def dense(x, width, name=None):
    return jax.nn.relu(hk.Linear(width, name=NAME)(x))


class Net(hk.Module):
    def __call__(self, x):
        x = dense(x, 5, name='first')
        return dense(x, 4, name='LAST')


model = hk.without_apply_rng(hk.transform(lambda x: Net()(x)))
x = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
params = model.init(jax.random.PRNGKey(0), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


@pytest.mark.parametrize(
    ("name", "last", "sources"),
    [
        ("name", "last", ["first/w", "last/w"]),
        ("f'{name}_out'", "last", ["first_out/w", "last_out/w"]),
        ("name", "first", ["first/w", "first_1/w"]),
        ("f'{name}_out'", "first", ["{*}_out/w", "{*}_out/w"]),
    ],
)
def test_layers_are_known_by_the_names_that_functions_are_given(
    name: str, last: str, sources: list[str], tmp_path: Path
) -> None:
    done = rewritten(NAMED_BY_THE_CALL.replace("NAME", name).replace("LAST", last))
    report = done.outcomes["program.py"].report
    net = next(each for each in report.classes if each.name == "Net")
    found = [str(each["source"]) for each in net.variables]
    assert [each for each in found if each.endswith("/w")] == sources
    check(done, tmp_path)


HANDED_BACK = """
import haiku as hk
import jax
import jax.numpy as jnp


def halve(kind, channels):
    if kind == 'pool':
        return hk.AvgPool(window_shape=(2, 1), strides=(2, 1), padding='SAME')
    return hk.Sequential([FIRST, hk.Linear(channels)])


class Net(hk.Module):
    def __call__(self, x):
        return halve('pool', 3)(x) + halve('widen', 3)(x)[:, ::2]


model = hk.without_apply_rng(hk.transform(lambda x: Net()(x)))
x = jnp.linspace(-1.0, 1.0, 24).reshape(2, 4, 3)
params = model.init(jax.random.PRNGKey(0), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


@pytest.mark.parametrize(
    ("first", "status"),
    [
        ("hk.Linear(channels, w_init=hk.initializers.RandomNormal(0.1))", "rewritten"),
        ("jnp.sin", "kept"),  # which other functions might be given more than one array?
    ],
)
def test_one_of_several_layers_is_handed_back(first: str, status: str, tmp_path: Path) -> None:
    done = rewritten(HANDED_BACK.replace("FIRST", first))
    assert done.statuses["Net"] == status
    check(done, tmp_path)

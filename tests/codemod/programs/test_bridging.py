"""Programs that stay as they are and run rewritten modules."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import Failed, check, printed, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    features: int = 5

    @nn.compact
    def __call__(self, x, train: bool = False):
        x = nn.Dense(self.features)(x)
        x = nn.Dropout(0.5, deterministic=not train)(x)
        return nn.Dense(2)(nn.relu(x))
METHOD


def evaluate(variables, x, **options):
    return model.apply(variables, x, **options)


x = jax.random.normal(jax.random.key(0), (4, 3))
model = MODEL
variables = model.init(jax.random.key(1), x)
leaves, tree = jax.tree.flatten(variables)
variables = jax.tree.unflatten(tree, [0.5 * leaf for leaf in leaves])
print('RESULT', float(jnp.abs(evaluate(variables, x)).sum()))
print('RESULT', float(jnp.abs(
    evaluate(variables, x, train=True, rngs={'dropout': jax.random.key(2)})
).sum()))
LAST
"""


def program(model: str = "Net()", last: str = "") -> str:
    return PROGRAM.replace("METHOD\n", "").replace("MODEL", model).replace("LAST", last)


@pytest.mark.parametrize(
    ("model", "status"),
    [
        ("Net()", "rewritten"),
        ("Net(features=7)", "rewritten"),
        ("Net(7)", "kept"),
        ("functools.partial(Net, 7)()", "kept"),
        ("functools.partial(Net, features=7)()", "rewritten"),
        ("functools.partial(Net)(7)", "kept"),
    ],
)
def test_a_program_that_reads_a_field(model: str, status: str, tmp_path: Path) -> None:
    done = rewritten("import functools\n" + program(model, "print('RESULT', model.features)"))
    assert done.statuses == {"Net": status}
    check(done, tmp_path)


@pytest.mark.parametrize("others", ["", "Other = functools.partial(Net, layer=nn.Dense)"])
def test_a_layer_that_a_program_gives_to_a_bridged_class(others: str, tmp_path: Path) -> None:
    given = program("functools.partial(Net, layer=nn.DenseGeneral)()", others)
    given = given.replace("features: int = 5", "features: int = 5\n    layer: type = nn.Dense")
    done = rewritten("import functools\n" + given.replace("nn.Dense(self", "self.layer(self"))
    assert done.statuses == {"Net": "rewritten"}
    assert "layer=nnx.LinearGeneral" in done.after["program.py"]
    check(done, tmp_path)


@pytest.mark.parametrize("model", ["Net()", "Net(features=4)", "Net(4)"])
def test_a_program_that_hands_parameters_around(model: str, tmp_path: Path) -> None:
    done = rewritten(program(model))
    assert done.statuses == {"Net": "rewritten"}
    assert "PR103" in done.codes
    check(done, tmp_path)


@pytest.mark.parametrize(
    "last",
    [
        "print(float(model.apply(variables, x[:, :2].repeat(2, 1)[:, :3], method='__call__').sum()))",
        "print(isinstance(model, Net))",
    ],
)
def test_uses_that_a_bridge_has_too(last: str, tmp_path: Path) -> None:
    check(rewritten(program(last=last)), tmp_path)


@pytest.mark.parametrize(
    ("last", "code"),
    [
        ("print(variables['params']['Dense_0']['kernel'].shape)", "a path of the original"),
        ("print(model.bind(variables)(x).shape)", "bind"),
    ],
)
def test_what_a_bridge_does_not_have_keeps_the_class(last: str, code: str, tmp_path: Path) -> None:
    done = rewritten(program(last=last))
    assert done.statuses == {"Net": "kept"}, code
    assert done.after == done.before
    assert done.codes


def test_a_method_keeps_the_class() -> None:
    method = "\n    def halved(self, x):\n        return self(x) / 2\n"
    last = "print(model.apply(variables, x, method='halved').sum())"
    done = rewritten(
        PROGRAM.replace("METHOD", method).replace("MODEL", "Net()").replace("LAST", last)
    )
    assert done.statuses == {"Net": "kept"}
    assert done.after == done.before


def test_a_function_of_a_library_is_no_method_of_the_class(tmp_path: Path) -> None:
    method = "\n    @nn.nowrap\n    def pool(self, x):\n        return x\n"
    text = program("functools.partial(Net, features=7)()").replace(
        "import jax\n", "import functools\nimport jax\n", 1
    )
    text = text.replace("nn.Dense(2)(nn.relu(x))\n", "nn.Dense(2)(nn.relu(x))\n" + method)
    pools = "import flax.linen as nn\n\n\ndef pooled(x):\n    return nn.pooling.pool(x)\n"
    assert rewritten({"program.py": text, "other.py": pools}).statuses == {"Net": "rewritten"}
    asks = "def pooled(model, x):\n    return model.pool(x)\n"
    assert rewritten({"program.py": text, "other.py": asks}).statuses == {"Net": "kept"}


def test_a_class_that_two_files_use(tmp_path: Path) -> None:
    head, rest = program("Net(4)").split("\n\ndef evaluate", 1)
    rest = "def evaluate" + rest
    imports = "import jax\nimport jax.numpy as jnp\n\nfrom net import Net\n\n\n"
    done = rewritten({"net.py": head.rstrip() + "\n", "program.py": imports + rest})
    assert done.statuses == {"Net": "rewritten"}
    check(done, tmp_path)


def test_a_class_that_a_partial_gives_to_the_bridged_one(tmp_path: Path) -> None:
    text = program("Small()").replace(
        "class Net(nn.Module):\n    features: int = 5\n",
        "class Block(nn.Module):\n    @nn.compact\n    def __call__(self, x):\n        return nn.Dense(6)(x)\n\n\n"
        "class Net(nn.Module):\n    block: type[nn.Module]\n    features: int = 5\n",
    )
    text = text.replace("        x = nn.Dense(self.features)(x)\n", "        x = self.block()(x)\n")
    text = text.replace(
        "def evaluate", "Small = functools.partial(Net, block=Block)\n\n\ndef evaluate"
    )
    done = rewritten("import functools\n" + text)
    assert done.statuses == {"Block": "rewritten", "Net": "rewritten"}
    assert "functools.partial(LinenNet, block=Block)" in done.after["program.py"]
    check(done, tmp_path)


HEAD, REST = program("make(features=4)").split("\n\ndef evaluate", 1)
MAKER = "def make(**options):\n    return NET(**options)\n\n\ndef evaluate" + REST
IMPORTS = "import jax\nimport jax.numpy as jnp\n\n"


@pytest.mark.parametrize(
    ("files", "imports", "net", "seen"),
    [
        (
            {"net.py": HEAD.replace("\n\nclass", "\n\n__all__ = ['Net', 'jnp']\n\n\nclass", 1)},
            "from net import *",
            "Net",
            ("net.py", "__all__ = ['Net', 'LinenNet', 'jnp']"),
        ),
        (
            {"net.py": HEAD, "nets/__init__.py": "from net import Net as Network\n"},
            "from nets import Network",
            "Network",
            ("nets/__init__.py", "from net import Net as Network, LinenNet"),
        ),
        (
            {"net.py": HEAD, "nets/__init__.py": "from net import *\n"},
            "import nets",
            "nets.Net",
            ("program.py", "return nets.LinenNet(**options)"),
        ),
        (
            {"net.py": HEAD, "models.py": "import net\n\nNetwork = net.Net\n"},
            "import models",
            "models.Network",
            ("models.py", "Network = net.LinenNet"),
        ),
    ],
)
def test_a_class_that_comes_through_other_files(
    files: dict[str, str], imports: str, net: str, seen: tuple[str, str], tmp_path: Path
) -> None:
    text = f"{IMPORTS}{imports}\n\n\n{MAKER.replace('NET', net)}"
    done = rewritten({**files, "program.py": text})
    assert done.statuses == {"Net": "rewritten"}
    assert seen[1] in done.after[seen[0]]
    check(done, tmp_path)


def test_a_path_that_stays_the_same_may_be_read(tmp_path: Path) -> None:
    text = program(last="print(variables['params']['scale'].shape)").replace(
        "        return nn.Dense(2)(nn.relu(x))",
        "        return x * self.param('scale', nn.initializers.ones, (self.features,))",
    )
    done = rewritten(text)
    assert done.statuses == {"Net": "rewritten"}
    assert "PR103" in done.codes
    check(done, tmp_path)


def test_a_path_that_a_loop_counts(tmp_path: Path) -> None:
    text = program(last="print('RESULT', variables['params']['Dense_1']['kernel'].shape)")
    loop = text.replace(
        "x = nn.Dense(self.features)(x)", "for _ in range(3):\n            x = nn.Dense(5)(x)"
    )
    done = rewritten(loop)
    assert done.statuses == {"Net": "kept"}
    check(done, tmp_path)


def test_parameters_of_the_original_are_not_left_out_in_silence(tmp_path: Path) -> None:
    text = f"{IMPORTS}from net import Net\n\n\n{MAKER.replace('NET', 'Net')}"
    done = rewritten({"net.py": HEAD, "program.py": text})
    assert done.statuses == {"Net": "rewritten"}
    old = "variables = {'params': {'Dense_0': variables['params']['linear1']}}\n"
    lines = done.after["program.py"].splitlines(keepends=True)
    place = next(i for i, line in enumerate(lines) if line.startswith("variables = model.init"))
    for name, content in {
        **done.after,
        "program.py": "".join([*lines[: place + 1], old, *lines[place + 1 :]]),
    }.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(Failed, match="unknown module paths"):
        printed(tmp_path / "program.py")


def test_a_class_that_a_function_makes_for_one_that_stays(tmp_path: Path) -> None:
    text = program("Model()").replace(
        "def evaluate",
        "SIZES = {'small': {'features': 3}}\n\n\n"
        "def make(size, **options):\n    return Net(**{**SIZES[size], **options})\n\n\n"
        "class Model(nn.Module):\n    size: str = 'small'\n\n"
        "    def setup(self):\n        self.net = make(self.size)\n\n"
        "    def __call__(self, x, train=False):\n        return self.net(x, train=train)\n\n\n"
        "def evaluate",
    )
    done = rewritten(text)
    assert done.statuses == {"Net": "rewritten", "Model": "kept"}
    assert "return LinenNet(**{**SIZES[size], **options})" in done.after["program.py"]
    check(done, tmp_path)


SEVERAL = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    def setup(self):
        self.embed = nn.Embed(7, 4)
        self.head = nn.Dense(2)

    DECORATOR
    def encode(self, x):
        return self.embed(x).sum(axis=-2)

    def __call__(self, x):
        codes = self.embed(x).sum(axis=-2)
        self.sow('intermediates', 'codes', codes)
        return self.head(codes)


def run(variables, x, **options):
    return Net().apply(variables, x, **options)


x = jnp.array([[1, 2], [3, 4]])
variables = Net().init(jax.random.key(1), x)
variables = jax.tree.map(lambda leaf: 0.5 * leaf, variables)
print('RESULT', float(jnp.abs(run(variables, x)).sum()))
LAST
"""


def several(last: str, decorator: str = "") -> str:
    return SEVERAL.replace("    DECORATOR\n", decorator).replace("LAST", last)


@pytest.mark.parametrize(
    "last",
    [
        "print('RESULT', float(jnp.abs(run(variables, x, method=Net.encode)).sum()))",
        "print('RESULT', float(jnp.abs(run(variables, x, method='encode')).sum()))",
        "print('RESULT', float(jnp.abs(run(variables, x, method=Net().encode)).sum()))",
        "print('RESULT', float(jnp.abs(run(variables, x, method=lambda m, x: m.encode(x))).sum()))",
        "print('RESULT', float(nn.apply(lambda m: m.encode(x) + m(x).sum(), Net())(variables).sum()))",
    ],
)
def test_methods_of_a_class_whose_sizes_are_all_known(last: str, tmp_path: Path) -> None:
    done = rewritten(several(last))
    assert done.statuses == {"Net": "rewritten"}
    assert "linen_model" in done.after["program.py"]
    check(done, tmp_path)


@pytest.mark.parametrize(
    ("last", "decorator"),
    [
        ("print(run(variables, x, mutable=['intermediates'])[1])", ""),
        ("print(run(variables, x, capture_intermediates=True)[1])", ""),
        ("print(run(variables, x, method=Net.encode))", "    @nn.nowrap\n"),
        ("print(Net().bind(variables).encode(x))", ""),
        ("print(Net.encode(Net().bind(variables), x))", ""),
    ],
)
def test_what_only_the_original_tells_keeps_the_class(last: str, decorator: str) -> None:
    done = rewritten(several(last, decorator))
    assert done.statuses == {"Net": "kept"}
    assert done.after == done.before


def test_code_that_does_not_know_the_class_may_ask_for_what_is_sown(tmp_path: Path) -> None:
    text = several("")
    other = "def sown(model, variables, x):\n    return model.apply(variables, x, mutable=True)\n"
    assert rewritten({"program.py": text, "other.py": other}).statuses == {"Net": "rewritten"}
    asks = text.replace("import jax\n", "import jax\n\nimport other\n", 1)
    assert rewritten({"program.py": asks, "other.py": other}).statuses == {"Net": "kept"}
    knows = "import program\n\n\n" + other
    assert rewritten({"program.py": text, "other.py": knows}).statuses == {"Net": "kept"}


ASKED = (Path(__file__).parents[3] / "fixtures" / "linen_caches_by_call" / "before.py").read_text()
LATER = """    variables = model.init(jax.random.key(0), tokens)
    cache = model.init(jax.random.key(1), tokens, init_cache=True)['cache']
    print('RESULT', sorted(jax.tree.map(jnp.shape, jax.tree.leaves(cache))))
    print('RESULT', float(jnp.abs(model.apply(variables, tokens)).sum()))
    for step in range(3):
        y, updates = model.apply(
            {'params': variables['params'], 'cache': cache},
            tokens[:, step : step + 1],
            mutable=['cache'],
        )
        cache = updates['cache']
        print('RESULT', float(jnp.abs(y).sum()))
"""


def test_caches_that_a_call_makes_cross_a_bridge(tmp_path: Path) -> None:
    """The parameters and the cache come from different runs of `init`: no one model has both."""
    done = rewritten(ASKED[: ASKED.index("    variables = model.init(")] + LATER)
    assert done.statuses == {"Attention": "rewritten", "Decoder": "rewritten"}
    assert "linen_model(Decoder" in done.after["program.py"]
    check(done, tmp_path)


def test_a_program_that_looks_into_the_model_with_a_function_of_its_own() -> None:
    look = "def look(module, x):\n    return module.linear1(2 * x)\n\n\n"
    text = program(last="print('RESULT', model.apply(variables, x, method=look).shape)")
    done = rewritten(text.replace("def evaluate", look + "def evaluate"))
    assert done.statuses == {"Net": "kept"}


def test_a_size_of_an_input_that_may_be_left_out(tmp_path: Path) -> None:
    text = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Mix(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x, scale=1.0, context=None):
        y = nn.Dense(self.width)(x) * scale
        if context is not None:
            y = y + nn.Dense(self.width)(context)
        return y


class Runner:
    model_class = Mix

    def run(self, *inputs, **more):
        model = vars(type(self))['model_class'](width=3)
        variables = model.init(jax.random.key(0), *inputs, **more)
        return float(jnp.abs(model.apply(variables, *inputs, **more)).sum())


x, context = jnp.ones((2, 5)), jnp.ones((2, 7))
print('RESULT', Runner().run(x), Runner().run(x, context=context), Runner().run(x, 2.0, context))
"""
    done = rewritten(text)
    assert done.statuses == {"Mix": "rewritten"}
    assert "model_class = LinenMix" in done.after["program.py"]
    check(done, tmp_path)


SHARED = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Encoder(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.relu(nn.Dense(4)(x))


class Actor(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(Encoder(name='encoder')(x))


class Critic(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(Encoder(name='encoder')(x))


def scaled(variables):
    leaves, tree = jax.tree.flatten(variables)
    return jax.tree.unflatten(tree, [0.5 * leaf for leaf in leaves])


x = jax.random.normal(jax.random.key(0), (4, 3))
actor, critic = Actor(), Critic()
actor_params = scaled(actor.init(jax.random.key(1), x)['params'])
critic_params = scaled(critic.init(jax.random.key(2), x)['params'])
COPY
print('RESULT', float(jnp.abs(actor.apply({'params': actor_params}, x)).sum()))
print('RESULT', float(jnp.abs(critic.apply({'params': critic_params}, x)).sum()))
"""


def test_what_two_models_share_under_one_name_may_be_copied(tmp_path: Path) -> None:
    copy = "actor_params = {**actor_params, 'encoder': critic_params['encoder']}"
    done = rewritten(SHARED.replace("COPY", copy))
    assert set(done.statuses.values()) == {"rewritten"}
    assert "PR103" in done.codes
    check(done, tmp_path)


@pytest.mark.parametrize(
    "copy",
    [
        "actor_params['encoder'] = {'Dense_0': critic_params['encoder']['Dense_0']}",
        "actor_params['encoder'] = critic_params['encoder']",
        "print(len(critic_params['encoder'].items()))",
    ],
)
def test_what_is_done_below_a_shared_name_keeps_the_classes(copy: str, tmp_path: Path) -> None:
    done = rewritten(SHARED.replace("COPY", copy))
    assert done.statuses["Critic"] != "rewritten"
    check(done, tmp_path)


LIFTED = """
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp


class Block(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        return x + nn.Dense(self.width)(x)


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        block = MADE
        lifted = nn.jit(block)
        return lifted(LEFT)(x)


x = jnp.ones((2, 4))
model = Net()
variables = model.init(jax.random.key(0), x)
print('RESULT', float(model.apply(variables, x).sum()))
"""


@pytest.mark.parametrize(
    ("made", "left"), [("functools.partial(Block, width=4)", ""), ("Block", "width=4")]
)
def test_a_class_that_is_lifted_under_another_name_is_not_bridged(
    made: str, left: str, tmp_path: Path
) -> None:
    done = rewritten(LIFTED.replace("MADE", made).replace("LEFT", left))
    assert done.statuses["Block"] == "kept"
    check(done, tmp_path)


GIVEN = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Encoder(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.width)(x)


def through(module, x):
    return module(x)


class Outer(nn.Module):
    encoder: nn.Module

    @nn.compact
    def __call__(self, x):
        LAYER
        return USE


x = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
model = Outer(Encoder(4))
params = model.init(jax.random.key(0), x)["params"]
print('RESULT', float(jnp.square(model.apply({"params": params}, x)).sum()))
"""
ODD = "x = {str(x.ndim): nn.Dense(2)}[str(x.ndim)](x)"


@pytest.mark.parametrize(
    ("layer", "use", "statuses"),
    [
        (ODD, "self.encoder(x)", ("rewritten", "kept")),
        (ODD, "self.encoder(x) if self.encoder is not None else x", ("rewritten", "kept")),
        (ODD, "self.encoder(x) * self.encoder.width", ("kept", "kept")),
        (ODD, "through(self.encoder, x)", ("kept", "kept")),
        ("x = nn.Dense(2)(x)", "self.encoder(x)", ("rewritten", "rewritten")),
    ],
)
def test_a_module_that_is_given_to_one_that_stays(
    layer: str, use: str, statuses: tuple[str, str], tmp_path: Path
) -> None:
    """What only calls it may be given a bridge; a module of NNX may not."""
    done = rewritten(GIVEN.replace("LAYER", layer).replace("USE", use))
    assert (done.statuses["Encoder"], done.statuses["Outer"]) == statuses
    check(done, tmp_path)


HAIKU_GIVEN = """
import haiku as hk
import jax
import jax.numpy as jnp


class Encoder(hk.Module):
    def __init__(self, width, name=None):
        super().__init__(name=name)
        self.width = width

    def __call__(self, x):
        return hk.Linear(self.width)(x)


class Outer(hk.Module):
    def __init__(self, encoder, name=None):
        super().__init__(name=name)
        self.encoder = encoder

    def __call__(self, x):
        x = {str(x.ndim): hk.Linear(2)}[str(x.ndim)](x)
        return self.encoder(x)


def forward(x):
    encoder = Encoder(4)
    return Outer(encoder)(x)


x = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
net = hk.without_apply_rng(hk.transform(forward))
params = net.init(jax.random.key(0), x)
print('RESULT', float(jnp.square(net.apply(params, x)).sum()))
"""


def test_a_module_that_a_haiku_class_that_stays_is_given_by_place(tmp_path: Path) -> None:
    done = rewritten(HAIKU_GIVEN)
    assert done.statuses["Encoder"] == done.statuses["Outer"] == "kept"
    check(done, tmp_path)

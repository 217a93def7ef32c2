"""Programs that go by the names of variables, which a rewritten model has others of."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, printed, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import traverse_util


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(nn.relu(nn.Dense(4)(x)))


def decayed(params):
    flat = traverse_util.flatten_dict(params)
    return traverse_util.unflatten_dict({path: path[-1] != 'bias' for path in flat})


def first_layers(params):
    flat = traverse_util.flatten_dict(params)
    return traverse_util.unflatten_dict({path: 'Dense' in path[0] for path in flat})


model = Net()
x = jax.random.normal(jax.random.key(1), (4, 3))
variables = model.init(jax.random.key(0), x)
params = variables['params']
USE
print('RESULT', float(model.apply(variables, x).sum()))
"""


@pytest.mark.parametrize(
    "use",
    [
        "print('RESULT', max(int(name.split('_')[-1]) for name in params))",
        "print('RESULT', len(params) + 1 if 'Dense_0' in params else 0)",
        "names = sorted(params)\nprint('RESULT', names[0])",
        "last = [*params][-1]\nprint('RESULT', last)",
    ],
)
def test_names_that_are_computed_with_keep_the_class(use: str, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("USE", use))
    assert done.statuses == {"Net": "kept"}
    check(done, tmp_path)


@pytest.mark.parametrize(
    "use",
    [
        "for name, tree in params.items():\n    print(name, jax.tree.map(jnp.shape, tree))",
        "print(sorted(params), f'{list(variables.keys())}')",
        "params.keys()  # ['Dense_0', 'Dense_1']",
        "print('RESULT', sum(p.size for p in jax.tree.leaves(params)))",
        "params = jax.tree.map(lambda p: p / 2, params)\nvariables = {'params': params}",
    ],
)
def test_leaves_and_what_is_shown_follow(use: str, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("USE", use))
    assert done.statuses == {"Net": "rewritten"}
    assert "PR103" not in done.codes
    folder = tmp_path / "after"
    folder.mkdir()
    (folder / "program.py").write_text(done.after["program.py"])
    assert printed(folder / "program.py", strict=True)


OPTIMISED = """tx = optax.adamw(0.1, weight_decay=0.5, mask=MASK)
state = tx.init(params)
grads = jax.grad(lambda params: model.apply({'params': params}, x).sum())(params)
updates, state = tx.update(grads, state, params)
variables = {'params': optax.apply_updates(params, updates)}"""


@pytest.mark.parametrize(
    ("mask", "status"),
    [
        ("decayed", "rewritten"),
        (
            "lambda p: jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key != 'bias', p)",
            "rewritten",
        ),
    ],
)
def test_masks_that_go_by_paths_run_on_a_bridge(mask: str, status: str, tmp_path: Path) -> None:
    text = PROGRAM.replace("USE", OPTIMISED.replace("MASK", mask))
    start, end = text.index("def first_layers"), text.index("model = Net()")
    done = rewritten(text[:start] + text[end:])
    assert done.statuses == {"Net": status}
    assert "PR103" in done.codes
    check(done, tmp_path)


def test_masks_that_look_for_a_part_of_a_name_keep_the_class(tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("USE", OPTIMISED.replace("MASK", "first_layers")))
    assert done.statuses == {"Net": "kept"}
    check(done, tmp_path)


def test_a_model_of_layers_stays_in_all_files_where_it_cannot_follow_in_one(
    tmp_path: Path,
) -> None:
    text = PROGRAM[: PROGRAM.index("class Net")].lstrip() + (
        "from sizes import halved\n\n"
        "model = nn.Sequential([nn.Dense(4), nn.tanh, nn.Dense(2)])\n"
        "variables = model.init(jax.random.key(0), jnp.ones((2, 3)))\n"
        "first = min(variables['params'])\n"
        "print(first, float(model.apply(halved(variables), jnp.ones((2, 3))).sum()))\n"
    )
    other = (
        "import jax\n\n\ndef halved(variables):\n"
        "    return {'params': jax.tree.map(lambda v: v / 2, variables['params'])}\n"
    )
    done = rewritten({"program.py": text, "sizes.py": other})
    assert done.after["sizes.py"] == other
    check(done, tmp_path)


def test_labels_by_names_that_a_bridge_has_too(tmp_path: Path) -> None:
    use = OPTIMISED.replace(
        "optax.adamw(0.1, weight_decay=0.5, mask=MASK)",
        "optax.multi_transform({'still': optax.set_to_zero(), 'moves': optax.sgd(0.1)}, LABELS)",
    )
    named = PROGRAM.replace("nn.Dense(2)", "nn.Dense(2, name='head')").replace(
        "nn.Dense(4)", "nn.Dense(4, name='body')"
    )
    start, end = named.index("def decayed"), named.index("model = Net()")
    text = named[:start] + named[end:]
    done = rewritten(
        text.replace("USE", use.replace("LABELS", "{'body': 'still', 'head': 'moves'}"))
    )
    assert done.statuses == {"Net": "rewritten"}
    assert "PR103" in done.codes
    check(done, tmp_path)

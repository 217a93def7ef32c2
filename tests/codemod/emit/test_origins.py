"""Which mappings come from files, as checkpoints do, and which from a model of the project."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from nnx_codemod.codemod.emit.origins import Origins
from nnx_codemod.codemod.project import Project
from nnx_codemod.codemod.source import Source
from nnx_codemod.tests.programs import check, rewritten


def foreign(tmp_path: Path, text: str, **others: str) -> bool:
    """Whether what `READ` is a subscript of comes from elsewhere."""
    sources = []
    for name, content in {"main": text, **others}.items():
        path = tmp_path / f"{name}.py"
        path.write_text(content)
        sources.append(Source(path))
    project = Project.of(sources)
    for module in project.modules.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Subscript) and module.source.segment(node.slice) == "'READ'":
                return Origins(project).from_elsewhere(module, node.value)
    raise AssertionError("nothing is read")


@pytest.mark.parametrize(
    ("text", "elsewhere"),
    [
        ("def load(path):\n    return read(path)['READ']", True),
        ("def fix(params):\n    params = dict(params)\n    return params['READ']", True),
        ("def f(x):\n    params = Net().init(0, x)\n    return params['READ']", False),
        ("def f(state):\n    return state.params['READ']", False),
        ("params = read()\nprint(params['READ'])", False),
        (
            "def fix(params):\n    return params['READ']\n\ndef load(path):\n    return fix(read(path))",
            True,
        ),
        (
            "def fix(params):\n    return params['READ']\n\nfix(Net().init(0, 1))",
            False,
        ),
        (
            "def fix(params):\n    return params['READ']\n\ndef f(x):\n    return jit(fix)(Net().init(0, x))",
            False,
        ),
        (
            "def fix(params):\n    return params['READ']\n\ndef f(tree):\n    return map(fix, tree)",
            False,
        ),
        (
            "def make(x):\n    return Net().init(0, x)\n\ndef f(x):\n    params = make(x)\n    return params['READ']",
            False,
        ),
        (
            "def f(path, x):\n    both = {}\n    both['a'] = Net().init(0, x)\n    return both['a']['READ']",
            False,
        ),
        (
            "def f(path, x):\n    both = {}\n    both.update(Net().init(0, x))\n    return both['READ']",
            False,
        ),
        (
            "def f(path, state):\n    old = read(path)\n    new = old['READ']\n    old = merge(old, state.params)\n    return old",
            True,
        ),
        (
            "def f(path, state):\n    old = read(path)\n    for _ in range(2):\n        old['READ']\n        old = merge(old, state.params)\n    return old",
            False,
        ),
        (
            "def f(path, state):\n    for name in state.params:\n        read(f'{path}/{name}')['READ']",
            True,
        ),
        ("class Loader:\n    def read(self):\n        return self.tree['READ']", False),
        ("PARAMS = Net().init(0, 1)\n\ndef f(path):\n    return PARAMS['READ']", False),
        ("TABLE = {'READ': 1}\n\ndef f(path):\n    return TABLE['READ']", True),
    ],
)
def test_where_a_mapping_comes_from(text: str, elsewhere: bool, tmp_path: Path) -> None:
    assert foreign(tmp_path, text) is elsewhere


FIX = "def fix(params):\n    return params['READ']\n"


@pytest.mark.parametrize(
    ("other", "elsewhere"),
    [
        ("from main import fix\n\ndef f(x):\n    return fix(Net().init(0, x))", False),
        ("import main\n\ndef f(x):\n    return main.fix(Net().init(0, x))", False),
        ("import json\n\ndef f(x):\n    return json.fix(Net().init(0, x))", True),
        ("def fix(p):\n    return p\n\ndef f(x):\n    return fix(Net().init(0, x))", True),
        ("import main\n\nrepair = main.fix\nrepair(Net().init(0, 1))", False),
    ],
)
def test_calls_in_other_files(other: str, elsewhere: bool, tmp_path: Path) -> None:
    assert foreign(tmp_path, FIX, other=other) is elsewhere


MODEL = """
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np


class Net(nn.Module):
    width: int = 4

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(nn.relu(nn.Dense(self.width)(x)))


def make(**options):
    return Net(**{'width': 3, **options})


def load(path):
    old = dict(np.load(path, allow_pickle=True))
    old['Dense_1'] = old.pop('head')
    return {'params': old}


model = make(width=5)
x = jax.random.normal(jax.random.key(1), (4, 3))
variables = model.init(jax.random.key(0), x)
LAST
print('RESULT', float(model.apply(variables, x).sum()))
"""


def test_what_reads_a_checkpoint_does_not_hold_a_model_back(tmp_path: Path) -> None:
    done = rewritten(MODEL.replace("LAST", ""))
    assert done.statuses == {"Net": "rewritten"}
    assert "PR104" in done.codes
    check(done, tmp_path)


def test_what_reads_the_model_itself_is_none_of_a_file(tmp_path: Path) -> None:
    start, end = MODEL.index("def load"), MODEL.index("model = ")
    last = "print('RESULT', variables['params']['Dense_1']['bias'].sum())"
    done = rewritten((MODEL[:start] + MODEL[end:]).replace("LAST", last))
    assert "PR104" not in done.codes
    check(done, tmp_path)

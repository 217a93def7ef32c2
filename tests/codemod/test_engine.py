"""The engine on small programs of our own: the promises that hold for every rewrite."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.engine import rewrite
from nnx_codemod.codemod.source import Source

LINEN = '''
"""Fits a line."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax


class Regressor(nn.Module):
    width: int  # of the hidden layer

    @nn.compact
    def __call__(self, x, train: bool = False):
        x = nn.Dense(self.width)(x)
        x = nn.Dropout(0.25, deterministic=not train)(x)  # only in training
        return nn.Dense(1)(nn.tanh(x))


x = jnp.linspace(-1.0, 1.0, 24).reshape(8, 3)
y = x.sum(axis=-1, keepdims=True)
model = Regressor(width=7)
params = model.init(jax.random.key(0), x)
tx = optax.sgd(0.1)
opt_state = tx.init(params)


@jax.jit
def step(params, opt_state, key):
    def loss_fn(params):
        return jnp.mean((model.apply(params, x, train=True, rngs={"dropout": key}) - y) ** 2)

    loss, grads = jax.value_and_grad(loss_fn)(params)
    updates, opt_state = tx.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state, loss


for i in range(2):
    params, opt_state, loss = step(params, opt_state, jax.random.key(i))
    print("RESULT", float(loss))
print("RESULT", float(jnp.abs(model.apply(params, x)).sum()))
'''

HAIKU = """
import haiku as hk
import jax
import jax.numpy as jnp


def net_fn(x):
    h = jax.nn.relu(hk.Linear(6)(x))
    scale = hk.get_parameter("scale", [6], init=jnp.ones)
    return hk.Linear(2, name="out")(h * scale)


net = hk.without_apply_rng(hk.transform(net_fn))
x = jnp.linspace(-1.0, 1.0, 12).reshape(4, 3)
params = net.init(jax.random.PRNGKey(3), x)
print("RESULT", float(jnp.abs(net.apply(params, x)).sum()))
"""

UNTOUCHABLE = """
import flax.linen as nn


class Odd(nn.Module):
    @nn.compact
    def __call__(self, x):
        while x.sum() > 0:
            x = nn.Dense(3)(x)
        return x
"""


def rewritten(text, path="/nowhere/program.py"):
    """The outcomes for one file, by path."""
    return rewrite([Source(Path(path), text.encode())], Options())


def run(folder, name):
    """What a program prints with random bits that depend on shapes alone."""
    bits = Path(__file__).parents[1] / "shape_bits.py"
    code = (
        "import sys, runpy, importlib.util as u;"
        f"s = u.spec_from_file_location('bits', {str(bits)!r}); m = u.module_from_spec(s); s.loader.exec_module(m);"
        f"bits = m.equal_bits(); bits.__enter__(); sys.path.insert(0, {str(folder)!r}); runpy.run_path({name!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [
        float(line.split()[-1]) for line in done.stdout.splitlines() if line.startswith("RESULT")
    ]


@pytest.mark.parametrize("text", [LINEN, HAIKU], ids=["linen", "haiku"])
def test_programs_print_the_same_numbers(tmp_path, text):
    (tmp_path / "before.py").write_text(text)
    for outcome in rewritten(text):
        name = "after.py" if outcome.source is not None else Path(outcome.report.path).name
        assert not outcome.report.diagnostics
        (tmp_path / name).write_text(outcome.new_text)
    before, after = run(tmp_path, "before.py"), run(tmp_path, "after.py")
    assert len(before) == len(after)
    assert after == pytest.approx(before, rel=1e-5)


@pytest.mark.parametrize("text", [LINEN, HAIKU], ids=["linen", "haiku"])
def test_a_second_run_changes_nothing(text):
    once = rewritten(text)[0].new_text
    assert once is not None
    assert rewritten(once)[0].new_text is None


@pytest.mark.parametrize("text", [LINEN, HAIKU], ids=["linen", "haiku"])
def test_the_same_input_gives_the_same_text(text):
    assert rewritten(text)[0].new_text == rewritten(text)[0].new_text


def test_no_name_of_the_old_frameworks_is_left():
    for text in (LINEN, HAIKU):
        tree = ast.parse(rewritten(text)[0].new_text)
        names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        assert not names & {"haiku", "flax.linen"}


def test_lines_that_need_no_change_stay_as_they_are():
    after = rewritten(LINEN)[0].new_text.splitlines()
    for line in ('"""Fits a line."""', "tx = optax.sgd(0.1)", "for i in range(2):"):
        assert line in after
    assert any(line.endswith("# of the hidden layer") for line in after)
    assert any(line.endswith("# only in training") for line in after)


def test_rewriting_runs_none_of_the_users_code():
    rewritten("raise SystemExit('the program was run')\n" + LINEN)


def test_the_report_says_how_to_build_the_new_class():
    (cls,) = rewritten(LINEN)[0].report.classes
    assert (cls.name, cls.source, cls.status) == ("Regressor", "linen", "rewritten")
    assert [(p.name, p.from_) for p in cls.added_parameters] == [("in_features", "x.shape[-1]")]
    assert cls.mode_arguments == {"train": {"true": "train", "false": "eval"}}


def test_what_cannot_be_rewritten_stays_with_a_located_diagnostic():
    (outcome,) = rewritten(UNTOUCHABLE)
    assert outcome.new_text is None
    assert [cls.status for cls in outcome.report.classes] == ["kept"]
    assert all(d.help and d.line > 1 for d in outcome.report.diagnostics)
    assert outcome.report.diagnostics


def test_a_later_run_adds_to_the_helpers_that_are_there(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    first, second = folder / "first.py", folder / "second.py"
    first.write_text(
        "import haiku as hk\n\n\nclass A(hk.Module):\n  def __call__(self, x):\n    return hk.Linear(3)(x)\n"
    )
    for outcome in rewrite([Source(first)], Options()):
        assert outcome.new_text is not None
        Path(outcome.report.path).write_text(outcome.new_text)
    second.write_text(
        "import haiku as hk\n\n\nclass B(hk.Module):\n  def __call__(self, x):\n    return hk.Flatten()(x)\n"
    )
    helpers = folder / "nnx_layers.py"
    before = helpers.read_text()
    sources = [Source(path) for path in (first, second, helpers)]
    outcomes = {Path(o.report.path).name: o for o in rewrite(sources, Options())}
    assert len(outcomes) == 3
    new = outcomes["nnx_layers.py"]
    assert not new.created and not new.report.classes
    assert new.new_text is not None and "def flatten" in new.new_text
    assert new.new_text.split("def haiku_init")[1].startswith(
        before.split("def haiku_init")[1].rstrip()
    )


def test_a_framework_in_the_tree_is_not_rewritten(tmp_path: Path) -> None:
    text = "import haiku as hk\n\n\nclass A(hk.Module):\n  def __call__(self, x):\n    return hk.Linear(3)(x)\n"
    inside, beside = tmp_path / "haiku" / "layers.py", tmp_path / "examples" / "net.py"
    for path in (inside, beside):
        path.parent.mkdir()
        path.write_text(text)
    (tmp_path / "haiku" / "__init__.py").write_text("")
    outcomes = {o.report.path: o for o in rewrite([Source(inside), Source(beside)], Options())}
    assert outcomes[str(beside)].new_text is not None
    assert outcomes.get(str(inside)) is None or outcomes[str(inside)].new_text is None

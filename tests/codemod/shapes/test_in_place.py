"""Models that take their activations and their records from a library which is not in the tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
from types import SimpleNamespace

import flax.linen as nn
import jax
import jax.numpy as jnp
from transformers.modeling_flax_outputs import FlaxBaseModelOutput, FlaxCausalLMOutput
from transformers.modeling_flax_utils import ACT2FN


class Mlp(nn.Module):
    config: SimpleNamespace

    def setup(self):
        self.inner = nn.Dense(self.config.inner)
        self.outer = nn.Dense(self.config.width)
        self.act = ACT2FN[self.config.activation]

    def __call__(self, x):
        return self.outer(self.act(self.inner(x)))


class Body(nn.Module):
    config: SimpleNamespace

    def setup(self):
        self.embed = nn.Embed(7, self.config.width)
        self.mlp = Mlp(self.config)

    def __call__(self, tokens, return_dict: bool = True):
        hidden = self.mlp(self.embed(tokens))
        if not return_dict:
            return (hidden,)
        return FlaxBaseModelOutput(last_hidden_state=hidden)


class Head(nn.Module):
    config: SimpleNamespace

    def setup(self):
        self.body = Body(self.config)
        self.head = nn.Dense(7)

    def __call__(self, tokens, return_dict: bool = True):
        outputs = self.body(tokens, return_dict=return_dict)
        logits = self.head(OUTPUT)
        if not return_dict:
            return (logits,) + outputs[1:]
        return FlaxCausalLMOutput(logits=logits)


config = SimpleNamespace(width=4, inner=6, activation="gelu")
tokens = jnp.arange(6).reshape(2, 3)
model = Head(config)
params = model.init(jax.random.key(0), tokens)["params"]
print("RESULT", float(jnp.square(model.apply({"params": params}, tokens).logits).sum()))
"""
LIBRARY = {
    "__init__": "",
    "modeling_flax_utils": "import jax\nACT2FN = {'gelu': jax.nn.gelu}\n",
    "modeling_flax_outputs": """
class Record(dict):
    def __getitem__(self, key):
        return tuple(self.values())[key]

    __getattr__ = dict.get


FlaxBaseModelOutput = FlaxCausalLMOutput = Record
""",
}


@pytest.mark.parametrize("output", ["outputs[0]", "outputs[0] if not return_dict else outputs[0]"])
def test_activations_of_a_table_and_records(output: str, tmp_path: Path) -> None:
    for side in ("before", "after"):
        for name, text in LIBRARY.items():
            path = tmp_path / side / "transformers" / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    done = rewritten(PROGRAM.replace("OUTPUT", output))
    assert set(done.statuses.values()) == {"rewritten"}
    assert "Linear(config.inner, config.width" in done.after["program.py"]
    check(done, tmp_path)


def test_a_library_in_the_tree_speaks_for_itself() -> None:
    own = "ACT2FN = {'gelu': lambda x: x[..., 0]}\n"
    done = rewritten(
        {
            "program.py": PROGRAM.replace("OUTPUT", "outputs[0]"),
            "transformers/__init__.py": "",
            "transformers/modeling_flax_utils.py": own,
        }
    )
    assert "Linear(config.inner, config.width" not in done.after["program.py"]

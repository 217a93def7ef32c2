"""Imports that other files read stay where they are."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

INIT = """
import jax.numpy as jnp
from flax.linen.initializers import he_normal, lecun_normal, zeros_init

default = zeros_init


def small():
    return lecun_normal()
"""
NET = """
import flax.linen as nn
IMPORT


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(4, kernel_init=MADE())(x)
"""
OTHER = (
    NET.replace("IMPORT", "from init import small").replace("MADE", "small").replace("Net", "Other")
)
KEPT = NET.replace("return nn", "while x.sum() > 3:\n            x = nn")


@pytest.mark.parametrize("net", [NET, KEPT])
@pytest.mark.parametrize(
    ("line", "made", "kept"),
    [
        ("import init", "init.he_normal", "he_normal"),
        ("import init as start", "start.zeros_init", "zeros_init"),
        ("from init import *", "he_normal", "he_normal"),
    ],
)
def test_what_is_read_off_a_file_stays_imported_there(
    net: str, line: str, made: str, kept: str
) -> None:
    text = net.replace("IMPORT", line).replace("MADE", made)
    done = rewritten({"init.py": INIT, "net.py": text, "other.py": OTHER})
    assert f"from flax.linen.initializers import {kept}\n" in done.after["init.py"]
    assert "nnx.initializers.lecun_normal()" in done.after["init.py"]


@pytest.mark.parametrize(("net", "kept"), [(NET, False), (KEPT, True)])
def test_what_is_imported_by_name_stays_where_its_user_does(net: str, kept: bool) -> None:
    line = "from init import zeros_init as start"
    text = net.replace("IMPORT", line).replace("MADE", "start")
    done = rewritten({"init.py": INIT, "net.py": text, "other.py": OTHER})
    assert done.statuses == {"Net": "kept" if kept else "rewritten", "Other": "rewritten"}
    imported = "from flax.linen.initializers import zeros_init\n" in done.after["init.py"]
    assert imported is (line in done.after["net.py"]) is kept

"""Names outside of classes follow what their classes became."""

from __future__ import annotations

import textwrap

from nnx_codemod.tests.programs import check, rewritten


def test_a_wrapped_class_at_the_top_of_a_file_is_renamed(tmp_path):
    program = textwrap.dedent("""\
        import flax.linen as nn
        import jax
        import jax.numpy as jnp


        class Tower(nn.Module):
            width: int

            @nn.compact
            def __call__(self, x):
                return nn.relu(nn.Dense(self.width)(x))


        LightTower = nn.remat(Tower)


        class City(nn.Module):
            @nn.compact
            def __call__(self, x):
                return nn.Dense(2)(LightTower(4)(x))


        x = jnp.ones((3, 5))
        city = City()
        params = city.init(jax.random.key(0), x)
        print(city.apply(params, x))
        """)
    done = rewritten(program)
    assert set(done.statuses.values()) == {"rewritten"}
    assert "nn.remat(" not in done.after["program.py"]
    check(done, tmp_path)


def test_an_import_of_nnx_stands_apart_from_the_projects_own_packages():
    program = textwrap.dedent("""\
        import flax.linen as nn
        import jax

        from pots.tools import scale


        class Glaze(nn.Module):
            @nn.compact
            def __call__(self, x):
                return scale(nn.Dense(3)(x))


        x = jax.numpy.ones((2, 3))
        print(Glaze().init_with_output(jax.random.key(0), x)[0])
        """)
    files = {
        "program.py": program,
        "source/pots/__init__.py": "",
        "source/pots/tools.py": "import flax\n\n\ndef scale(x):\n    return 2 * x\n",
    }
    after = rewritten(files).after["program.py"]
    assert after.split("\n\n")[0] == "import jax\nfrom flax import nnx"


def test_an_annotation_speaks_of_linen_while_a_model_is_linens():
    kept = textwrap.dedent("""\
        import flax.linen as nn


        class Odd(nn.Module):
            @nn.compact
            def __call__(self, x):
                while x.shape[-1] > 2:
                    x = nn.Dense(x.shape[-1] - 2)(x)
                return x


        class Even(nn.Module):
            @nn.compact
            def __call__(self, x):
                return nn.Dense(2)(x)


        def describe(model: nn.Module) -> str:
            return type(model).__name__
        """)
    done = rewritten(kept)
    assert "def describe(model: nn.Module)" in done.after["program.py"]
    assert done.codes == ["NX101"]
    rest = kept[: kept.index("class Odd")] + kept[kept.index("class Even") :]
    assert "def describe(model: nnx.Module)" in rewritten(rest).after["program.py"]


KEPT = """
import flax.linen as nn


class Kept(nn.Module):
    @nn.compact
    def __call__(self, x):
        match x.ndim:
            case 2:
                return nn.Dense(3)(x)
        return nn.relu(x)


def act(x):
    return nn.relu(x)
"""
NET = """
import flax.linen as nn

IMPORT


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return act(nn.Dense(2)(x))
"""
ACT = "import flax.linen as nn\n\n\ndef act(x):\n    return nn.relu(x)\n"


def test_a_file_of_what_stays_keeps_its_names() -> None:
    files = {
        "kept.py": KEPT,
        "other.py": ACT,
        "net.py": NET.replace("IMPORT", "from used import act"),
    }
    done = rewritten({**files, "used.py": ACT})
    assert done.statuses == {"Kept": "kept", "Net": "rewritten"}
    assert done.after["kept.py"] == KEPT
    assert done.after["other.py"] == ACT
    assert "nnx.relu" in done.after["used.py"]


def test_where_nothing_stays_all_files_get_new_names() -> None:
    done = rewritten(
        {"other.py": ACT, "net.py": NET.replace("IMPORT", "from used import act"), "used.py": ACT}
    )
    assert "nnx.relu" in done.after["other.py"]

"""Imports that go, stay, and come in."""

from __future__ import annotations

import textwrap

import pytest

from nnx_codemod.codemod.emit.imports import tidy

NNX = "from flax import nnx"


def text(block: str) -> str:
    return textwrap.dedent(block).lstrip("\n")


def tidied(imports: str, before: str, after: str, *wanted: str, **options: object) -> str:
    """The imports of a module whose code changes from `before` to `after`."""
    head = text(imports)
    new = tidy(f"{head}\n\n{after}\n", f"{head}\n\n{before}\n", wanted, **options)
    again = tidy(new, f"{head}\n\n{before}\n", wanted, **options)
    assert again == new
    assert new.endswith(f"\n\n{after}\n")
    return new.removesuffix(f"\n\n{after}\n")


# ---- removing --------------------------------------------------------------------------------------


def test_what_only_removed_code_used_goes() -> None:
    imports = """
        from functools import partial
        import os
        from typing import Any, Callable, Optional

        import jax
    """
    new = tidied(imports, "x: Optional[Any] = partial(jax.jit, os)", "x: Any = jax")
    assert new == "from typing import Any, Callable\n\nimport jax\n"


def test_what_was_unused_before_stays_but_for_the_old_framework() -> None:
    imports = (
        "import os\nimport flax.linen as nn\nfrom flax import linen, struct\nimport haiku as hk\n"
    )
    assert tidied(imports, "x = 1", "x = 2") == "import os\nfrom flax import struct\n"


def test_a_name_that_comes_from_elsewhere_now_is_imported_once() -> None:
    new = tidied(
        "from flax.linen import merge_param\n",
        "x = merge_param",
        "x = merge_param",
        "from helpers import merge_param",
    )
    assert new == "from helpers import merge_param\n"


def test_every_copy_of_an_import_goes() -> None:
    imports = "import jax\nimport flax.linen as nn\nimport optax\n\nimport flax.linen as nn\n"
    assert tidied(imports, "f(nn, jax, optax)", "f(nnx, jax, optax)", NNX) == (
        "import jax\nfrom flax import nnx\nimport optax\n"
    )


@pytest.mark.parametrize(
    ("after", "stays"),
    [
        ("x = nn", True),
        ("def f():\n    return nn.relu", True),
        ("def f(nn):\n    return nn.relu", False),
        ("class A:\n    nn = nn", True),
        ("x = lambda nn: nn", False),
        ("x: 'nn.Module' = 1", True),
        ("def f(x: 'list[nn.Module]') -> int: ...", True),
        ("def f(x) -> 'nn.Module': ...", True),
        ("x = cast('nn.Module', y)", True),
        ("T = TypeVar('T', bound='nn.Module')", True),
        ("x = 'nn.Module'", False),
        ("def f():\n    '''nn.Module'''", False),
        ("# nn.Module", False),
        ("__all__ = ['nn']", True),
        ("__all__ += ('nn',)", True),
        ("x.nn = y(nn=1)", False),
    ],
)
def test_what_counts_as_a_use(after: str, stays: bool) -> None:
    new = tidied("import a\nimport flax.linen as nn\n", "nn.Dense", after)
    assert ("flax.linen" in new) == stays


def test_what_is_left_alone() -> None:
    imports = """
        from __future__ import annotations
        import os  # noqa: F401
        from flax import linen as nn  # nnx-codemod: skip
        from haiku import *
        try:
            import haiku as hk
        except ImportError:
            hk = None
        if TYPE_CHECKING:
            import flax.linen as fnn
    """
    assert tidied(imports, "f(os, nn, hk, fnn)", "f()") == text(imports)


def test_re_exports() -> None:
    imports = "import haiku as hk\nimport os\nfrom .layers import Block\nimport flax.linen as nn\n"
    new = tidied(imports, "f(hk, os, Block)", "f()", reexports=True)
    assert new == "import os\nfrom .layers import Block\nimport flax.linen as nn\n"


def test_dotted_imports() -> None:
    imports = "import flax\nimport flax.linen\nimport os.path\n"
    assert tidied(imports, "flax.linen.Dense(os.path)", "flax.struct.x(os.sep)") == (
        "import flax\nimport os.path\n"
    )
    only = "import flax.linen\n"
    assert tidied(only, "flax.linen.Dense", "flax.struct.x") == only
    assert tidied(only, "flax.linen.Dense", "flax.linen.relu") == only
    assert tidied("import jax\nimport flax.linen\n", "flax.linen.Dense", "jax") == "import jax\n"


def test_imports_in_functions() -> None:
    before = "def f():\n    import haiku as hk\n    import os\n    return hk.Linear\n"
    after = "def f():\n    import haiku as hk\n    import os\n    return 1\n"
    assert tidy(after, before, []) == "def f():\n    import os\n    return 1\n"
    alone = "def f():\n    import haiku as hk\n"
    assert tidy(alone, alone, []) == alone


def test_other_line_ends_and_encodings() -> None:
    head = "# -*- coding: latin-1 -*-\r\n# ä\r\nimport haiku as hk\r\nimport jax\r\n\r\n"
    assert tidy(head + "x = 'ö'\r\n", head + "hk\r\n", [NNX]) == (
        "# -*- coding: latin-1 -*-\r\n# ä\r\nfrom flax import nnx\r\nimport jax\r\n\r\nx = 'ö'\r\n"
    )


# ---- adding ----------------------------------------------------------------------------------------

USED = "f(nn, jax, jnp, optax, train_state, Any, os)"


def added(imports: str, *wanted: str, **options: object) -> str:
    return tidied(imports, USED, "f(jax, jnp, optax, Any, os, struct, b, z)", *wanted, **options)


def test_sorted_by_module() -> None:
    imports = """
        from typing import Any

        from flax import linen as nn
        from flax.training import train_state
        import jax
        import jax.numpy as jnp
    """
    assert added(
        imports, NNX, "import math", "import optax", "from functools import partial"
    ) == text(
        """
        from functools import partial
        import math
        from typing import Any

        from flax import nnx
        import jax
        import jax.numpy as jnp
        import optax
        """
    )


def test_straight_imports_first() -> None:
    imports = """
        import os
        from typing import Any

        import jax
        from flax import linen as nn
        from flax.training import train_state
    """
    wanted = [NNX, "import math", "import jax.numpy as jnp", "from functools import partial"]
    assert added(imports, *wanted) == text(
        """
        import math
        import os
        from functools import partial
        from typing import Any

        import jax
        import jax.numpy as jnp
        from flax import nnx
        """
    )


def test_where_both_orders_fit() -> None:
    plain = "import flax.linen as nn\nimport jax\nimport optax\n"
    assert added(plain, NNX) == "import jax\nimport optax\nfrom flax import nnx\n"
    haiku = "import haiku as hk\nimport jax\nimport optax\n"
    assert added(haiku, NNX) == "from flax import nnx\nimport jax\nimport optax\n"


def test_the_frameworks_line_where_there_is_no_order() -> None:
    imports = """
        import optax
        import jax
        import flax.linen as nn  # layers
        from typing import Any
        import flax.linen as nn
    """
    assert added(imports, NNX, "import jax") == text(
        """
        import optax
        import jax
        from flax import nnx  # layers
        from typing import Any
        """
    )


def test_the_only_import_of_its_section() -> None:
    assert added("import os\n\nimport haiku as hk\n", NNX) == "import os\n\nfrom flax import nnx\n"
    assert added("import haiku as hk\n", NNX) == "from flax import nnx\n"


def test_names_join_a_statement_of_their_module() -> None:
    assert (
        added("import jax\nfrom flax import struct\n", NNX)
        == "import jax\nfrom flax import nnx, struct\n"
    )
    assert added("from flax import linen as nn, struct\nimport jax\n", NNX) == (
        "from flax import nnx, struct\nimport jax\n"
    )
    helpers = "import jax\n\nfrom nnx_layers import MLP, b\n"
    assert added(helpers, "from nnx_layers import a, LSTM") == (
        "import jax\n\nfrom nnx_layers import LSTM, MLP, a, b\n"
    )
    stacked = "from nnx_layers import (\n    b,  # B\n    z,\n)\n"
    assert added(stacked, "from nnx_layers import MLP, c") == (
        "from nnx_layers import (\n    MLP,\n    b,  # B\n    c,\n    z,\n)\n"
    )


def test_one_import_a_line_stays_the_habit() -> None:
    imports = "from flax import linen as nn\nfrom flax import struct\nimport jax\n"
    assert added(imports, NNX) == "from flax import nnx\nfrom flax import struct\nimport jax\n"


def test_helpers_get_a_section_of_their_own() -> None:
    imports = "import haiku as hk\nimport jax\n"
    helpers = "from nnx_layers import haiku_init, LSTMState, MLP, LSTM"
    assert added(imports, NNX, helpers) == (
        "from flax import nnx\nimport jax\n\nfrom nnx_layers import LSTM, MLP, LSTMState, haiku_init\n"
    )
    relative = "import jax\n\nfrom . import b\nfrom .z import z\n"
    assert added(relative, "from .nnx_layers import x") == (
        "import jax\n\nfrom . import b\nfrom .nnx_layers import x\nfrom .z import z\n"
    )
    package = "import jax\n\nfrom mine.a import b\nfrom mine.z import z\n"
    assert added(package, "from mine.nnx_layers import x", local={"mine"}) == (
        "import jax\n\nfrom mine.a import b\nfrom mine.nnx_layers import x\nfrom mine.z import z\n"
    )


def test_long_lists_of_names_are_broken() -> None:
    wanted = "from nnx_layers import alpha, beta, gamma"
    assert added("import jax\n", wanted, limit=30) == (
        "import jax\n\nfrom nnx_layers import (\n    alpha,\n    beta,\n    gamma,\n)\n"
    )


def test_the_first_section_and_the_head_of_a_file() -> None:
    assert (
        added("# Licence\nimport jax\n", "import math") == "# Licence\nimport math\n\nimport jax\n"
    )
    assert added("'''Doc.'''\n\n# jax\nimport jax\n", "import chex") == (
        "'''Doc.'''\n\nimport chex\n# jax\nimport jax\n"
    )
    assert tidy("'''Doc.'''\nx = 1\n", "", [NNX]) == "'''Doc.'''\n\nfrom flax import nnx\nx = 1\n"
    assert tidy("# c\nx = 1\n", "", [NNX]) == "# c\nfrom flax import nnx\n\nx = 1\n"
    assert tidy("", "", [NNX]) == "from flax import nnx\n"


def test_a_new_first_section_stands_above_what_joins_the_next() -> None:
    imports = """
        import haiku as hk
        import jax
    """
    new = tidied(imports, "hk, jax", "nnx, jax, functools", NNX, "import functools")
    assert new == "import functools\n\nfrom flax import nnx\nimport jax\n"


def test_what_is_there_is_not_added_again() -> None:
    imports = "from functools import partial\n\nfrom flax import nnx\nimport jax.numpy as jnp\n"
    wanted = [NNX, "from functools import partial", "import jax.numpy as jnp", NNX]
    assert added(imports, *wanted) == imports


def test_imports_behind_other_code() -> None:
    imports = "import os\nos.environ['A'] = '1'\nimport jax\nfrom flax import linen as nn\n"
    assert (
        added(imports, NNX)
        == "import os\nos.environ['A'] = '1'\nimport jax\nfrom flax import nnx\n"
    )


@pytest.mark.parametrize(
    ("wanted", "place"),
    [("from dabs.nnx_layers import c", 2), ("from flax import nnx", 2)],
)
def test_a_file_that_does_not_set_its_own_packages_apart_keeps_one_order(
    wanted: str, place: int
) -> None:
    lines = ["import chex", "from dabs.a import b", "import haiku as hk", "import jax"]
    rest = ["", "hk.x, chex, b, jax", ""]
    expected = [*lines[:place], wanted, *lines[place:], *rest]
    assert added("\n".join([*lines, *rest]), wanted, local={"dabs"}) == "\n".join(expected)

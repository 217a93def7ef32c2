"""Files of models are imported although a library that they name is not installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from nnx_codemod.cli import cli

CHILD = """
import json, sys
from pathlib import Path
from nnx_codemod.codemod.parity.child import case, standins
module = case.load(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3])
found = {"names": sorted(vars(module)), "for": standins.standing_in()}
try:
    module.use()
    found["error"] = ""
except Exception as error:
    found["error"] = str(error)
print(json.dumps(found))
"""
MODEL = """import dataclasses

import no_such_logger
from no_such_loader.sets import Images, load as load_images

FLAGS = no_such_logger.flags.FLAGS
no_such_logger.flags.define("rate", 0.1)


@no_such_logger.configurable
def use(batch: Images = None):
    return load_images("train")


@no_such_logger.registered(name="net")
class Net(Images.Base):
    width: int | Images = 3
"""


def loaded(tree: Path, name: str, *folders: str) -> subprocess.CompletedProcess[str]:
    paths = json.dumps([str(tree / folder) for folder in folders or (".",)])
    command = [sys.executable, "-c", CHILD, name, paths, str(tree)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_missing_library_is_stood_in_for_and_not_run(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(MODEL)
    found = json.loads(loaded(tmp_path, "model").stdout)
    assert {"Net", "use", "FLAGS"} <= set(found["names"])
    assert found["for"] == ["no_such_logger", "no_such_loader"]
    assert found["error"] == "no_such_loader.sets.load is not installed"


def test_what_the_tree_itself_lacks_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "here.py").write_text("x = 1\n")
    (tmp_path / "model.py").write_text("import here.inner\n")
    assert "here.inner" in loaded(tmp_path, "model").stderr


def test_a_library_that_fails_for_want_of_another_is_stood_in_for(tmp_path: Path) -> None:
    broken = tmp_path / "site-packages" / "halfway"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text(
        "import no_such_base\nassert no_such_base.__version__\nx = 1\n"
    )
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "model.py").write_text("import halfway\n\ndef use():\n    return 1\n")
    paths = json.dumps([str(tmp_path / "tree"), str(tmp_path / "site-packages")])
    command = [sys.executable, "-c", CHILD, "model", paths, str(tmp_path / "tree")]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found["for"] == ["no_such_base", "halfway"] and found["error"] == ""


def test_folders_without_init_are_forgotten_with_their_parents(tmp_path: Path) -> None:
    inner = tmp_path / "package" / "folder" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "package" / "__init__.py").write_text("")
    (inner / "model.py").write_text("import no_such_library\n\ndef use():\n    pass\n")
    again = CHILD.replace(
        "module = ",
        "case.load(sys.argv[1], [*json.loads(sys.argv[2]), sys.argv[3] + '/other'], sys.argv[3])\nmodule = ",
    )
    command = [sys.executable, "-c", again, "package.folder.inner.model"]
    done = subprocess.run(
        [*command, json.dumps([str(tmp_path)]), str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["for"] == ["no_such_library"]


def test_flags_have_their_defaults_and_are_defined_anew(tmp_path: Path) -> None:
    text = "from absl import flags\nWIDTH = flags.DEFINE_integer('width', 3, '')\nimport no_such\n"
    text += "\ndef use():\n    raise ValueError(flags.FLAGS.width + WIDTH.value)\n"
    (tmp_path / "model.py").write_text(text)
    assert json.loads(loaded(tmp_path, "model").stdout)["error"] == "6"


def test_what_lies_beside_or_above_a_file_is_found_from_there(tmp_path: Path) -> None:
    inner = tmp_path / "package" / "inner"
    inner.mkdir(parents=True)
    for folder in (inner, inner.parent):
        (folder / "__init__.py").write_text("")
    (inner / "script.py").write_text(
        "from helper import x\nimport inner.more\n\ndef use():\n    x()\n"
    )
    (inner / "helper.py").write_text("def x():\n    return 1\n")
    (inner / "more.py").write_text("")
    found = json.loads(loaded(tmp_path, "package.inner.script").stdout)
    assert found["error"] == "" and found["for"] == []


def test_a_tree_that_is_a_package_itself_goes_before_what_is_installed(tmp_path: Path) -> None:
    installed, tree = tmp_path / "site-packages" / "samples", tmp_path / "samples"
    for folder in (installed, tree / "nets"):
        folder.mkdir(parents=True)
    for folder in (installed, tree, tree / "nets"):
        (folder / "__init__.py").write_text("")
    (tree / "nets" / "layers.py").write_text("def x():\n    return 1\n")
    (tree / "nets" / "model.py").write_text(
        "from samples.nets.layers import x\n\ndef use():\n    x()\n"
    )
    found = json.loads(loaded(tree, "nets.model", ".", "../site-packages").stdout)
    assert found["error"] == "" and found["for"] == []


def test_names_that_jax_dropped_are_put_back(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "import jax\nimport jax.numpy as jnp\nfrom jax.config import config\n"
        "from jax.random import KeyArray\n\ndef use(key: KeyArray = None) -> jnp.DeviceArray:\n"
        "    raise ValueError(jax.tree_map(lambda x: x + config.jax_enable_x64, [1]))\n"
    )
    assert json.loads(loaded(tmp_path, "model").stdout)["error"] == "[1]"


def test_a_checkout_under_another_name_is_found_by_its_own(tmp_path: Path) -> None:
    nets = tmp_path / "nets"
    nets.mkdir()
    (nets / "layers.py").write_text("def x():\n    return 1\n")
    (nets / "model.py").write_text(
        "from no_such_tree.nets import layers\nimport no_such_library.nets_of_others\n\n"
        "def use():\n    layers.x()\n"
    )
    found = json.loads(loaded(tmp_path, "nets.model").stdout)
    assert found["error"] == "" and found["for"] == ["no_such_library"]


def test_what_another_version_of_a_library_has_is_stood_in_for(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "import flax\nimport jax\nfrom optax import no_such_thing\n\nOLD = jax.random.no_such_kind\n\n"
        "def use(state: flax.no_such_part.Optimizer = None):\n    no_such_thing()\n"
    )
    found = json.loads(loaded(tmp_path, "model").stdout)
    assert found["for"] == [
        "optax.no_such_thing",
        "jax.random.no_such_kind",
        "flax.no_such_part",
    ]
    assert found["error"] == "optax.no_such_thing is not installed"


def test_a_package_that_does_not_import_is_left_out(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('too new')\n")
    (package / "model.py").write_text("from .other import x\n\ndef use():\n    return x\n")
    (package / "other.py").write_text("x = 1\n")
    found = json.loads(loaded(tmp_path, "package.model").stdout)
    assert found["error"] == ""


def test_relative_imports_in_the_root_of_the_tree(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("from .other import x\n\ndef use():\n    return x\n")
    (tmp_path / "other.py").write_text("x = 1\n")
    assert json.loads(loaded(tmp_path, "model").stdout)["error"] == ""


HEAD = """import dataclasses
import no_such_library
from typing import NamedTuple
import jax.numpy as jnp
from flax import linen as nn


class Batch(NamedTuple):
    image: jnp.ndarray
    label_ids: jnp.ndarray


@dataclasses.dataclass(frozen=True)
class Sizes:
    vocab_size: int


"""
MODELS = {
    "Wide": """    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (8, 8), strides=(4, 4), padding="VALID")(x)
        x = nn.Conv(4, (4, 4), strides=(2, 2), padding="VALID")(x)
        return nn.Dense(3)(x.reshape(x.shape[0], -1))
""",
    "Both": """    @nn.compact
    def __call__(self, batch: Batch):
        return nn.Dense(8)(batch.image) + nn.Embed(9, 8)(batch.label_ids)
""",
    "Step": """    @nn.compact
    def __call__(self, step):
        return nn.Dense(8)(step.observation)
""",
    "Rows": """    @nn.compact
    def __call__(self, batch):
        return nn.Dense(8)(batch["class"])
""",
    "Named": """    sizes: Sizes

    @nn.compact
    def __call__(self, *, inputs, train):
        assert inputs.ndim == 2
        x = nn.Embed(self.sizes.vocab_size, 8)(inputs.astype(int))
        return nn.Dropout(0.5, deterministic=not train)(x)
""",
}


def test_the_search_knows_images_and_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = HEAD + "\n\n".join(f"class {name}(nn.Module):\n{body}" for name, body in MODELS.items())
    for folder in ("before", "after"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "models.py").write_text(text)
    monkeypatch.chdir(tmp_path / "after")
    assert CliRunner().invoke(cli, ["rewrite", "--trace", "."]).exit_code == 0
    result = CliRunner().invoke(
        cli, ["verify", "--trace", "--original", "../before", "--report", "-", "."]
    )
    modules = {
        one["name"]: one for one in json.loads(result.stdout[result.stdout.index("{") :])["modules"]
    }
    assert {name: one["status"] for name, one in modules.items()} == dict.fromkeys(MODELS, "pass")
    assert "no_such_library" in modules["Wide"]["note"]

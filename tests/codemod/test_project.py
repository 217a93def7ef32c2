"""A project knows its own packages by name."""

from __future__ import annotations

from pathlib import Path

from nnx_codemod.codemod.project import Project
from nnx_codemod.codemod.source import Source


def test_own_names_are_those_of_packages_and_of_files_outside_of_them():
    paths = ("run.py", "src/pots/__init__.py", "src/pots/deep/__init__.py", "src/pots/deep/a.py")
    project = Project.of([Source(Path("/nowhere") / path, b"x = 1\n") for path in paths])
    assert project.own_names() == {"run", "pots"}


def test_a_package_whose_init_is_not_among_the_files_is_found():
    init = Path("/nowhere/pots/__init__.py")
    project = Project.of(
        [Source(Path("/nowhere/pots/a.py"), b"x = 1\n")],
        lambda path: Source(path, b"") if path == init else None,
    )
    assert project.own_names() == {"pots"}


def test_a_package_named_as_a_framework_is_the_frameworks():
    paths = ("flax/__init__.py", "flax/core.py")
    project = Project.of([Source(Path("/nowhere") / path, b"") for path in paths])
    assert project.own_names() == set()


def test_a_checkout_of_another_name_is_known_from_inside_as_well(tmp_path, monkeypatch):
    checkout = tmp_path / "owner+package"
    (checkout / "models").mkdir(parents=True)
    monkeypatch.chdir(checkout)
    for root in (Path(), checkout):
        files = [root / "models" / name for name in ("net.py", "layers.py")]
        project = Project.of([Source(path, b"") for path in files])
        found = project.find("package.models.layers", files[0])
        assert found is not None and found.path == files[1]


def test_code_beside_src_imports_what_lies_in_it():
    root = Path("/nowhere/checkout")
    places = ("src/package/layers.py", "examples/deep/train.py", "src/package/net.py")
    layers, train, net = (root / place for place in places)
    project = Project.of([Source(path, b"") for path in (layers, train, net)])
    for importer in (train, net):
        found = project.find("package.layers", importer)
        assert found is not None and found.path == layers
    assert project.find("layers", train) is None

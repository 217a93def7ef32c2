"""How files are imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod.parity.subjects import place_of


@pytest.mark.parametrize(
    ("text", "module", "first"),
    [
        ("from maps import tools\n", "maps.layers", "."),
        ("import maps.tools\n", "maps.layers", "."),
        ("from maps import (\n    tools,\n)\n", "maps.layers", "."),
        ("from maps import read\nimport tools\n", "layers", "maps"),
        ("import maps\n", "layers", "maps"),
        ("import tools\n", "layers", "maps"),
    ],
)
def test_a_file_named_as_its_folder_does_not_stand_for_it(
    text: str, module: str, first: str, tmp_path: Path
) -> None:
    folder = tmp_path / "maps"
    folder.mkdir()
    for name in ("maps", "tools"):
        (folder / f"{name}.py").write_text("read = 1\n")
    (folder / "layers.py").write_text(text)
    place = place_of(Path("maps/layers.py"), tmp_path)
    assert (place.module, place.folders[0]) == (module, first)
    assert ("maps" in place.folders) is (first == "maps")
    (folder / "maps.py").unlink()
    assert place_of(Path("maps/layers.py"), tmp_path).module == "layers"

"""What a dry run costs, in units of a bare LibCST parse-and-print of the files that it had to parse.

    python benchmarks/cost.py [TREE] [--repeat N]

Without TREE, a source archive of transformers serves, fetched once with pip into the user's cache folder. The package
is only read. Times are CPU seconds, the least of N runs, since machines are shared.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import libcst
import platformdirs

from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.discover import discover
from nnx_codemod.codemod.reach import concerned

PACKAGE = "transformers==4.46.3"


def fetched() -> Path:
    """The unpacked source archive of the package."""
    place = platformdirs.user_cache_path("nnx-codemod-benchmarks", appauthor=False)
    tree = place / PACKAGE.replace("==", "-")
    if not tree.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place) as scratch:
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--no-binary",
                ":all:",
            ]
            subprocess.run(
                [*command, "--no-build-isolation", PACKAGE, "--dest", scratch], check=True
            )
            (archive,) = Path(scratch).glob("*.tar.gz")
            with tarfile.open(archive) as file:
                file.extractall(scratch, filter="data")
            (Path(scratch) / tree.name).rename(tree)
    return tree


def libcst_seconds(files: Iterable[Path]) -> float:
    """CPU seconds of a bare parse and print of each file."""
    contents = [path.read_bytes() for path in files]
    start = time.process_time()
    for data in contents:
        assert libcst.parse_module(data).bytes == data
    return time.process_time() - start


def dry_run_seconds(tree: Path, cache: Path, *flags: str) -> float:
    """CPU seconds of a whole `rewrite --diff`, start-up included."""
    environment = {**os.environ, "NNX_CODEMOD_CACHE_DIR": str(cache), "JAX_PLATFORMS": "cpu"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "nnx_codemod", "rewrite", "--diff", *flags, str(tree)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        check=False,
    )
    assert done.returncode in (0, 1, 2), done.returncode
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tree", nargs="?", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    tree = (arguments.tree or fetched()).resolve()

    found = discover([tree], Options())
    parsed = concerned(found.files)
    print(
        f"{len(found.files)} Python files, {len(found.candidates)} name a framework, {len(parsed)} had to be parsed"
    )
    bare = min(libcst_seconds(parsed) for _ in range(arguments.repeat))
    print(f"LibCST parse and print of these: {bare:.1f} s")
    with tempfile.TemporaryDirectory() as scratch:
        cold = min(
            dry_run_seconds(tree, Path(scratch), "--no-cache") for _ in range(arguments.repeat)
        )
        print(f"rewrite --diff: {cold:.1f} s, {cold / bare:.2f} times as much")
        dry_run_seconds(tree, Path(scratch))
        warm = min(dry_run_seconds(tree, Path(scratch)) for _ in range(arguments.repeat))
        print(f"rewrite --diff again, from the cache: {warm:.2f} s")


if __name__ == "__main__":
    main()

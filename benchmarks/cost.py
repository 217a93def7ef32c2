"""What a dry run costs, held against a bare LibCST parse-and-print of the files that it has to parse.

    python benchmarks/cost.py [FOLDER]

Without a folder, a release of transformers that still holds Flax models is downloaded: 1,800 files. Both sides are
whole processes, start-up and imports included, and what is compared is their CPU time (user and system), the least
of three runs. LibCST gets only the files that concern a rewrite; the dry run gets the whole folder.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nnx_codemod.codemod import discover, reach
from nnx_codemod.codemod.config import Options

PACKAGE = "transformers==4.46.3"
FEWEST = 500  # files that a tree needs for its figures to say something
RUNS = 3
_PARSE_AND_PRINT = """\
import sys
from pathlib import Path

import libcst

for name in sys.stdin.read().split("\\0"):
    data = Path(name).read_bytes()
    assert libcst.parse_module(data).bytes == data, name
"""


@dataclass(frozen=True)
class Cost:
    """Seconds that a process took."""

    cpu: float
    wall: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help=f"default: {PACKAGE} from PyPI")
    given: Path | None = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["NNX_CODEMOD_CACHE_DIR"] = str(Path(scratch, "cache"))
        measure(given or download(PACKAGE, Path(scratch)))


def download(package: str, scratch: Path) -> Path:
    """The code of a package of PyPI, unpacked in a folder."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*pip, "--dest", str(scratch), package], check=True)
    (wheel,) = scratch.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(scratch / "code")
    return scratch / "code"


def measure(folder: Path) -> None:
    """Prints the figures for one tree."""
    files = discover.discover([folder], Options()).files
    if len(files) < FEWEST:
        sys.exit(f"{folder}: {len(files)} Python files, at least {FEWEST} are needed")
    parsed = reach.concerned(files)
    print(f"{len(files)} files, of which {len(parsed)} have to be parsed")
    listed = "\0".join(str(path.absolute()) for path in parsed).encode()
    bare = least([sys.executable, "-c", _PARSE_AND_PRINT], listed, (0,))
    rewrite = [sys.executable, "-m", "nnx_codemod", "rewrite", "--diff", str(folder)]
    ours = least([*rewrite, "--no-cache"], b"", (0, 1))
    cost(rewrite, b"", (0, 1))
    again = least(rewrite, b"", (0, 1))
    print(f"LibCST parse-and-print  {bare.cpu:6.2f} s CPU")
    print(f"rewrite --diff          {ours.cpu:6.2f} s CPU, {ours.cpu / bare.cpu:.2f} times that")
    print(f"rewrite --diff, again   {again.wall:6.2f} s from start to end")


def least(command: Sequence[str], data: bytes, statuses: Sequence[int]) -> Cost:
    """The cheapest of some runs of a command."""
    costs = [cost(command, data, statuses) for _ in range(RUNS)]
    return Cost(min(one.cpu for one in costs), min(one.wall for one in costs))


def cost(command: Sequence[str], data: bytes, statuses: Sequence[int]) -> Cost:
    """What one run of a command takes; it has to end with one of the statuses."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in statuses:
        sys.exit(done.stderr.decode(errors="replace")[-1000:])
    return Cost(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall)


if __name__ == "__main__":
    main()

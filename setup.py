"""The package list: the repository's root is `nnx_codemod`, its code folders are subpackages."""

from setuptools import find_packages, setup

OUTSIDE = ["benchmarks*", "build*", "dist*", "fixtures*", "tests*"]

setup(
    script_name="setup.py",  # named, it is left out of the package that it stands in
    package_dir={"nnx_codemod": "."},
    packages=["nnx_codemod", *(f"nnx_codemod.{name}" for name in find_packages(exclude=OUTSIDE))],
    package_data={
        "nnx_codemod": ["py.typed"],
        "nnx_codemod.codemod": ["sample/**/*", "shapes/in_place/**/*"],
    },
)

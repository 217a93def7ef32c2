"""Docstrings of what lost arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod import docstrings
from nnx_codemod.codemod.source import Source


@pytest.mark.parametrize(
    ("docstring", "names", "shorter"),
    [
        (
            '"""A net.\n\n  Args:\n    width: of it.\n    name: of the\n      module.\n  """',
            ["name"],
            '"""A net.\n\n  Args:\n    width: of it.\n  """',
        ),
        (
            '"""A net.\n\n  Args:\n    name: of it.\n\n  Returns:\n    name: a net.\n  """',
            ["name"],
            '"""A net.\n\n  Returns:\n    name: a net.\n  """',
        ),
        ('"""A net.\n\n  Args:\n    name: of it."""', ["name"], '"""A net."""'),
        (
            '"""A net.\n\n    Attributes:\n        train (bool): no.\n        x: y."""',
            ["train"],
            '"""A net.\n\n    Attributes:\n        x: y."""',
        ),
        (
            '"""A net.\n\n  Args:\n    x: y.\n\n      name: inner.\n    name: of it.\n  """',
            ["name"],
            '"""A net.\n\n  Args:\n    x: y.\n\n      name: inner.\n  """',
        ),
        ('"""A net: name: it."""', ["name"], '"""A net: name: it."""'),
        ('"""A net.\n\n  name: it.\n  """', ["name"], '"""A net.\n\n  name: it.\n  """'),
    ],
)
def test_what_is_said_of_arguments_goes(docstring: str, names: list[str], shorter: str) -> None:
    assert docstrings.without(docstring, names) == shorter


BEFORE = '''
class Net(Module):
    """A net.

    Attributes:
        width: of it.
        train: or not.
    """

    width: int
    train: bool

    def __call__(self, x, train):
        """Runs.

        Args:
            x: input.
            train: or not.
        """
        return x

    def other(self, train):
        """Runs.

        Args:
            train: or not.
        """
        return train
'''
AFTER = '''
class Net(Module):
    """A net.

    Attributes:
        width: of it.
        train: or not.
    """

    def __init__(self, width: int):
        self.width = width

    def __call__(self, x):
        """Runs.

        Args:
            x: input.
            train: or not.
        """
        return x

    def other(self, train):
        """Runs.

        Args:
            train: or not.
        """
        return train
'''


def test_only_of_arguments_that_went() -> None:
    path = Path("net.py")
    text = docstrings.like(Source(path, AFTER.encode()), Source(path, BEFORE.encode()))
    gone = AFTER.replace('        train: or not.\n    """', '    """')
    gone = gone.replace(
        "            x: input.\n            train: or not.\n", "            x: input.\n"
    )
    assert text == gone

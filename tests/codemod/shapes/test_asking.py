import jax
import jax.numpy as jnp
import pytest

from nnx_codemod.codemod.shapes import asking
from nnx_codemod.codemod.shapes.asking import Complaint, Method, Slot, ask
from nnx_codemod.codemod.shapes.dims import Symbols, Unexplained
from nnx_codemod.codemod.shapes.values import UNKNOWN, Array, Constant, Items, as_dim


@pytest.fixture
def asked(monkeypatch):
    """How often JAX itself is asked, starting with nothing known."""
    monkeypatch.setattr(asking, "_answers", {})
    count = []
    real = jax.eval_shape
    monkeypatch.setattr(jax, "eval_shape", lambda *a, **k: (count.append(1), real(*a, **k))[1])
    return count


def _symbols(number):
    symbols = Symbols()
    for _ in range(3):
        symbols.unknown("not asked about")
    return [symbols.new(Unexplained("a test")) for _ in range(number)]


def _array(*shape):
    return jax.ShapeDtypeStruct(shape, "float32")


def _texts(value):
    return [str(dim) for dim in value.shape]


def test_calls_that_differ_in_symbols_alone_ask_once(asked):
    a, b, c, d = _symbols(4)
    one = ask(
        jnp.concatenate, [[Slot(0), Slot(1)]], {"axis": -1}, [_array(a, 3, b), _array(a, 3, c)]
    )
    two = ask(
        jnp.concatenate, [[Slot(0), Slot(1)]], {"axis": -1}, [_array(d, 3, c), _array(d, 3, a)]
    )
    assert len(asked) == 1
    assert [str(x - y) for x, y in zip(one.shape, (a, 3, b + c), strict=True)] == ["0"] * 3
    assert [str(x - y) for x, y in zip(two.shape, (d, 3, c + a), strict=True)] == ["0"] * 3


def test_one_symbol_twice_is_another_question_than_two(asked):
    a, b = _symbols(2)
    assert isinstance(
        ask(jnp.matmul, [Slot(0), Slot(1)], {}, [_array(2, a), _array(b, 3)]), Complaint
    )
    same = ask(jnp.matmul, [Slot(0), Slot(1)], {}, [_array(2, a), _array(a, 3)])
    assert same.shape == (2, 3)
    assert len(asked) == 2


def test_a_complaint_speaks_of_the_askers_symbols(asked):
    a, b, c, d = _symbols(4)
    for left, right in ((a, b), (c, d)):
        said = ask(jnp.matmul, [Slot(0), Slot(1)], {}, [_array(2, left), _array(right, 3)])
        assert str(left) in said.text and str(right) in said.text


def test_sizes_come_back_as_often_as_they_are_asked_for(asked):
    (a,) = _symbols(1)
    for _ in range(2):
        told = ask(jnp.shape, [Slot(0)], {}, [_array(a, 4)])
        assert isinstance(told, Items) and str(as_dim(told.items[0])) == str(a)
        assert told.items[1] == Constant(4)


def test_a_symbol_in_a_slice_is_one(asked):
    a, b = _symbols(2)
    take = Method("__getitem__")
    for size in (a, b):
        found = ask(take, [Slot(0), slice(None, size)], {}, [_array(2 * size, 3)])
        assert _texts(found) == [str(size), "3"]
    assert len(asked) == 1


def test_numbers_of_the_machine_are_no_constants():
    assert ask(jax.local_device_count, [], {}, []) is UNKNOWN
    assert ask(jnp.zeros, [(2, 3)], {}, []) == Array((2, 3), "float32")


def test_an_answer_is_each_askers_own(asked):
    first = ask(jnp.split, [Slot(0), 2], {}, [_array(4, 3)])
    first.items.clear()
    assert len(ask(jnp.split, [Slot(0), 2], {}, [_array(4, 3)]).items) == 2

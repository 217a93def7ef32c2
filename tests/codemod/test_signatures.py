import ast

from nnx_codemod.codemod.signatures import defaults, parameters


def _spec(text: str) -> ast.arguments:
    function = ast.parse(f"def f({text}): pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    return function.args


def test_each_parameter_has_its_own_default():
    spec = _spec("self, a, /, b, c=1, *rest, d, e=2, **others")
    found = [
        (p.name, p.default and ast.literal_eval(p.default), p.keyword_only)
        for p in parameters(spec)
    ]
    assert found == [
        ("self", None, False),
        ("a", None, False),
        ("b", None, False),
        ("c", 1, False),
        ("d", None, True),
        ("e", 2, True),
    ]


def test_a_default_of_a_positional_only_parameter_is_not_the_next_ones():
    assert {k: ast.unparse(v) for k, v in defaults(_spec("a=1, /, b=2")).items()} == {
        "a": "1",
        "b": "2",
    }


def test_a_parameter_without_default_is_left_out():
    assert defaults(_spec("a, *, b")) == {}

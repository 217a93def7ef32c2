import ast

from nnx_codemod.codemod.ancestry import class_around, lineage

CODE = """
class Outer:
    class Inner:
        def f(self):
            return 1

def free():
    return 2
"""


def _parents(tree: ast.AST) -> dict[ast.AST, ast.AST]:
    return {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}


def test_the_nearest_class_is_the_one_around():
    tree = ast.parse(CODE)
    parents = _parents(tree)
    one, two = (n for n in ast.walk(tree) if isinstance(n, ast.Return))
    found = {n.value.value: class_around(n, parents) for n in (one, two)}
    assert found[1].name == "Inner" and found[2] is None
    assert class_around(found[1], parents).name == "Outer"


def test_a_lineage_starts_at_the_node_and_ends_at_the_file():
    tree = ast.parse("f(x)")
    name = next(n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == "x")
    kinds = [type(each).__name__ for each in lineage(name, _parents(tree))]
    assert kinds == ["Name", "Call", "Expr", "Module"]

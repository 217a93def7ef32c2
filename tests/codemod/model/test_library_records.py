"""Arguments that are records of a library, and functions that a library calls: what is read in its place says what with."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod.project import IN_PLACE
from nnx_codemod.tests.programs import Rewritten, check, rewritten

PROGRAM = """
import pickle

import haiku as hk
import jax
import jax.numpy as jnp
import jraph


def network(ARGUMENT):
    BODY


def load():
    graph = jraph.GraphsTuple(
        nodes=jnp.arange(12.0).reshape(4, 3) / 12,
        edges=jnp.arange(10.0).reshape(5, 2) / 10,
        receivers=jnp.array([0, 1, 2, 3, 0]),
        senders=jnp.array([1, 2, 3, 0, 2]),
        globals=None,
        n_node=jnp.array([4]),
        n_edge=jnp.array([5]),
    )
    return pickle.loads(pickle.dumps(graph))


graph = load()
net = hk.without_apply_rng(hk.transform(network))
params = net.init(jax.random.PRNGKey(0), graph)
print('RESULT', float(jnp.abs(net.apply(params, graph)).sum()))
"""

READS = """\
nodes = hk.Linear(4)(graph.nodes)
    edges = hk.Linear(5)(graph.edges)
    graph = graph._replace(nodes=nodes, edges=edges)
    gn = jraph.InteractionNetwork(
        update_edge_fn=jraph.concatenated_args(hk.nets.MLP([6, 5])),
        update_node_fn=jraph.concatenated_args(hk.nets.MLP([4])),
        include_sent_messages_in_node_update=True,
    )
    for _ in range(2):
        graph = gn(graph)
    return graph.nodes"""

EMBEDS = """\
embed = jraph.GraphMapFeatures(hk.Linear(5), hk.Linear(4))
    gn = jraph.GraphNetwork(
        update_edge_fn=lambda e, s, r, g: hk_edges(jnp.concatenate([e, s], axis=-1)),
        update_node_fn=lambda n, s, r, g: jnp.tanh(n + r.sum() + s.sum()),
    )
    hk_edges = hk.Linear(3)
    return gn(embed(graph)).nodes"""

WHOLE = """\
gn = jraph.InteractionNetwork(
        update_edge_fn=jraph.concatenated_args(hk.Linear(3)),
        update_node_fn=jraph.concatenated_args(hk.Linear(4)),
    )
    return gn(graph).nodes"""


def program(argument: str, body: str) -> Rewritten:
    library = (IN_PLACE / "jraph.py").read_text()
    text = PROGRAM.replace("ARGUMENT", argument).replace("BODY", body)
    return rewritten({"program.py": text, "jraph.py": library})


@pytest.mark.parametrize(
    ("argument", "body"),
    [("graph", READS), ("graph: jraph.GraphsTuple", READS), ("graph: jraph.GraphsTuple", EMBEDS)],
    ids=["its fields are read", "annotated", "handed on whole"],
)
def test_a_graph_that_no_call_shows(argument: str, body: str, tmp_path: Path) -> None:
    done = program(argument, body)
    assert done.statuses == {"network": "rewritten"}
    check(done, tmp_path)


def test_features_that_may_be_missing_tell_no_size(tmp_path: Path) -> None:
    done = program("graph: jraph.GraphsTuple", WHOLE)
    assert done.statuses == {"network": "kept"}
    check(done, tmp_path)


def test_what_is_not_read_in_its_place_may_be_a_module(tmp_path: Path) -> None:
    done = program("graph", "return jraph.Unheard(hk.Linear(3))(graph.nodes + graph.edges)")
    messages = [d.message for o in done.outcomes.values() for d in o.report.diagnostics]
    assert any("`jraph.Unheard` is not in the tree" in message for message in messages), messages

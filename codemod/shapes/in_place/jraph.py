"""What jraph's functions do with sizes, and with the functions that they are given: read in its place, and never run.

What they hand back calls each function that they were given once.
"""

from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp


class GraphsTuple(NamedTuple):
    nodes: Annotated[jax.Array, "nodes node_features"]
    edges: Annotated[jax.Array, "edges edge_features"] | None
    receivers: Annotated[jax.Array, "edges", "int32"]
    senders: Annotated[jax.Array, "edges", "int32"]
    globals: Annotated[jax.Array, "graphs global_features"] | None
    n_node: Annotated[jax.Array, "graphs", "int32"]
    n_edge: Annotated[jax.Array, "graphs", "int32"]


def segment_sum(data, segment_ids, num_segments=None, indices_are_sorted=False, unique_indices=False):
    return jax.ops.segment_sum(data, segment_ids, num_segments)


segment_mean = segment_sum
segment_max = segment_sum
segment_min = segment_sum


def segment_softmax(logits, segment_ids, num_segments=None, indices_are_sorted=False, unique_indices=False):
    return jax.nn.softmax(logits, axis=0)


def concatenated_args(update=None, *, axis=-1):
    def decorate(function):
        def wrapper(*args, **kwargs):
            parts = jax.tree_util.tree_leaves(args) + jax.tree_util.tree_leaves(kwargs)
            return function(jnp.concatenate(parts, axis=axis))

        return wrapper

    if update:
        return decorate(update)
    return decorate


def GraphNetwork(
    update_edge_fn,
    update_node_fn,
    update_global_fn=None,
    aggregate_edges_for_nodes_fn=segment_sum,
    aggregate_nodes_for_globals_fn=segment_sum,
    aggregate_edges_for_globals_fn=segment_sum,
    attention_logit_fn=None,
    attention_normalize_fn=segment_softmax,
    attention_reduce_fn=None,
):
    def apply(graph):
        nodes, edges, receivers, senders, globals_, n_node, n_edge = graph
        sum_n_node = jax.tree_util.tree_leaves(nodes)[0].shape[0]
        sum_n_edge = senders.shape[0]
        sent = jax.tree_util.tree_map(lambda n: n[senders], nodes)
        received = jax.tree_util.tree_map(lambda n: n[receivers], nodes)
        of_edges = jax.tree_util.tree_map(
            lambda g: jnp.repeat(g, n_edge, axis=0, total_repeat_length=sum_n_edge), globals_
        )
        if update_edge_fn:
            edges = update_edge_fn(edges, sent, received, of_edges)
        if attention_logit_fn:
            logits = attention_logit_fn(edges, sent, received, of_edges)
            weights = jax.tree_util.tree_map(
                lambda w: attention_normalize_fn(w, receivers, sum_n_node), logits
            )
            edges = attention_reduce_fn(edges, weights)
        if update_node_fn:
            sent = jax.tree_util.tree_map(
                lambda e: aggregate_edges_for_nodes_fn(e, senders, sum_n_node), edges
            )
            received = jax.tree_util.tree_map(
                lambda e: aggregate_edges_for_nodes_fn(e, receivers, sum_n_node), edges
            )
            of_nodes = jax.tree_util.tree_map(
                lambda g: jnp.repeat(g, n_node, axis=0, total_repeat_length=sum_n_node), globals_
            )
            nodes = update_node_fn(nodes, sent, received, of_nodes)
        if update_global_fn:
            n_graph = n_node.shape[0]
            graph_idx = jnp.arange(n_graph)
            node_idx = jnp.repeat(graph_idx, n_node, axis=0, total_repeat_length=sum_n_node)
            edge_idx = jnp.repeat(graph_idx, n_edge, axis=0, total_repeat_length=sum_n_edge)
            from_nodes = jax.tree_util.tree_map(
                lambda n: aggregate_nodes_for_globals_fn(n, node_idx, n_graph), nodes
            )
            from_edges = jax.tree_util.tree_map(
                lambda e: aggregate_edges_for_globals_fn(e, edge_idx, n_graph), edges
            )
            globals_ = update_global_fn(from_nodes, from_edges, globals_)
        return GraphsTuple(
            nodes=nodes,
            edges=edges,
            receivers=receivers,
            senders=senders,
            globals=globals_,
            n_node=n_node,
            n_edge=n_edge,
        )

    return apply


def InteractionNetwork(
    update_edge_fn,
    update_node_fn,
    aggregate_edges_for_nodes_fn=segment_sum,
    include_sent_messages_in_node_update=False,
):
    def of_edges(edges, sent, received, globals_):
        return update_edge_fn(edges, sent, received)

    if include_sent_messages_in_node_update:

        def of_nodes(nodes, sent, received, globals_):
            return update_node_fn(nodes, sent, received)

    else:

        def of_nodes(nodes, sent, received, globals_):
            return update_node_fn(nodes, received)

    return GraphNetwork(
        update_edge_fn=of_edges,
        update_node_fn=of_nodes,
        aggregate_edges_for_nodes_fn=aggregate_edges_for_nodes_fn,
    )


def GraphMapFeatures(embed_edge_fn=None, embed_node_fn=None, embed_global_fn=None):
    def apply(graph):
        return graph._replace(
            nodes=embed_node_fn(graph.nodes) if embed_node_fn else graph.nodes,
            edges=embed_edge_fn(graph.edges) if embed_edge_fn else graph.edges,
            globals=embed_global_fn(graph.globals) if embed_global_fn else graph.globals,
        )

    return apply


def RelationNetwork(update_edge_fn, update_global_fn, aggregate_edges_for_globals_fn=segment_sum):
    return GraphNetwork(
        update_edge_fn=lambda e, s, r, g: update_edge_fn(s, r),
        update_node_fn=None,
        update_global_fn=lambda n, e, g: update_global_fn(e),
        aggregate_edges_for_globals_fn=aggregate_edges_for_globals_fn,
    )


def DeepSets(update_node_fn, update_global_fn, aggregate_nodes_for_globals_fn=segment_sum):
    return GraphNetwork(
        update_edge_fn=None,
        update_node_fn=lambda n, s, r, g: update_node_fn(n, g),
        update_global_fn=lambda n, e, g: update_global_fn(n),
        aggregate_nodes_for_globals_fn=aggregate_nodes_for_globals_fn,
    )


def GraphNetGAT(
    update_edge_fn,
    update_node_fn,
    attention_logit_fn,
    attention_reduce_fn,
    update_global_fn=None,
    aggregate_edges_for_nodes_fn=segment_sum,
    aggregate_nodes_for_globals_fn=segment_sum,
    aggregate_edges_for_globals_fn=segment_sum,
):
    return GraphNetwork(
        update_edge_fn=update_edge_fn,
        update_node_fn=update_node_fn,
        attention_logit_fn=attention_logit_fn,
        attention_reduce_fn=attention_reduce_fn,
        update_global_fn=update_global_fn,
        aggregate_edges_for_nodes_fn=aggregate_edges_for_nodes_fn,
        aggregate_nodes_for_globals_fn=aggregate_nodes_for_globals_fn,
        aggregate_edges_for_globals_fn=aggregate_edges_for_globals_fn,
    )


def GAT(attention_query_fn, attention_logit_fn, node_update_fn=None):
    def apply(graph):
        nodes, edges, receivers, senders, _, _, _ = graph
        total = nodes.shape[0]
        nodes = attention_query_fn(nodes)
        sent = nodes[senders]
        logits = attention_logit_fn(sent, nodes[receivers], edges)
        weights = segment_softmax(logits, receivers, total)
        nodes = segment_sum(sent * weights, receivers, total)
        if node_update_fn is None:
            nodes = jnp.reshape(jax.nn.leaky_relu(nodes), (nodes.shape[0], -1))
        else:
            nodes = node_update_fn(nodes)
        return graph._replace(nodes=nodes)

    return apply


def GraphConvolution(
    update_node_fn,
    aggregate_nodes_fn=segment_sum,
    add_self_edges=False,
    symmetric_normalization=True,
):
    def apply(graph):
        nodes, _, receivers, senders, _, _, _ = graph
        nodes = update_node_fn(nodes)
        total = jax.tree_util.tree_leaves(nodes)[0].shape[0]
        nodes = jax.tree_util.tree_map(
            lambda n: aggregate_nodes_fn(n[senders], receivers, total), nodes
        )
        return graph._replace(nodes=nodes)

    return apply

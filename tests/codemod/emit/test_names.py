"""Names for attributes, classes and lists."""

from __future__ import annotations

import pytest

from nnx_codemod.codemod.emit import names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("LayerNorm", "layer_norm"),
        ("MLP", "mlp"),
        ("GRUPolicy", "gru_policy"),
        ("Conv2D", "conv2d"),
        ("Conv2DTranspose", "conv2d_transpose"),
        ("ResNetV2", "res_net_v2"),
        ("VGG16", "vgg16"),
        ("_MyLSTMCell", "my_lstm_cell"),
        ("already_snake", "already_snake"),
        ("Old_Style", "old_style"),
    ],
)
def test_snake(name: str, expected: str) -> None:
    assert names.snake(name) == expected


@pytest.mark.parametrize("name", ["MLP", "LayerNorm", "Conv2D", "GRUPolicy", "ResNet50V2", "A1B"])
def test_haikus_own_names(name: str) -> None:
    utils = pytest.importorskip("haiku._src.utils")
    assert names.haiku_name(name) == utils.camel_to_snake(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("net_fn", "Net"),
        ("_critic_fn", "Critic"),
        ("unroll_net", "UnrollNet"),
        ("make_network", "Network"),
        ("get_q_function", "Q"),
        ("network", "Network"),
        ("encoderBlock", "EncoderBlock"),
    ],
)
def test_camel(name: str, expected: str) -> None:
    assert names.camel(name) == expected


def test_names_that_say_nothing() -> None:
    for name in ["forward", "f", "fn", "<lambda>", "_forward_fn", "forward_fn", "_", "_fn", "_f"]:
        assert names.says_nothing(name), name
    for name in ["net_fn", "policy", "unroll_net", "forward_policy"]:
        assert not names.says_nothing(name), name


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("block", "blocks"),
        ("mlp_head", "mlp_heads"),
        ("dense", "denses"),
        ("layer_norm", "layer_norms"),
        ("entry", "entries"),
        ("key", "keys"),
        ("batch", "batches"),
        ("box", "boxes"),
        ("loss", "losses"),
        ("bias", "biases"),
        ("axis", "axes"),
        ("in_axis", "in_axes"),
        ("index", "indices"),
        ("cache", "caches"),
        ("size", "sizes"),
        ("class", "classes"),
        ("count", "counts"),
        ("stage", "stages"),
        ("focus", "focuses"),
        ("gamma", "gammas"),
        ("conv2d", "conv2ds"),
        ("_block", "_blocks"),
    ],
)
def test_plural_and_singular(one: str, many: str) -> None:
    assert names.plural(one) == many
    assert names.singular(many) == one
    assert names.plural(many) == many
    assert names.singular(one) == one


def test_numbered_lists_have_numbered_members() -> None:
    assert names.singular("convs1") == "conv1"
    assert names.singular("class1") == "class1"
    assert names.singular("conv2d") == "conv2d"


def test_stems_of_numbered_names() -> None:
    assert names.stem(["block_", None]) == "blocks"
    assert names.stem(["layers_", None]) == "layers"
    assert names.stem(["conv", None]) == "convs"
    assert names.stem(["encoder_", None, "_proj"]) == "encoder_projs"
    assert names.stem(["stage/", None, "/block_", None]) == "stage_blocks"
    assert names.stem([None]) is None
    assert names.stem(["_", None]) is None
    assert names.stem(["2nd_", None]) is None


def test_numbers() -> None:
    assert names.numbered(["conv", "linear", "conv", "norm"]) == [
        "conv1",
        "linear",
        "conv2",
        "norm",
    ]
    assert names.numbered(["conv2d", "conv2d"]) == ["conv2d_1", "conv2d_2"]
    assert names.numbered(["linear"] * 3, {"linear2"}) == ["linear1", "linear3", "linear4"]
    assert names.numbered([]) == []


def test_names_that_are_taken() -> None:
    assert names.numbered(["dropout"], {"dropout"}) == ["dropout_layer"]
    assert names.numbered(["train", "lambda"]) == ["train_layer", "lambda_layer"]
    assert names.numbered(["norm", "norm_layer"], {"norm"}) == ["norm_layer", "norm_layer_layer"]


def test_reserved_names_are_those_of_nnx() -> None:
    nnx = pytest.importorskip("flax.nnx")
    public = {name for name in dir(nnx.Module) if not name.startswith("_")}
    assert public <= names.RESERVED


def test_kinds_of_variables() -> None:
    assert names.singular_collection("averages") == "Average"
    assert names.singular_collection("counter") == "Counter"
    assert names.singular_collection("counts") == "Count"
    assert names.singular_collection("batch_stats") == "nnx.BatchStat"
    assert names.singular_collection("running_stats") == "RunningStat"
    assert names.singular_collection("my-state/2") == "MyState2"
    assert names.singular_collection("2d") == "State2d"
    assert names.singular_collection("num_updates", state=True) == "NumUpdates"

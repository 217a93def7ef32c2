"""Names that a person would choose: for attributes, classes, lists of layers, kinds of variables."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Collection, Sequence

# What nnx.Module defines and an attribute must not hide.
RESERVED = frozenset(
    [
        "eval",
        "iter_children",
        "iter_modules",
        "perturb",
        "set_attributes",
        "set_mode",
        "sow",
        "train",
        "view",
    ]
)
COLLECTIONS = {
    "params": "nnx.Param",
    "batch_stats": "nnx.BatchStat",
    "cache": "nnx.Cache",
    "intermediates": "nnx.Intermediate",
    "perturbations": "nnx.Perturbation",
}

_WORD_STARTS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[0-9A-Z])(?=[A-Z][a-z])")
_HAIKU_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?!^)(?=[A-Z][a-z])")
_FUNCTION_SUFFIX = re.compile(r"_(?:fn|func|function)$")
_CLASS_SUFFIX = re.compile(r"_(?:cls|class|def|ctor|layer|module|type|fn|func|factory|builder)$")
_VERB = re.compile(r"^(?:make|build|create|get|new|construct)_(?=\w)")
_EMPTY_WORDS = frozenset(
    [
        "apply",
        "body",
        "call",
        "closure",
        "f",
        "fn",
        "forward",
        "forward_pass",
        "func",
        "function",
        "fwd",
        "g",
        "h",
        "impl",
        "inner",
        "lambda",
        "pure",
        "run",
        "transform",
        "transformed",
        "unnamed",
        "wrapped",
        "wrapper",
    ]
)

_IRREGULAR = {
    "analysis": "analyses",
    "axis": "axes",
    "basis": "bases",
    "cache": "caches",
    "child": "children",
    "index": "indices",
    "matrix": "matrices",
    "series": "series",
    "transpose": "transposes",
    "vertex": "vertices",
}
_SINGULARS = {many: one for one, many in _IRREGULAR.items()}
_END_IN_S = re.compile(r"(?:ss|us|is|bias|alias|atlas|canvas|gas|pos|cos|lens)$")


# ---- words ---------------------------------------------------------------------------------------------


def snake(name: str) -> str:
    """A class name as a variable's: `LayerNorm` -> `layer_norm`, `Conv2D` -> `conv2d`, `GRUPolicy` -> `gru_policy`."""
    return re.sub(r"__+", "_", _WORD_STARTS.sub("_", name).lower()).strip("_")


def haiku_name(class_name: str) -> str:
    """The name that Haiku gives a module of a class that is given none: `Conv2D` -> `conv2_d`."""
    return _HAIKU_WORD_STARTS.sub("_", class_name).lower()


def camel(name: str) -> str:
    """A function's name as a class's: `net_fn` -> `Net`, `unroll_net` -> `UnrollNet`, `make_network` -> `Network`."""
    bare = _FUNCTION_SUFFIX.sub("", without_verb(name.strip("_"))).strip("_")
    return "".join(word[:1].upper() + word[1:] for word in bare.split("_"))


def made_by(name: str) -> str:
    """What a variable that holds a class makes: `block_cls` a block."""
    return _CLASS_SUFFIX.sub("", without_verb(name.strip("_"))).strip("_") or name


def without_verb(name: str) -> str:
    """What a factory makes: `make_mlp` -> `mlp`; other names stay."""
    return _VERB.sub("", name)


def says_nothing(name: str) -> bool:
    """Whether a function's name does not tell what it computes (`forward`, `f`, `_forward_fn`, `<lambda>`)."""
    bare = name.strip("_<>")
    return not bare or bare in _EMPTY_WORDS or _FUNCTION_SUFFIX.sub("", bare) in _EMPTY_WORDS


def plural(name: str) -> str:
    """Several of `name`: `mlp_head` -> `mlp_heads`, `entry` -> `entries`; a plural stays as it is."""
    before, word = _last_word(name)
    if word in _SINGULARS or (word.endswith("s") and not _END_IN_S.search(word)):
        return name
    if word in _IRREGULAR:
        return before + _IRREGULAR[word]
    if re.search(r"[^aeiou]y$", word):
        return f"{before}{word[:-1]}ies"
    if re.search(r"(?:s|x|z|ch|sh)$", word):
        return f"{before}{word}es"
    return f"{before}{word}s"


def singular(name: str) -> str:
    """One of `name`: `mlp_heads` -> `mlp_head`, `convs1` -> `conv1`; a singular stays as it is."""
    numbered = re.fullmatch(r"(.*[a-z])(\d+)", name)
    if numbered is not None:
        return singular(numbered[1]) + numbered[2]
    before, word = _last_word(name)
    if word in _SINGULARS:
        return before + _SINGULARS[word]
    if not word.endswith("s") or len(word) < 3 or _END_IN_S.search(word):
        return name
    if word.endswith("ies") and len(word) > 4:
        return f"{before}{word[:-3]}y"
    stem = word.removesuffix("es")
    if re.search(r"(?:ss|x|zz|ch|sh)$", stem) or (word.endswith("es") and _END_IN_S.search(stem)):
        return before + stem
    return before + word[:-1]


def _last_word(name: str) -> tuple[str, str]:
    before, mark, word = name.rpartition("_")
    return before + mark, word


def stem(parts: Sequence[str | None]) -> str | None:
    """The attribute for modules named by an f-string, given as its texts with None for each value:
    `f"block_{i}"` -> `blocks`. None when the texts make no name."""
    words = [word for part in parts if part for word in re.split(r"\W+|_+", part) if word]
    name = "_".join(words)
    return plural(name) if name.isidentifier() and not keyword.iskeyword(name) else None


# ---- attributes ----------------------------------------------------------------------------------------


def is_free(name: str, taken: Collection[str]) -> bool:
    """Whether a module may have an attribute of this name."""
    return not (name in taken or name in RESERVED or keyword.iskeyword(name))


def numbered(bases: Sequence[str], taken: Collection[str] = ()) -> list[str]:
    """A name for each base, in order: the base itself where it is the only one of its kind, else numbered from 1
    (`linear1`, `linear2`, `conv2d_1`). A base that is taken becomes `<base>_layer`, `blocks` `block_layers`."""
    counts = Counter(bases)
    used = set(taken)
    places: Counter[str] = Counter()
    names: list[str] = []
    for base in bases:
        if counts[base] == 1:
            name = base
            if not is_free(base, used) and singular(base) != base:
                name = f"{singular(base)}_layers"
            while not is_free(name, used):
                name += "_layer"
        else:
            name = _next_number(base, places, used)
        used.add(name)
        names.append(name)
    return names


def _next_number(base: str, places: Counter[str], used: Collection[str]) -> str:
    mark = "_" if re.search(r"\d[a-z]?$", base) else ""
    while True:
        places[base] += 1
        name = f"{base}{mark}{places[base]}"
        if is_free(name, used):
            return name


# ---- kinds of variables --------------------------------------------------------------------------------


def singular_collection(collection: str, state: bool = False) -> str:
    """The Variable class for a collection: `averages` -> `Average`, `batch_stats` -> `nnx.BatchStat`.

    With `state` the name is that of one Haiku state, which is one thing whatever its number: `num_updates` ->
    `NumUpdates`.
    """
    if not state and collection in COLLECTIONS:
        return COLLECTIONS[collection]
    words = re.findall(r"[A-Za-z0-9]+", collection if state else singular(collection))
    name = "".join(word[0].upper() + word[1:] for word in words)
    return name if name.isidentifier() else f"State{name}"

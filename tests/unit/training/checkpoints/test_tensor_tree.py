"""Whatever an optimizer keeps, its tree comes back with the same types, keys and bits."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.checkpoints.tensor_tree import flatten, storable, unflatten

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
TENSORS = st.builds(
    lambda shape, dtype: torch.ones(shape).to(dtype),
    st.lists(st.integers(0, 3), max_size=4),
    st.sampled_from([torch.float32, torch.bfloat16, torch.int64, torch.uint8, torch.bool]),
)
KEYS = st.integers(0, 3) | st.sampled_from(["0", "0_", "1", "step", "a.b", ""])
TREES = st.recursive(
    PLAIN | TENSORS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)


def shape_of(tree):
    """The tree with each tensor as what tells it from others."""
    if isinstance(tree, torch.Tensor):
        return ("tensor", tree.dtype, tuple(tree.shape), tree.tolist())
    if isinstance(tree, dict):
        return ("dict", [(type(key), key, shape_of(item)) for key, item in tree.items()])
    if isinstance(tree, list | tuple):
        return (type(tree), [shape_of(item) for item in tree])
    return (type(tree), tree)


@settings(deadline=None)
@given(tree=TREES)
def test_a_tree_comes_back_from_json_and_flat_tensors(tree):
    tensors = {}
    text = json.dumps(flatten(tree, "part", tensors), allow_nan=False)
    assert shape_of(unflatten(json.loads(text), storable(tensors))) == shape_of(tree)


@settings(deadline=None)
@given(tree=TREES)
def test_stored_tensors_share_no_memory(tree):
    tensors = {}
    flatten([tree, tree], "part", tensors)
    stored = storable(tensors)
    places = [item.data_ptr() for item in stored.values() if item.numel()]
    assert len(set(places)) == len(places)
    assert all(item.is_contiguous() for item in stored.values())


@pytest.mark.parametrize(
    "node",
    [
        None,
        3,
        [],
        {},
        {"value": []},
        {"value": {}},
        {"tensor": "absent"},
        {"tensor": 3},
        {"list": {}},
        {"dict": [["key"]]},
        {"dict": [[[], {"value": 1}]]},
        {"dict": {"key": {"value": 1}}},
        {"value": 1, "list": []},
        {"surprise": 1},
    ],
    ids=str,
)
def test_what_is_no_tree_is_refused(node):
    with pytest.raises(ValueError, match="damaged"):
        unflatten(node, {})

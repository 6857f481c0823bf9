"""Keras's small tools."""
import numpy as np
import pytest

from symk.utils import generic_utils as tools


def test_lists_and_single_things():
    assert tools.to_list(3) == [3] and tools.to_list([3]) == [3]
    assert tools.to_list((1, 2)) == [(1, 2)] and tools.to_list((1, 2), allow_tuple=True) == [1, 2]
    assert tools.unpack_singleton([5]) == 5 and tools.unpack_singleton([5, 6]) == [5, 6]
    assert tools.is_all_none([None, None]) and tools.is_all_none(None)
    assert not tools.is_all_none([None, 0])


def test_slices_of_arrays():
    a, b = np.arange(5), np.arange(10).reshape(5, 2)
    assert tools.slice_arrays(a, 1, 3).tolist() == [1, 2]
    first, second, nothing = tools.slice_arrays([a, b, None], np.array([4, 0]))
    assert first.tolist() == [4, 0] and second.tolist() == [[8, 9], [0, 1]] and nothing is None
    assert tools.slice_arrays(None) == [None]
    with pytest.raises(ValueError, match="stop must be None"):
        tools.slice_arrays(a, [0, 1], 2)


def test_shapes_in_both_formats():
    assert tools.transpose_shape((1, 2, 3, 4), "channels_first", (1, 2)) == (1, 4, 2, 3)
    assert tools.transpose_shape((1, 2, 3, 4), "channels_last", (1, 2)) == (1, 2, 3, 4)
    with pytest.raises(ValueError, match="'weird' was given"):
        tools.transpose_shape((1, 2), "weird", (1,))


def test_unexpected_keys_are_named():
    tools.check_for_unexpected_keys("config", {"a": 1}, ["a", "b"])
    with pytest.raises(ValueError, match=r"\['c'\] were given"):
        tools.check_for_unexpected_keys("config", {"a": 1, "c": 2}, ["a", "b"])


def test_lists_have_an_identity():
    a, b = object(), object()
    assert tools.object_list_uid([a, b]) == tools.object_list_uid([a, b])
    assert tools.object_list_uid([a, b]) != tools.object_list_uid([b, a])


def test_objects_by_name():
    def double(x):
        return 2 * x
    assert tools.deserialize_keras_object("double", {"double": double}) is double
    assert tools.serialize_keras_object(double) == "double"
    with tools.custom_object_scope({"double": double}):
        assert tools.get_custom_objects() == {"double": double}
        assert tools.deserialize_keras_object("double") is double
    assert tools.has_arg(double, "x") and not tools.has_arg(double, "y")

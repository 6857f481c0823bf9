"""The garbage collector is as it was after it has been held, also after an error."""
import gc

import numpy as np
import pytest

from symk import backend as K
from symk.graph import Shared
from symk.graph.collection import without_collection


@without_collection
def fail():
    assert not gc.isenabled()
    1 / 0


def test_the_collector_is_as_it_was():
    for running in (True, False):
        (gc.enable if running else gc.disable)()
        try:
            with pytest.raises(ZeroDivisionError):
                fail()
            assert gc.isenabled() == running
        finally:
            gc.enable()


def test_a_repeated_number_is_a_value_like_any_other():
    base = np.zeros(())
    shared = Shared(np.broadcast_to(base, (3, 4)))
    base[...] = 5
    assert not shared.get_value().any()
    value = shared.get_value()
    assert value.flags.c_contiguous and value.flags.writeable
    shared.set_value(np.arange(12.0).reshape(3, 4))
    np.testing.assert_array_equal(shared.get_value(), np.arange(12.0).reshape(3, 4))


def test_nodes_keep_the_line_of_the_user():
    x = K.placeholder((2, 3))
    gradient, = K.gradients(K.sum(K.square(x)), [x])
    assert gradient.origin.file == __file__


@pytest.mark.parametrize("number", [0.0, -0.0, 1.5])
def test_repeated_numbers_reach_the_runtime(number):
    shared = Shared(np.broadcast_to(np.float32(number), (2, 3)))
    read = K.function([], [K.identity(shared) * 1.0])
    value, = read([])
    assert value.tobytes() == np.full((2, 3), number, "float32").tobytes()
    assert shared.get_value().tobytes() == value.tobytes()


def test_zeros_of_an_optimizer_take_no_memory_before_they_are_used():
    variable = K.zeros((1 << 20, 1 << 10))   # four gigabytes
    assert variable.storage.peek().strides == (0, 0)

"""Variables, placeholders, functions, updates and gradients of K."""
import numpy as np
import pytest

from symk import backend as K
from symk.graph import DtypeError, GraphError, ShapeError


def test_variable_takes_floatx_whatever_the_value_is():
    assert K.dtype(K.variable([1, 2])) == "float32"
    assert K.dtype(K.variable(np.ones(2, "float64"))) == "float32"
    assert K.dtype(K.variable([1, 2], dtype="int64")) == "int64"
    K.set_floatx("float64")
    assert K.dtype(K.variable(1.0)) == "float64"


def test_variable_can_start_from_a_tensor():
    v = K.variable(K.constant([1.0, 2.0]) * 3.0)
    np.testing.assert_array_equal(K.get_value(v), [3.0, 6.0])


def test_names_are_scoped_as_on_tensorflow():
    with K.name_scope("dense_1"):
        v = K.variable(0.0, name="kernel")
        with K.name_scope("inner"):
            w = K.variable(0.0, name="bias")
    assert v.name == "dense_1/kernel:0"
    assert w.name == "dense_1/inner/bias:0"
    assert K.variable(0.0, name="alone").name == "alone:0"


def test_sparse_values_are_refused_where_a_dense_one_is_needed():
    class Matrix:
        def tocoo(self):
            return self
    with pytest.raises(DtypeError, match="a dense value is required"):
        K.constant(Matrix())
    with pytest.raises(DtypeError, match="a dense value is required"):
        K.set_value(K.zeros((2,)), Matrix())


def test_placeholder_needs_a_rank():
    assert K.int_shape(K.placeholder(ndim=2)) == (None, None)
    sizes = K.placeholder((None, 3)).get_shape()
    assert (sizes, sizes.as_list(), sizes.ndims, sizes[-1]) == ((None, 3), [None, 3], 2, 3)
    assert K.int_shape(K.placeholder((None, 3))) == (None, 3)
    with pytest.raises(ShapeError, match="the number of axes must be known"):
        K.placeholder()


def test_constant_fills_a_shape():
    np.testing.assert_array_equal(K.eval(K.constant(2.5, shape=(2, 2))), np.full((2, 2), 2.5))
    np.testing.assert_array_equal(K.eval(K.constant([1, 2, 3, 4], shape=(2, 2))), [[1, 2], [3, 4]])
    assert K.dtype(K.constant([1, 2])) == "float32"


def test_zeros_and_ones_are_variables_unless_the_shape_is_symbolic():
    assert K.is_variable(K.zeros((2, 3)))
    x = K.placeholder((None, 2))
    f = K.function([x], [K.ones(K.shape(x)), K.zeros_like(x), K.ones_like(x, dtype="int32")])
    ones, zeros, integers = f([np.full((3, 2), 7.0)])
    np.testing.assert_array_equal(ones, np.ones((3, 2)))
    np.testing.assert_array_equal(zeros, np.zeros((3, 2)))
    assert integers.dtype == "int32" and integers.sum() == 6


def test_eye_of_a_size_or_of_rows_and_columns():
    np.testing.assert_array_equal(K.get_value(K.eye(3)), np.eye(3))
    np.testing.assert_array_equal(K.get_value(K.eye((2, 3))), np.eye(2, 3))


def test_what_a_tensor_is():
    x, v = K.placeholder((2,)), K.variable(1.0)
    assert [K.is_tensor(t) for t in (x, v, x + 1.0, np.ones(2))] == [True, True, True, False]
    assert [K.is_placeholder(t) for t in (x, v, x + 1.0)] == [True, False, False]
    assert [K.is_variable(t) for t in (x, v, x + 1.0)] == [False, True, False]
    assert not K.is_keras_tensor(x) and not K.is_sparse(x)
    with pytest.raises(ValueError, match="a symbolic tensor is required"):
        K.is_keras_tensor(np.ones(2))


def test_shape_ndim_size_and_count():
    x = K.placeholder((None, 3, 4))
    assert K.int_shape(x) == (None, 3, 4) and K.ndim(x) == 3
    shape, size = K.function([x], [K.shape(x), K.size(x)])([np.zeros((2, 3, 4))])
    assert shape.tolist() == [2, 3, 4] and size == 24
    assert K.count_params(K.zeros((3, 5))) == 15
    with pytest.raises(ShapeError, match="all sizes must be known"):
        K.count_params(x)


def test_values_are_copies():
    v = K.variable([1.0, 2.0])
    K.get_value(v)[0] = 9.0
    np.testing.assert_array_equal(K.get_value(v), [1.0, 2.0])
    given = np.array([3.0, 4.0], "float32")
    K.set_value(v, given)
    given[0] = 9.0
    np.testing.assert_array_equal(K.get_value(v), [3.0, 4.0])


def test_batch_get_and_set():
    a, b = K.variable([1.0]), K.variable([[2.0]])
    K.batch_set_value([(a, [5.0]), (b, [[6.0]])])
    assert [v.tolist() for v in K.batch_get_value([a, b])] == [[5.0], [[6.0]]]
    with pytest.raises(ShapeError, match="the shape must stay"):
        K.set_value(a, [1.0, 2.0])
    with pytest.raises(GraphError, match="a variable is required"):
        K.set_value(K.placeholder((1,)), [1.0])


def test_updates_read_old_values():
    a, b = K.variable(1.0), K.variable(10.0)
    x = K.placeholder(())
    f = K.function([x], [a + b], updates=[K.update(a, b), K.update_add(b, a * x)])
    assert f([2.0])[0] == 11.0
    assert K.get_value(a) == 10.0 and K.get_value(b) == 12.0


def test_update_sub_and_moving_average():
    a, b = K.variable([4.0, 8.0]), K.variable([4.0, 8.0])
    f = K.function([], [], updates=[K.update_sub(a, 1.0),
                                    K.moving_average_update(b, K.constant([0.0, 0.0]), 0.75)])
    assert f([]) == []
    np.testing.assert_array_equal(K.get_value(a), [3.0, 7.0])
    np.testing.assert_array_equal(K.get_value(b), [3.0, 6.0])


def test_updates_that_do_not_fit_are_refused():
    v, n = K.variable([1.0, 2.0]), K.variable(0, dtype="int32")
    with pytest.raises(ShapeError, match="must keep its type"):
        K.update(v, K.constant([1.0, 2.0, 3.0]))
    with pytest.raises(DtypeError, match="cannot take a value of float32"):
        K.update(n, K.constant(1.5))
    with pytest.raises(GraphError, match="a variable is required"):
        K.update(v + 1.0, v)


def test_function_takes_and_gives_lists():
    x = K.placeholder((None,))
    f = K.function([x], [x * 2.0, K.sum(x)])
    doubled, total = f([[1.0, 2.0]])
    assert doubled.tolist() == [2.0, 4.0] and total == 3.0
    with pytest.raises(TypeError, match="must be in a list"):
        f(np.ones(2))
    with pytest.raises(TypeError, match="outputs must be a list"):
        K.function([x], x)
    with pytest.raises(TypeError, match="each input must be a placeholder"):
        K.function([x + 1.0], [x])


def test_function_runs_for_every_batch_size():
    x = K.placeholder((None, 2))
    f = K.function([x], [K.sum(x, axis=0), K.square(x)])
    for batch in (1, 5, 3, 0):
        total, squares = f([np.full((batch, 2), 2.0)])
        assert total.tolist() == [2.0 * batch] * 2 and squares.shape == (batch, 2)


def test_function_without_the_phase_is_testing():
    x = K.placeholder((2,))
    y = K.in_train_phase(x * 2.0, x)
    assert K.function([x], [y])([[1.0, 1.0]])[0].tolist() == [1.0, 1.0]
    f = K.function([x, K.learning_phase()], [y])
    assert f([[1.0, 1.0], 1])[0].tolist() == [2.0, 2.0]
    assert f([[1.0, 1.0], 0])[0].tolist() == [1.0, 1.0]


def test_gradients_are_none_where_not_connected():
    x, y = K.variable([1.0, 2.0]), K.variable(3.0)
    gradient, missing = K.gradients(K.sum(K.square(x)), [x, y])
    assert missing is None
    np.testing.assert_array_equal(K.eval(gradient), [2.0, 4.0])


def test_stop_gradient_of_one_and_of_many():
    x = K.variable([1.0, 2.0])
    one = K.stop_gradient(x)
    many = K.stop_gradient([x, x])
    loss = K.sum(x * one * many[0] * many[1])
    np.testing.assert_array_equal(K.eval(K.gradients(loss, x)[0]), [1.0, 8.0])


def test_identity_keeps_the_value_and_takes_a_name():
    x = K.variable([1.0])
    assert K.identity(x, name="same").name == "same"
    assert K.eval(K.identity(x)).tolist() == [1.0]


def test_settings_are_checked():
    for function, value in ((K.set_floatx, "int8"), (K.set_image_data_format, "hwc"),
                            (K.set_learning_phase, 2)):
        with pytest.raises(ValueError, match="is required|must be"):
            function(value)
    K.set_epsilon(1e-3)
    assert K.epsilon() == 1e-3
    assert K.cast_to_floatx([1, 2]).dtype == "float32"
    assert K.backend() == "tensorflow"


def test_data_format_none_is_the_setting():
    assert K.normalize_data_format(None) == "channels_last"
    K.set_image_data_format("channels_first")
    assert K.normalize_data_format(None) == "channels_first"
    assert K.normalize_data_format("Channels_Last") == "channels_last"


def test_uids_count_by_prefix_until_cleared():
    K.reset_uids()
    assert [K.get_uid("a"), K.get_uid("a"), K.get_uid("b")] == [1, 2, 1]
    K.clear_session()
    assert K.get_uid("a") == 1


@pytest.mark.parametrize("value", ["abc", None, [[1, 2], [3]], 1j])
def test_values_that_are_no_numbers_are_refused(value):
    with pytest.raises(DtypeError, match="a number or an array of numbers is required"):
        K.variable(value)
    with pytest.raises(DtypeError, match="a number or an array of numbers is required"):
        K.constant(value)
    with pytest.raises(DtypeError, match="a number or an array of numbers is required"):
        K.set_value(K.variable(0.0), value)


def test_integers_keep_whole_numbers_only():
    n = K.variable([1.0, 2.0], dtype="int32")
    K.set_value(n, [3.0, 4.0])
    assert K.get_value(n).tolist() == [3, 4]
    for value in (0.5, np.inf, np.nan, 2.0 ** 40, 2 ** 40):
        with pytest.raises(DtypeError, match="whole numbers that int32 holds are required"):
            K.set_value(n, [value, 1.0])
        for make in (K.variable, K.constant):
            with pytest.raises(DtypeError, match="whole numbers that int32 holds are required"):
                make(value, dtype=np.int32)


def test_arrays_adapt_to_the_tensor_they_meet():
    x, wide = K.placeholder((2, 3)), np.ones((3, 3))
    assert wide.dtype == "float64"
    for result in (K.dot(x, wide), K.bias_add(x, np.ones(3)), K.switch(x, x, np.ones((2, 3))),
                   K.batch_dot(x, np.ones((2, 3, 4)), axes=1), K.concatenate([x, np.ones((2, 1))]),
                   K.normalize_batch_in_training(x, np.ones(3), np.ones(3), [0])[0],
                   K.batch_normalization(x, *np.ones((4, 3))), K.maximum(x, np.ones(3)),
                   K.conv1d(K.placeholder((1, 4, 3)), np.ones((2, 3, 1)))):
        assert K.dtype(result) == "float32"


def test_gradients_need_tensors():
    v = K.variable(1.0)
    for loss, variables in ((None, [v]), (5, [v]), (v, [v, 3])):
        with pytest.raises(GraphError, match="must be symbolic tensors"):
            K.gradients(loss, variables)


@pytest.mark.parametrize("shape", [(2, "a"), (2, 1.5)])
def test_sizes_of_a_placeholder_are_integers(shape):
    with pytest.raises(ShapeError, match="a size must be an integer, or None"):
        K.placeholder(shape)

"""Values that meet tensors: dtypes adapt, nothing is cut or wrapped in silence."""
import numpy as np
import pytest

from symk import ops
from symk.config import settings
from symk.graph import DtypeError, Placeholder, ShapeError, dims
from symk.graph.reference import evaluate


def tensor(dtype, *shape):
    return Placeholder(dtype, shape)


@pytest.mark.parametrize("value, dtype", [
    (1.5, "float32"), (3, "int32"), (2 ** 40, "int64"), (True, "bool"), ([1.0, 2.0], "float32"),
    ([], "float32"), (np.float64(1), "float64"), (np.arange(3), "int64"), (np.uint8(3), "uint8"),
    ([[1, 2], [3, 4]], "int32")])
def test_a_constant_takes_a_dtype(value, dtype):
    assert ops.constant(value).dtype == dtype
    assert ops.as_variable(value).dtype == dtype


def test_python_floats_take_floatx():
    settings.floatx = "float64"
    assert ops.constant(1.5).dtype == "float64"
    assert (tensor("int32") + 1.5).dtype == "float64"


@pytest.mark.parametrize("dtype, value, result", [
    ("float32", 2, "float32"), ("float32", 2.5, "float32"), ("float16", np.arange(3.0), "float16"),
    ("float32", np.arange(3), "float32"), ("int8", 2, "int8"), ("int8", np.arange(3), "int8"),
    ("int32", 2.5, "float32"), ("bool", 2, "int32"), ("bool", 2.5, "float32"),
    ("uint8", True, "uint8"), ("float64", np.float32(2), "float64")])
def test_a_value_adapts_to_a_tensor(dtype, value, result):
    x = tensor(dtype, 3)
    assert ops.add(x, value).dtype == result and ops.add(value, x).dtype == result


def test_a_value_that_does_not_fit_is_refused():
    for value in (300, -1, np.array([0, 256])):
        with pytest.raises(DtypeError, match="uint8 holds 0..255"):
            tensor("uint8") + value


@pytest.mark.parametrize("value", ["a", None, object(), 1j, [[1], "b"], np.array(["x"])])
def test_what_is_no_number_is_refused(value):
    with pytest.raises((DtypeError, ValueError)):
        ops.as_variable(value)


def test_a_size_becomes_a_tensor():
    x = tensor("float32", None, 3)
    y = ops.sum(x, 0) / x.shape[0]
    assert y.dtype == "float32"
    assert evaluate([y], {x: np.ones((4, 3))})[0].tolist() == [1, 1, 1]
    assert isinstance(x.shape[0], dims.Dim)


def test_integers_divide_to_floats():
    x = tensor("int32", 3)
    assert (x / 2).dtype == "float32" and (x // 2).dtype == "int32"
    assert evaluate([x / 2], {x: np.array([1, 2, 3])})[0].tolist() == [0.5, 1.0, 1.5]


def test_functions_of_floats_take_integers():
    assert ops.exp(tensor("int64", 3)).dtype == "float32"
    assert ops.exp(2).dtype == "float32"
    assert ops.mean(tensor("bool", 3)).dtype == "float32"
    assert ops.sum(tensor("bool", 3)).dtype == "int64"
    assert ops.logical_not(tensor("float32", 3)).dtype == "bool"


def test_booleans_have_no_arithmetic():
    with pytest.raises(DtypeError, match=r"\[add\] the dtype must be one of .* is \(3,\) bool"):
        tensor("bool", 3) + tensor("bool", 3)


def test_a_cast_to_the_same_dtype_is_nothing():
    x = tensor("float32", 3)
    assert ops.cast(x, "float32") is x and ops.cast(x, np.float32) is x


def test_integer_division_by_zero_is_zero():
    x = tensor("int32", 4)
    values = {x: np.array([1, -1, 0, 7], "int32")}
    assert evaluate([x // 0], values)[0].tolist() == [0, 0, 0, 0]
    assert evaluate([x % 0], values)[0].tolist() == [0, 0, 0, 0]


def test_integer_powers_may_be_negative():
    x = tensor("int32", 5)
    result, = evaluate([x ** -1], {x: np.array([1, -1, 0, 2, -3], "int32")})
    assert result.tolist() == [1, -1, 0, 0, 0]


def test_a_list_of_tensors_and_numbers_is_stacked():
    a, b, x = ops.constant([1.0, 2.0]), ops.constant([3.0, 5.0]), tensor("float32", None, 2)
    found = evaluate([ops.mean([ops.sum(a), ops.sum(b)]), [b, a] - a,
                      ops.maximum(a, [ops.sum(a), 0]), ops.sum([[a, b], [b, a]], 1),
                      ops.mean([x, 2 * x], 0)], {x: np.float32([[1, 2]])})
    expected = [5.5, [[2, 3], [0, 0]], [3, 2], [[4, 7], [4, 7]], [[1.5, 3.0]]]
    for one, wanted in zip(found, expected):
        np.testing.assert_allclose(one, wanted)
    with pytest.raises(ShapeError, match="stack"):
        ops.sum([a, ops.sum(b)])


def test_axes_may_be_an_array():
    x = tensor("float32", 2, 3, 4)
    for axes in (np.arange(1, 3), range(1, 3), np.array([2, 1], "int32")):
        assert ops.sum(x, axes).shape == (2,)
    assert ops.sum(x, np.array(1)).shape == (2, 4)
    with pytest.raises(ShapeError, match="axis"):
        ops.sum(x, np.array([1.5]))

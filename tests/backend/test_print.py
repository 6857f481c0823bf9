"""print_tensor prints when its value is computed: once, and whatever the optimiser knows of it."""
import numpy as np
import pytest

from symk import backend as K


def printed(capfd, tensors, inputs=(), arrays=()):
    K.function(list(inputs), tensors)(list(arrays))
    return capfd.readouterr().out


@pytest.mark.parametrize("value, text", [
    (np.float32([[0.1, 2], [np.inf, -1e-30]]), "[[0.1 2]\n [inf -1e-30]]"),
    (np.float64([1 / 3, 1e100, np.nan]), "[0.3333333333333333 1e+100 nan]"),
    (np.arange(8, dtype="int64").reshape(2, 2, 2), "[[[0 1]\n  [2 3]]\n\n [[4 5]\n  [6 7]]]"),
    (np.uint8([255]), "[255]"), (np.array([True, False]), "[true false]"),
    (np.float32(-0.0), "-0"), (np.float16([0.1]), None), (np.zeros((2, 0), "int32"), "[[]\n []]")])
def test_elements_are_printed_in_full(value, text, capfd):
    x = K.placeholder(value.shape, dtype=value.dtype.name)
    y = K.print_tensor(x, "x is")
    assert K.dtype(y) == value.dtype.name
    out = printed(capfd, [y], [x], [value])
    assert out == "x is %s\n" % text or text is None and out.startswith("x is [0.")


def test_a_message_is_printed_as_it_stands(capfd):
    assert printed(capfd, [K.print_tensor(K.constant(1.0), "100 %s\n\t")]) == "100 %s\n\t 1\n"
    assert printed(capfd, [K.print_tensor(K.constant(1.0))]) == "1\n"


def test_long_tensors_are_printed_in_full(capfd):
    out = printed(capfd, [K.print_tensor(K.constant(np.arange(10000), "int32"))])
    assert out == "[%s]\n" % " ".join(map(str, range(10000)))


def test_constants_and_equal_prints_are_printed_each(capfd):
    x = K.constant(2.0)
    total = K.print_tensor(x, "a") + K.print_tensor(x, "a") + K.print_tensor(x * 2, "b")
    assert sorted(printed(capfd, [total]).split("\n")) == ["", "a 2", "a 2", "b 4"]


def test_what_is_used_twice_is_printed_once(capfd):
    x = K.placeholder((3,))
    y = K.print_tensor(K.square(x), "y")
    loss = K.sum(y * y)
    out = printed(capfd, [loss] + K.gradients(loss, [x]), [x], [np.ones(3)])
    assert out == "y [1 1 1]\n"


def test_what_is_not_used_is_not_printed(capfd):
    x = K.placeholder((3,))
    K.print_tensor(x)
    assert printed(capfd, [x * 2], [x], [np.ones(3)]) == ""


def test_a_gradient_passes_unchanged():
    x = K.variable([1.0, 2.0])
    gradient, = K.gradients(K.sum(K.print_tensor(x * 3.0) * 2.0), [x])
    assert K.eval(gradient).tolist() == [6.0, 6.0]

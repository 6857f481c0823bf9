"""A function that looks for NaN stops at the first, in both modes, and says where it came from."""
import subprocess
import sys

import numpy as np
import pytest

from symk import backend as K
from symk import ops
from symk.autodiff import grad
from symk.compile import function
from symk.config import settings
from symk.graph import NotFiniteError, Placeholder, Shared, layer_scope
from symk.layers import Dense, Lambda
from symk.models import Sequential

MODES = pytest.mark.parametrize("mode", ["native", "reference"])


def placeholder(*shape, dtype="float32"):
    return Placeholder(dtype, shape, name="x")


def logarithm(x):
    with layer_scope("log_1", "Logarithm"):
        return ops.log(x * 2.0 - 1.0)


@MODES
def test_the_op_the_layer_and_the_line_are_named(mode):
    x = placeholder(None, 3)
    f = function([x], ops.sum(ops.exp(logarithm(x))), check_nan=True, mode=mode)
    assert np.isfinite(f(np.ones((2, 3))))
    with pytest.raises(NotFiniteError) as raised:
        f(np.array([[1, 1, 1], [1, 0.25, 3]]))
    message = str(raised.value)
    assert message.startswith('in layer "log_1" (Logarithm), ') and "test_finite.py:" in message
    assert message.endswith("[log] a finite result is required; nan came out at position 4 of "
                            "(2, 3) float32. The operands were (2, 3) float32 from -0.5 to 5.")


@MODES
def test_an_infinity_is_found_too(mode):
    x = placeholder(2)
    f = function([x], ops.exp(x), check_nan=True, mode=mode)
    with pytest.raises(NotFiniteError, match=r"\[exp\] .* inf came out at position 1 of"):
        f(np.array([1.0, 1000.0]))


@MODES
def test_values_from_outside_are_blamed_themselves(mode):
    x, w = placeholder(3), Shared(np.array([1.0, 1.0, np.inf], "float32"), name="w")
    f = function([x], ops.exp(x) + w, check_nan=True, mode=mode)
    with pytest.raises(NotFiniteError, match=r"\[input x\] a finite value is required by exp; nan "
                                             r"came out at position 1 of \(3,\) float32"):
        f(np.array([0, np.nan, 0]))
    with pytest.raises(NotFiniteError, match=r"\[shared w\] a finite value is required by add"):
        f(np.zeros(3))


@MODES
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_every_float_is_looked_at(dtype, mode):
    x = placeholder(5, dtype=dtype)
    f = function([x], ops.reciprocal(x), check_nan=True, mode=mode)
    assert f(np.ones(5)).tolist() == [1] * 5
    with pytest.raises(NotFiniteError, match="inf came out at position 3"):
        f(np.array([1, 2, -3, 0, 5], dtype))


@MODES
def test_what_is_left_out_by_where_is_not_looked_at(mode):
    x = placeholder(3)
    f = function([x], ops.where(ops.isnan(x), 0.0, x), check_nan=True, mode=mode)
    assert f(np.array([1, np.nan, 2])).tolist() == [1, 0, 2]


@MODES
def test_nothing_is_updated_by_a_call_that_fails(mode):
    x = placeholder(2)
    weights = [Shared(np.ones(2, "float32"), name=name) for name in "ab"]
    loss = ops.sum(ops.sqrt(x) * weights[0] + weights[1])
    updates = [(w, w - 0.5 * g) for w, g in zip(weights, grad(loss, weights))]
    step = function([x], [loss], updates=updates, check_nan=True, mode=mode)
    for bad in (np.array([-1, 1]), np.array([np.nan, 1])):
        with pytest.raises(NotFiniteError):
            step.run([bad])
        assert all(w.get_value().tolist() == [1, 1] for w in weights)
    step.run([np.array([4, 16])])
    assert weights[0].get_value().tolist() == [0, -1]
    assert weights[1].get_value().tolist() == [0.5, 0.5]


def test_steps_of_loops_and_branches_are_looked_at():
    x = placeholder(4)
    (total,), _ = ops.scan(lambda rows, states: ([states[0] + ops.log(rows[0])], []), [x],
                           [ops.constant(0.0, "float32")])
    f = function([x], total, check_nan=True)
    assert np.isfinite(f(np.ones(4)))
    with pytest.raises(NotFiniteError, match=r"\[log\] .* -inf came out"):
        f(np.array([1, 1, 0, 1]))


def test_every_op_is_a_step_of_its_own():
    x = placeholder(2)
    y = ops.exp(ops.sin(x) * 2.0)
    assert function([x], y).show("plan").count(" -> b") == 1
    assert function([x], y, check_nan=True).show("plan").count(" -> b") == 3


def test_the_setting_is_the_default_and_may_be_overruled():
    x = K.placeholder((2,))
    settings.check_nan = True
    on, off = K.function([x], [K.log(x)]), K.function([x], [K.log(x)], check_nan=False)
    settings.check_nan = False
    with pytest.raises(NotFiniteError):
        on([np.zeros(2)])
    assert np.isinf(off([np.zeros(2)])[0]).all()
    asked = K.function([x], [K.log(x)], check_nan=True)
    with pytest.raises(FloatingPointError):   # the built-in class that it is
        asked([np.zeros(2)])


def test_the_environment_turns_it_on():
    program = ("import numpy as np\nfrom symk import backend as K\nx = K.placeholder((2,))\n"
               "K.function([x], [K.log(x)])([np.zeros(2)])")
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                         env={"SYMK_CHECK_NAN": "1", "PYTHONPATH": ":".join(sys.path)})
    assert run.returncode == 1 and "NotFiniteError: in <string>:4: [log]" in run.stderr


def test_training_a_model_stops_with_its_layer_named():
    settings.check_nan = True
    model = Sequential([Dense(4, input_shape=(3,), name="first"),
                        Lambda(K.log, name="logs"), Dense(1, name="last")])
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.raises(NotFiniteError, match=r'in layer "logs" \(Lambda\), .*\[log\] a finite'):
        model.fit(np.random.standard_normal((64, 3)), np.zeros((64, 1)), verbose=0)
    for value, unchanged in zip(model.get_weights(), before):
        np.testing.assert_array_equal(value, unchanged)

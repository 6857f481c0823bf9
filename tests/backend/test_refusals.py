"""Every K function refuses wrong ranks, shapes, dtypes and axes while building, in one form."""
import inspect
import itertools

import numpy as np
import pytest

from symk import backend as K
from symk.config import settings
from symk.graph import SymkError

SHAPES = [(), (3,), (2, 3), (None, 3, 4), (2, 4, 4, 3), (1, 2, 4, 4, 3)]
DTYPES = ["float32", "int32", "bool"]
# How each parameter is drawn; functions with others (a function, a shape) are not drawn here.
TENSORS = {"x", "y", "a", "tensor", "target", "output", "predictions", "targets", "mean", "var",
           "beta", "gamma", "bias", "kernel", "depthwise_kernel", "pointwise_kernel", "indices",
           "reference", "y_true", "y_pred", "input_length", "label_length", "labels",
           "label_lengths", "inputs", "increment", "decrement", "new_x", "loss"}
NUMBERS = {"axis": (-7, -1, 0, 2, 9), "k": (-1, 2), "n": (-1, 2), "rep": (-1, 2), "axes": (0, 9),
           "num_classes": (-1, 4), "level": (0.5, 1.5), "min_value": (0.0,), "max_value": (1.0,),
           "momentum": (0.9,), "dtype": ("float64", "complex64"), "pool_size": ((2, 2), (0, 2)),
           "height_factor": (2,), "width_factor": (-1,), "depth_factor": (2,),
           "data_format": ("channels_last", "channels_first", "tf_first"), "beam_width": (3,),
           "epsilon": (1e-3,), "pattern": ((0, 1), (0, 0)), "alpha": (0.1,), "noise_shape": (None,),
           "reduction_axes": ((0,), (5,)), "ndim": (2,), "from_logits": (True,)}


@pytest.fixture(autouse=True)
def mode(fixed_state):
    """Hardly anything is run here: one mode is enough."""
    settings.mode = "reference"


def drawable():
    """{name: parameters} of the functions whose required arguments are all known above."""
    found = {}
    for name in K.__all__:
        function = getattr(K, name)
        if inspect.isfunction(function):
            parameters = inspect.signature(function).parameters.values()
            drawn = [p.name for p in parameters if p.default is p.empty or p.name == "axis"]
            if drawn and all(p in TENSORS or p in NUMBERS for p in drawn) and drawn[0] in TENSORS:
                found[name] = drawn
    return found


FUNCTIONS = drawable()


def test_most_functions_are_drawn():
    assert len(FUNCTIONS) > 60, sorted(FUNCTIONS)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_takes_tensors_or_refuses_them_in_the_form(name):
    pool = [K.placeholder(shape, dtype=dtype) for shape, dtype in itertools.product(SHAPES, DTYPES)]
    pool.append(K.placeholder((None, 3), sparse=True))
    random = np.random.RandomState(0)
    for _ in range(60):
        arguments = {p: pool[random.randint(len(pool))] if p in TENSORS
                     else NUMBERS[p][random.randint(len(NUMBERS[p]))] for p in FUNCTIONS[name]}
        try:
            getattr(K, name)(**arguments)
        except (SymkError, ValueError, TypeError) as error:
            assert str(error).startswith("["), (arguments, error)


AXES = sorted(name for name in FUNCTIONS
              if "axis" in inspect.signature(getattr(K, name)).parameters)


@pytest.mark.parametrize("name", AXES)
def test_an_axis_outside_is_refused(name):
    x = K.placeholder((2, 3, 4))
    required = [p for p in inspect.signature(getattr(K, name)).parameters.values()
                if p.default is p.empty and p.name != "axis"]
    given = [2 if p.name in NUMBERS else x for p in required]
    if name in ("concatenate", "stack"):
        given = [[x, x]]
    for axis in (7, -7, 1.5):
        with pytest.raises(SymkError, match="axis"):
            getattr(K, name)(*given, axis=axis)


@pytest.mark.parametrize("call, message", [
    (lambda: K.placeholder(3), "a shape must be a tuple"),
    (lambda: K.placeholder(ndim=2.5), "ndim must be an integer"),
    (lambda: K.zeros((2, -1)), "sizes must not be negative"),
    (lambda: K.eye((2, -3)), "sizes must not be negative"),
    (lambda: K.eye(2.5), "the size must be an integer"),
    (lambda: K.zeros_like(K.zeros((2,)), dtype=np.ones(2)), "a dtype must be one of"),
    (lambda: K.update_add(K.constant(1.0), 1), r"\[update_add\] a variable is required"),
    (lambda: K.update_sub(3, 1), r"\[update_sub\] a variable is required"),
    (lambda: K.moving_average_update(K.zeros(()), 1, "half"), "momentum must be a finite number"),
    (lambda: K.random_normal((2,), mean="x"), "must be a finite number"),
    (lambda: K.random_binomial((2,), p=1.5), "from 0 to 1"),
    (lambda: K.random_uniform((2,), seed=1.5), "a seed must be an integer"),
    (lambda: K.random_normal_variable((2, -1), 0, 1), "sizes must not be negative"),
    (lambda: K.random_normal((2,), mean=K.zeros((3, 2))), "must repeat|broadcast"),
    (lambda: K.arange("x"), "stop must be a finite number"),
    (lambda: K.one_hot(K.constant([1], dtype="int32"), (2, 3)), "one size is required"),
    (lambda: K.repeat_elements(K.zeros((2,)), (1, 2), 0), "one size is required"),
    (lambda: K.in_top_k(K.zeros((2, 3)), K.constant([1, 1], dtype="int32"), 1.5), "k must be an"),
    (lambda: K.batch_normalization(K.zeros((2, 3)), K.zeros((4, 2, 3)), K.ones((3,)), None, None),
     "must fit the tensor"),
    (lambda: K.batch_set_value([K.zeros((2,))]), "pairs"),
    (lambda: K.concatenate(3), "a list is required"),
    (lambda: K.in_train_phase(1, 0, training=np.zeros(2)), "training must be"),
    (lambda: K.dropout(K.zeros((2,)), "half"), "level must be a finite number")])
def test_other_wrong_arguments_are_named(call, message):
    with pytest.raises((SymkError, ValueError), match=message) as raised:
        call()
    assert str(raised.value).startswith("[")


def test_a_normal_distribution_may_depend_on_tensors():
    mean, deviation = K.constant([0.0, 100.0]), K.constant([1.0, 0.0])
    drawn = K.eval(K.random_normal((1000, 2), mean, deviation, seed=3))
    assert drawn.shape == (1000, 2) and (drawn[:, 1] == 100).all()
    assert abs(drawn[:, 0].mean()) < 0.2 and abs(drawn[:, 0].std() - 1) < 0.1

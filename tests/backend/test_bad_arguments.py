"""Each argument of each K function, replaced by what it cannot be: taken, or refused in one form.

For every function a call that is right; in it, one argument after the other becomes each of WRONG.
Nothing may come out but a result, or an error of the classes that users expect whose message says
what is required: no AttributeError, no message of NumPy's or Python's own.
"""
import re

import numpy as np
import pytest

from symk import backend as K
from symk.config import settings
from symk.graph import Placeholder, SymkError, Variable
from symk.graph.walk import sources_of

FORM = re.compile(r"(in [^\[]*: )?\[[^\]]+\] .+", re.S)   # [op] what is required; what was given.
EXPECTED = (SymkError, TypeError, ValueError, IndexError)
# Those that take no argument, or any; and those of TensorFlow, which always refuse.
WITHOUT = {"backend", "clear_session", "epsilon", "floatx", "image_data_format", "learning_phase",
           "legacy_weight_ordering", "reset_uids", "eager", "symbolic", "is_sparse", "is_tensor",
           "get_session", "set_session", "control_dependencies"}
# Whose results are computed too: what they are given is an index, a count or a length.
COMPUTED = {"gather", "one_hot", "in_top_k", "sparse_categorical_crossentropy", "ctc_batch_cost",
            "ctc_decode", "ctc_label_dense_to_sparse", "slice", "repeat", "tile", "arange"}


@pytest.fixture(autouse=True)
def mode(fixed_state):
    """One mode is enough; settings that a call has changed are as before."""
    settings.mode = "native"


def floats(*shape, **options):
    return K.variable(np.random.RandomState(0).uniform(.1, .9, shape), **options)


def integers(*shape):
    return K.variable(np.zeros(shape), dtype="int32")


def given(**arguments):
    return arguments


def right_calls():
    """{function: arguments}."""
    x, row, image = floats(2, 3), floats(3), floats(2, 4, 4, 3)
    sequence, volume, flags = floats(2, 5, 3), floats(2, 3, 3, 3, 2), K.variable(
        np.ones((2, 3)), dtype="bool")
    last, same = "channels_last", "same"
    calls = {name: given(x=x) for name in (
        "abs", "cos", "exp", "hard_sigmoid", "log", "round", "sigmoid", "sign", "sin", "softplus",
        "softsign", "sqrt", "square", "tanh", "identity", "batch_flatten", "flatten", "transpose",
        "shape", "size", "count_params", "int_shape", "ndim", "dtype", "eval", "get_value",
        "is_placeholder", "is_variable", "is_keras_tensor",
        "get_variable_shape")}
    calls.update({name: given(x=x, axis=1, keepdims=True) for name in (
        "all", "any", "max", "min", "mean", "prod", "std", "sum", "var", "logsumexp")})
    calls.update({name: given(x=x, axis=1) for name in (
        "argmax", "argmin", "cumprod", "cumsum", "l2_normalize", "softmax", "expand_dims")})
    calls.update({name: given(x=x, y=x) for name in (
        "equal", "not_equal", "greater", "greater_equal", "less", "less_equal", "lesser",
        "lesser_equal", "maximum", "minimum")})
    calls.update({name: given(shape=(2, 3), dtype="float32", name="made")
                  for name in ("zeros", "ones")})
    calls.update({name: given(x=x, dtype="float32", name="made")
                  for name in ("zeros_like", "ones_like")})
    calls.update({name: given(x=[x, x], axis=0) for name in ("pack", "stack")})
    calls.update({name: given(fn=lambda total, value: total + value, elems=x, initializer=row,
                             name="made") for name in ("foldl", "foldr")})
    calls.update({name: given(inputs=[K.placeholder((2, 3))], outputs=[x], updates=[])
                  for name in ("function", "Function")})
    calls.update({name: given(x=x, alt=x, training=True)
                  for name in ("in_train_phase", "in_test_phase")})
    calls.update(
        arange=given(start=0, stop=5, step=1, dtype="int32"),
        asymmetric_spatial_2d_padding=given(x=image, top_pad=1, bottom_pad=1, left_pad=1,
                                           right_pad=1, dim_ordering="tf"),
        asymmetric_temporal_padding=given(x=sequence, left_pad=1, right_pad=1),
        atrous_conv2d=given(x=image, kernel=floats(2, 2, 3, 5), rate=1, border_mode="valid",
                           dim_ordering="tf"),
        batch_dot=given(x=floats(2, 3, 4), y=floats(2, 4, 5), axes=(2, 1)),
        batch_get_value=given(ops=[row]),
        batch_normalization=given(x=x, mean=row, var=row, beta=row, gamma=row, axis=-1,
                                 epsilon=1e-3),
        batch_set_value=given(tuples=[(floats(2), np.ones(2))]),
        bias_add=given(x=image, bias=row, data_format=last),
        binary_crossentropy=given(target=x, output=x, from_logits=False),
        cast=given(x=x, dtype="int32"),
        cast_to_floatx=given(x=np.ones(3)),
        categorical_crossentropy=given(target=x, output=x, from_logits=False, axis=-1),
        checkpoint=given(what=K.exp(row), inputs=[row]),
        clip=given(x=x, min_value=0.0, max_value=1.0),
        concatenate=given(tensors=[x, x], axis=1),
        constant=given(value=np.ones(2), dtype="float32", shape=(2,), name="made"),
        conv1d=given(x=sequence, kernel=floats(2, 3, 4), strides=1, padding="valid",
                    data_format=last, dilation_rate=1),
        conv2d=given(x=image, kernel=floats(2, 2, 3, 5), strides=(1, 1), padding=same,
                    data_format=last, dilation_rate=(1, 1)),
        conv2d_transpose=given(x=image, kernel=floats(2, 2, 5, 3), output_shape=(2, 4, 4, 5),
                              strides=(1, 1), padding=same, data_format=last,
                              dilation_rate=(1, 1)),
        conv3d=given(x=volume, kernel=floats(2, 2, 2, 2, 3), strides=(1, 1, 1), padding="valid",
                    data_format=last, dilation_rate=(1, 1, 1)),
        conv3d_transpose=given(x=volume, kernel=floats(2, 2, 2, 4, 2), output_shape=(2, 3, 3, 3, 4),
                              strides=(1, 1, 1), padding=same, data_format=last),
        ctc_batch_cost=given(y_true=integers(2, 3), y_pred=K.softmax(floats(2, 8, 5)),
                            input_length=integers(2, 1) + 7, label_length=integers(2, 1) + 2),
        ctc_decode=given(y_pred=K.softmax(floats(2, 8, 5)), input_length=integers(2) + 7,
                        greedy=False, beam_width=3, top_paths=2, merge_repeated=False),
        ctc_label_dense_to_sparse=given(labels=integers(2, 3), label_lengths=integers(2, 1) + 2),
        deconv2d=given(x=image, kernel=floats(2, 2, 3, 3), output_shape=(2, 4, 4, 3),
                      strides=(1, 1), border_mode=same, dim_ordering="tf"),
        depthwise_conv2d=given(x=image, depthwise_kernel=floats(2, 2, 3, 2), strides=(1, 1),
                              padding="valid", data_format=last, dilation_rate=(1, 1)),
        dot=given(x=x, y=floats(3, 4)),
        dropout=given(x=x, level=0.5, noise_shape=(2, 1), seed=1),
        elu=given(x=x, alpha=1.0),
        eye=given(size=3, dtype="float32", name="made"),
        gather=given(reference=x, indices=integers(3)),
        get_uid=given(prefix="made"),
        gradients=given(loss=K.sum(K.square(x)), variables=[x]),
        in_top_k=given(predictions=x, targets=integers(2), k=2),
        local_conv1d=given(inputs=sequence, kernel=floats(4, 6, 5), kernel_size=(2,), strides=(1,),
                          data_format=last),
        local_conv2d=given(inputs=image, kernel=floats(9, 12, 5), kernel_size=(2, 2),
                          strides=(1, 1), output_shape=(3, 3), data_format=last),
        manual_variable_initialization=given(value=False),
        map_fn=given(fn=lambda value: value * 2, elems=x, name="made", dtype="float32"),
        moving_average_update=given(x=x, value=x, momentum=0.9),
        name_scope=given(name="made"), device=given(name="/cpu:0"),
        normalize_batch_in_training=given(x=x, gamma=row, beta=row, reduction_axes=[0],
                                         epsilon=1e-3),
        normalize_data_format=given(value=last),
        normalize_padding=given(value=same),
        one_hot=given(indices=integers(3), num_classes=4),
        pattern_broadcast=given(x=floats(2, 1), broadcastable=(False, True)),
        permute_dimensions=given(x=x, pattern=(1, 0)),
        placeholder=given(shape=(2, None), ndim=2, dtype="float32", sparse=False, name="made"),
        pool2d=given(x=image, pool_size=(2, 2), strides=(1, 1), padding="valid", data_format=last,
                    pool_mode="max"),
        pool3d=given(x=volume, pool_size=(2, 2, 2), strides=(1, 1, 1), padding="valid",
                    data_format=last, pool_mode="avg"),
        pow=given(x=x, a=2),
        print_tensor=given(x=x, message="made"),
        random_binomial=given(shape=(2, 3), p=0.5, dtype="float32", seed=1),
        random_normal=given(shape=(2, 3), mean=0.0, stddev=1.0, dtype="float32", seed=1),
        random_normal_variable=given(shape=(2, 3), mean=0.0, scale=1.0, dtype="float32",
                                    name="made", seed=1),
        random_uniform=given(shape=(2, 3), minval=0.0, maxval=1.0, dtype="float32", seed=1),
        random_uniform_variable=given(shape=(2, 3), low=0.0, high=1.0, dtype="float32", name="made",
                                     seed=1),
        relu=given(x=x, alpha=0.1, max_value=1.0, threshold=0.1),
        repeat=given(x=x, n=2),
        repeat_elements=given(x=x, rep=2, axis=1),
        reshape=given(x=x, shape=(3, -1)),
        resize_images=given(x=image, height_factor=2, width_factor=2, data_format=last,
                           interpolation="bilinear"),
        resize_volumes=given(x=volume, depth_factor=2, height_factor=2, width_factor=2,
                            data_format=last),
        reverse=given(x=x, axes=1),
        rnn=given(step_function=lambda value, states: (value, states), inputs=sequence,
                 initial_states=[x], go_backwards=False, mask=K.variable(np.ones((2, 5))),
                 constants=[], unroll=False, input_length=5),
        separable_conv1d=given(x=sequence, depthwise_kernel=floats(2, 3, 1),
                              pointwise_kernel=floats(1, 3, 4), strides=1, padding="valid",
                              data_format=last, dilation_rate=1),
        separable_conv2d=given(x=image, depthwise_kernel=floats(2, 2, 3, 1),
                              pointwise_kernel=floats(1, 1, 3, 4), strides=(1, 1), padding="valid",
                              data_format=last, dilation_rate=(1, 1)),
        set_epsilon=given(e=1e-7),
        set_floatx=given(floatx="float32"),
        set_image_data_format=given(data_format=last),
        set_learning_phase=given(value=0),
        set_legacy_weight_ordering=given(value=False),
        set_value=given(x=x, value=np.ones((2, 3))),
        slice=given(x=floats(4, 3), start=(1, 0), size=(2, 3)),
        sparse_categorical_crossentropy=given(target=integers(2), output=x, from_logits=False,
                                             axis=-1),
        spatial_2d_padding=given(x=image, padding=((1, 1), (1, 1)), data_format=last),
        spatial_3d_padding=given(x=volume, padding=((1, 1), (1, 1), (1, 1)), data_format=last),
        squeeze=given(x=floats(2, 1), axis=1),
        stop_gradient=given(variables=x),
        switch=given(condition=flags, then_expression=x, else_expression=x),
        temporal_padding=given(x=sequence, padding=(1, 1)),
        tile=given(x=x, n=(1, 2)),
        to_dense=given(tensor=x),
        truncated_normal=given(shape=(2, 3), mean=0.0, stddev=1.0, dtype="float32", seed=1),
        update=given(x=x, new_x=x),
        update_add=given(x=x, increment=x),
        update_sub=given(x=x, decrement=x),
        variable=given(value=np.ones(2), dtype="float32", name="made"),
    )
    return calls


def wrong_values():
    """{what it is: value}: of another kind, rank, shape, size or dtype."""
    return {
        "None": None, "a text": "text", "no text": "", "an object": object(), "bytes": b"x",
        "True": True, "NaN": float("nan"), "infinity": float("inf"), "-1": -1, "0": 0, "1.5": 1.5,
        "2**40": 2 ** 40, "2**70": 2 ** 70, "-2**70": -2 ** 70, "a complex number": 1j,
        "an empty list": [], "an empty tuple": (), "rows of two lengths": [[1, 2], [3]],
        "a tuple of None": (None, None), "a list of texts": ["a", "b"], "a mixture": (1, "a"),
        "negative sizes": (-1, -2), "sizes of 0": (0, 0), "huge sizes": (2 ** 40, 2 ** 40),
        "sizes that wrap": (2 ** 62, 4), "a size of NaN": (float("nan"), 1.0),
        "a broken size": (1.5, 2), "nine axes": (1,) * 9, "objects": np.array([object()]),
        "an array of texts": np.array(["a", "b"]), "complex numbers": np.ones(2, complex),
        "an array": np.ones((2, 3)), "a NumPy bool": np.bool_(True), "a dict": {}, "a set": {1, 2},
        "a slice": slice(0, 1), "a function of nothing": lambda: None, "a class": object,
        "a generator": (number for number in (1, 2)), "a scalar tensor": floats(),
        "a vector": floats(3), "a matrix": floats(2, 3), "four axes": floats(2, 4, 4, 3),
        "six axes": floats(1, 1, 2, 2, 2, 2), "no rows": floats(0, 3), "no steps": floats(2, 0, 3),
        "integers": integers(2, 3), "bools": K.variable(np.ones((2, 3)), dtype="bool"),
        "float16": floats(2, 3, dtype="float16"), "float64": floats(2, 3, dtype="float64"),
        "a placeholder": K.placeholder((None, 3)), "unknown sizes": K.placeholder(ndim=4),
        "a sparse tensor": K.placeholder((None, 3), sparse=True),
        "tensors of two ranks": [floats(2, 3), floats(3)],
        "a tensor and None": [floats(2, 3), None],
    }


FUNCTIONS = sorted({name for name in K.__all__ if callable(getattr(K, name))} - WITHOUT)
# A function of the user's that is called and fails is the user's own error.
CALLED = {"fn", "step_function", "then_expression", "else_expression", "x", "alt"}


@pytest.fixture(scope="module")
def calls():
    return right_calls()


@pytest.fixture(scope="module")
def wrong():
    return wrong_values()


def test_every_function_has_a_call_that_is_right(calls):
    assert set(calls) == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_argument_is_taken_or_refused_in_the_form(name, calls, wrong):
    getattr(K, name)(**calls[name])
    leaks = []
    for argument in calls[name]:
        for what, value in wrong.items():
            if argument not in CALLED or not callable(value):
                error = refusal(name, dict(calls[name], **{argument: value}))
                if error is not None and not is_in_form(error):
                    leaks.append("%s is %s: %r" % (argument, what, error))
    assert not leaks, "\n".join(leaks)


def refusal(name, arguments):
    """The exception that a call ends with, or None."""
    try:
        made = getattr(K, name)(**arguments)
        if name in COMPUTED:
            compute(made)
    except Exception as error:
        return error


def is_in_form(error):
    return isinstance(error, MemoryError) or bool(
        isinstance(error, EXPECTED) and FORM.match(str(error)))


def compute(made):
    """The values of what needs no input."""
    for tensor in made if isinstance(made, (list, tuple)) else [made]:
        if isinstance(tensor, (list, tuple)):
            compute(tensor)
        elif isinstance(tensor, Variable) and not K.is_sparse(tensor) and not needs_input(tensor):
            K.eval(tensor)


def needs_input(tensor):
    return any(isinstance(source, Placeholder) for source in sources_of([tensor]))


def test_the_form_is_told_from_other_messages():
    assert FORM.match("[dot] axes must agree; they are 2 and 3.")
    assert FORM.match('in layer "dense" (Dense): [dot] axes must agree; they are 2 and 3.')
    assert not FORM.match("'NoneType' object is not iterable")
    assert not FORM.match("setting an array element with a sequence.")

"""Layer: names, weights, calls and what calls leave behind."""
import numpy as np
import pytest

from symk import backend as K
from symk.graph import DtypeError, Placeholder
from symk.layers import Add, Dense, Input, InputSpec, Lambda, Layer
from symk.mixed_precision import Policy
from symk.models import Model, Sequential


class Scale(Layer):
    """x times a weight per feature: a layer as a user writes it."""

    def build(self, input_shape):
        self.factor = self.add_weight("factor", (input_shape[-1],), initializer="ones")
        super().build(input_shape)

    def call(self, inputs):
        return inputs * self.factor


class Twice(Layer):
    """A layer made of another one."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = Dense(2)

    def call(self, inputs):
        return self.inner(inputs) * 2.0


def test_names_are_counted_by_class():
    K.reset_uids()
    assert [Dense(1).name, Dense(1).name, Scale().name] == ["dense_1", "dense_2", "scale_1"]
    assert Dense(1, name="mine").name == "mine"


def test_weights_have_the_name_of_their_layer():
    layer = Dense(2, name="head")
    layer(Input(shape=(3,)))
    assert [weight.name for weight in layer.weights] == ["head/kernel:0", "head/bias:0"]


def test_a_layer_of_the_user():
    model = Sequential([Scale(input_shape=(3,))])
    model.layers[0].set_weights([np.array([1.0, 2.0, 3.0])])
    np.testing.assert_array_equal(model.predict(np.ones((2, 3))), [[1, 2, 3]] * 2)
    model.compile("sgd", "mse")
    model.train_on_batch(np.ones((2, 3)), np.zeros((2, 3)))
    assert (model.get_weights()[0] < [1, 2, 3]).all()


def test_a_list_of_one_output_is_that_output():
    x = Input(shape=(3,))
    slope = Lambda(lambda pair: K.gradients(K.sum(pair[1]), pair[0]))([x, x])
    assert K.is_keras_tensor(slope)
    np.testing.assert_array_equal(Model(x, Add()([x, slope])).predict(np.ones((2, 3))), 2)


def test_layers_that_are_attributes_bring_their_weights():
    layer = Twice()
    layer(Input(shape=(3,)))
    assert len(layer.trainable_weights) == 2
    assert layer.count_params() == 8
    layer.trainable = False
    assert len(layer.trainable_weights) == 0
    assert len(layer.non_trainable_weights) == 2


def test_variables_that_are_attributes_are_weights():
    layer = Layer()
    layer.offset = K.variable(np.zeros(3), name="offset")
    assert layer.weights == [layer.offset]
    layer.offset = layer.offset
    assert len(layer.weights) == 1


def test_unknown_keyword_arguments_are_refused():
    with pytest.raises(TypeError, match="'colour' was given"):
        Dense(2, colour="blue")


def test_initial_weights_can_be_given():
    kernel, bias = np.ones((2, 1)), np.zeros(1)
    model = Sequential([Dense(1, input_shape=(2,), weights=[kernel, bias])])
    assert model.predict(np.ones((1, 2))) == 2


@pytest.mark.parametrize("arrays, words", [
    ([np.zeros((2, 3))], "has 2 weights .*; 1 arrays were given"),
    ([np.zeros((2, 2)), np.zeros(3)], r"head/kernel:0 has the shape \(2, 3\); .*\(2, 2\)")])
def test_wrong_weights_are_refused_and_nothing_is_set(arrays, words):
    layer = Dense(3, name="head")
    layer(Input(shape=(2,)))
    before = layer.get_weights()
    with pytest.raises(ValueError, match=words):
        layer.set_weights(arrays)
    assert all(np.array_equal(a, b) for a, b in zip(before, layer.get_weights()))


def test_parameters_of_a_layer_without_weights_cannot_be_counted():
    with pytest.raises(RuntimeError, match="has not been called"):
        Dense(3).count_params()


def test_weights_need_known_sizes():
    with pytest.raises(ValueError, match="all sizes of 'kernel' must be known"):
        Dense(3)(Input(shape=(None,)))


def test_calls_are_numbered():
    layer = Dense(3)
    a, b = Input(shape=(4,)), Input(shape=(4,))
    x, y = layer(a), layer(b)
    assert layer.get_input_at(1) is b
    assert layer.get_output_at(0) is x
    assert layer.get_output_at(-1) is layer.get_output_at(1)
    assert layer.input_shape == (None, 4)
    assert y._keras_history == (layer, 1, 0)
    with pytest.raises(AttributeError, match="called 2 times"):
        layer.output
    with pytest.raises(ValueError, match="call number below 2"):
        layer.get_output_at(2)
    with pytest.raises(AttributeError, match="has not been called"):
        Dense(3).output


def test_arrays_are_no_inputs():
    with pytest.raises(ValueError, match="symbolic tensors are required; ndarray of shape"):
        Dense(3)(np.zeros((2, 3)))


def test_an_output_is_never_the_input_itself():
    x = Input(shape=(2,))
    y = Layer()(x)
    assert y is not x
    assert y._keras_history.layer is not x._keras_history.layer


@pytest.mark.parametrize("spec, shape, words", [
    (InputSpec(ndim=3), (4,), "3 axes are required"),
    (InputSpec(max_ndim=2), (4, 4), "at most 2 axes"),
    (InputSpec(min_ndim=3), (4,), "at least 3 axes"),
    (InputSpec(axes={-1: 3}), (4,), "axis -1 must have the size 3"),
    (InputSpec(shape=(None, 3)), (4,), "axis 1 must have the size 3"),
    (InputSpec(dtype="int32"), (4,), "dtype int32 is required")])
def test_input_specs_are_checked(spec, shape, words):
    layer = Layer(name="strict")
    layer.input_spec = spec
    with pytest.raises(ValueError, match='layer "strict" .*' + words):
        layer(Input(shape=shape))


def test_errors_of_expressions_name_the_layer():
    class Wrong(Layer):
        def call(self, inputs):
            return K.dot(inputs, K.ones((9, 2)))
    with pytest.raises(ValueError, match=r'in layer "w" \(Wrong\): \[dot\]'):
        Wrong(name="w")(Input(shape=(4,)))


def test_output_shapes_are_those_of_the_call_and_make_no_weights():
    layer = Dense(7)
    assert layer.compute_output_shape((None, 5, 3)) == (None, 5, 7)
    assert not layer.built
    assert Add().compute_output_shape([(None, 3), (None, 3)]) == (None, 3)
    assert Twice().compute_output_shape((4, 3)) == (4, 2)


def test_losses_belong_to_their_inputs():
    layer = Dense(2, activity_regularizer="l2", kernel_regularizer="l1")
    a, b = Input(shape=(3,)), Input(shape=(3,))
    one, two = layer(a), layer(b)
    assert len(layer.losses) == 3
    assert len(layer.get_losses_for(a)) == len(layer.get_losses_for(b)) == 1
    assert len(layer.get_losses_for(None)) == 1
    assert len(Model(a, one).losses) == 2
    assert len(Model([a, b], [one, two]).losses) == 3


def test_an_input_needs_a_shape():
    with pytest.raises(ValueError, match="shape or batch_shape is required"):
        Input()
    with pytest.raises(ValueError, match="integers and None"):
        Input(shape=(2.5,))


def test_an_input_may_fix_the_batch():
    x = Input(batch_shape=(4, 3), name="four")
    assert isinstance(x, Placeholder)
    assert K.int_shape(x) == (4, 3)


@pytest.mark.parametrize("given", [
    "float64", np.float64, np.dtype("float64"),
    {"class_name": "Policy", "config": {"name": "float64"}}])
def test_a_dtype_may_be_named_in_many_ways(given):
    assert Dense(2, dtype=given).dtype == "float64"
    assert Dense(2, dtype=Policy("float32")).dtype == "float32"


@pytest.mark.parametrize("given", [
    "float99", "mixed_float16", Policy("mixed_float16"), 5, {"config": 5},
    {"class_name": "Policy", "config": {"name": "mixed_float16"}}])
def test_other_dtypes_are_refused_by_the_layer(given):
    with pytest.raises(DtypeError, match=r"\[own\] dtype must be one of float16, .* was given"):
        Dense(2, dtype=given, name="own")

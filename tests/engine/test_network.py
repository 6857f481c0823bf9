"""Graphs of layers: their order, configs, use as layers, summaries."""
import json

import numpy as np
import pytest

from symk import backend as K
from symk.layers import (Add, BatchNormalization, Concatenate, Dense, Dropout, Embedding, Input,
                         Lambda, Masking, Reshape)
from symk.models import Model, Sequential, clone_model, model_from_json


def two_towers():
    """Two inputs, a shared layer, two outputs."""
    a, b = Input(shape=(3,), name="a"), Input(shape=(3,), name="b")
    shared = Dense(4, activation="tanh", name="shared")
    x, y = shared(a), shared(b)
    joined = Concatenate(name="joined")([x, y])
    return Model([a, b], [Dense(2, name="kind")(joined), Add(name="sum")([x, y])], name="towers")


def test_layers_are_in_order_of_depth():
    names = [layer.name for layer in two_towers().layers]
    assert names == ["a", "b", "shared", "joined", "kind", "sum"]


def test_a_config_makes_the_same_model():
    model = two_towers()
    again = model_from_json(model.to_json())
    assert json.loads(again.to_json()) == json.loads(model.to_json())
    again.set_weights(model.get_weights())
    data = [np.random.normal(size=(5, 3)) for _ in range(2)]
    for one, other in zip(model.predict(data), again.predict(data)):
        np.testing.assert_array_equal(one, other)


def test_a_clone_has_weights_of_its_own():
    model = two_towers()
    copy = clone_model(model)
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
    before = model.get_weights()
    copy.set_weights([weight * 0 for weight in before])
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


def test_a_model_is_a_layer():
    inner = Sequential([Dense(4, activation="relu", input_shape=(3,)), Dense(2)], name="inner")
    x = Input(shape=(3,))
    model = Model(x, inner(x))
    data = np.random.normal(size=(6, 3))
    np.testing.assert_array_equal(model.predict(data), inner.predict(data))
    assert len(model.trainable_weights) == 4
    model.compile("sgd", "mse")
    before = inner.get_weights()
    model.train_on_batch(data, np.ones((6, 2)))
    assert not np.array_equal(before[0], inner.get_weights()[0])


def test_a_model_called_twice_shares_its_weights():
    inner = Sequential([Dense(2, input_shape=(3,))])
    a, b = Input(shape=(3,)), Input(shape=(3,))
    model = Model([a, b], [inner(a), inner(b)])
    assert len(model.weights) == 2
    again = Model.from_config(model.get_config())
    assert again.get_config() == model.get_config()


def test_losses_of_an_inner_model_count_once_for_each_call():
    inner = Sequential([Dense(2, activity_regularizer="l2", input_shape=(3,))])
    x = Input(shape=(3,))
    assert len(Model(x, inner(x)).losses) == 1
    y = Input(shape=(3,))
    assert len(Model([x, y], [inner(x), inner(y)]).losses) == 2


def test_masks_go_through_a_model():
    inner = Sequential([Dense(2, input_shape=(3, 2))])
    x = Input(shape=(3, 2))
    y = inner(Masking()(x))
    assert y._keras_history.layer.get_output_mask_at(1) is not None


def test_a_missing_input_is_named():
    a, b = Input(shape=(3,), name="a"), Input(shape=(3,), name="b")
    with pytest.raises(ValueError, match='at layer "b" does not come from them'):
        Model(a, Add()([a, b]))


def test_names_must_be_different():
    x = Input(shape=(2,))
    with pytest.raises(ValueError, match="given more than once: 'd'"):
        Model(x, Dense(2, name="d")(Dense(2, name="d")(x)))


@pytest.mark.parametrize("place", ["inputs", "outputs"])
def test_inputs_and_outputs_are_tensors_of_layers(place):
    x = Input(shape=(2,))
    y = Dense(2)(x)
    with pytest.raises(ValueError, match=place):
        Model(y * 2.0, y) if place == "inputs" else Model(x, y * 2.0)


def test_get_layer():
    model = two_towers()
    assert model.get_layer("shared") is model.layers[2]
    assert model.get_layer(index=-1).name == "sum"
    with pytest.raises(ValueError, match="'nope' was given. Its layers are a, b, shared"):
        model.get_layer("nope")
    with pytest.raises(ValueError, match="index below 6"):
        model.get_layer(index=6)


def test_output_shapes_for_other_inputs():
    assert two_towers().compute_output_shape([(7, 3), (7, 3)]) == [(7, 2), (7, 4)]


def test_a_wrong_shape_names_model_and_input():
    model = two_towers()
    with pytest.raises(ValueError, match=r'model "towers": .*input "b" has the shape \(None, 3\)'):
        model([Input(shape=(3,)), Input(shape=(4,))])
    with pytest.raises(ValueError, match=r"2 inputs are required \(a, b\); 1 were given"):
        model(Input(shape=(3,)))


def test_a_model_takes_whatever_its_layers_take():
    inner = Sequential([Dense(12, input_dim=4), Reshape((2, 2, 3))])
    start = Input(shape=(1,))
    outer = Model(start, inner(Embedding(5, 4)(start)))
    assert K.int_shape(outer.output) == (None, 2, 2, 3)
    assert outer.predict(np.ones((7, 1))).shape == (7, 2, 2, 3)


def test_a_model_may_be_thousands_of_layers_deep():
    x = start = Input(shape=(2,))
    for number in range(3000):
        x = Dropout(0.0, name="d%d" % number)(x)
    model = Model(start, x)
    assert len(model.layers) == 3001
    assert model.compute_output_shape((None, 2)) == (None, 2)


def test_a_broken_config_is_refused():
    config = two_towers().get_config()
    config["layers"][3]["inbound_nodes"][0][0][1] = 7
    with pytest.raises(ValueError, match='layer "joined" waits for'):
        Model.from_config(config)


def test_summary_of_a_graph():
    lines = []
    two_towers().summary(print_fn=lines.append)
    assert lines[0] == 'Model: "towers"'
    assert lines[2].split() == ["Layer", "(type)", "Output", "Shape", "Param", "#", "Connected",
                                "to"]
    row = next(line for line in lines if line.startswith("shared"))
    assert row.split() == ["shared", "(Dense)", "(None,", "4)", "16", "a[0][0]"]
    assert "Total params: 34" in lines


def test_weights_of_inner_models_keep_their_order():
    inner = Sequential([Dense(4, input_shape=(3,)), BatchNormalization(), Dense(2)])
    nested = Sequential([inner, Dense(1)])
    shapes = [weight.shape for layer in nested.layers for weight in layer.weights]
    assert [array.shape for array in nested.get_weights()] == shapes
    changed = [array + 1 for array in nested.get_weights()]
    nested.set_weights(changed)
    for array, expected in zip(nested.get_weights(), changed):
        np.testing.assert_array_equal(array, expected)


def test_a_model_on_a_part_of_the_input_has_the_losses_and_updates_of_that_call():
    """The layers that read the input itself were called on all of it when the model was made."""
    inner = Sequential([BatchNormalization(momentum=0.0, input_shape=(2,)),
                        Dense(1, activity_regularizer="l2")])
    half = Lambda(lambda x: x[:2])(inner.inputs[0])
    outer = Model(inner.inputs, inner(half))
    assert len(outer.updates) == len(inner.updates) == 2
    assert len(outer.losses) == len(inner.losses) == 1
    outer.compile("sgd", "mse")
    outer.train_on_batch(np.array([[1, 2], [3, 4]], "float32"), np.zeros((2, 1)))
    np.testing.assert_allclose(inner.layers[0].get_weights()[2], [2, 3], rtol=1e-6)

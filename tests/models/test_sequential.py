"""Sequential: building, changing and describing a chain of layers."""
import numpy as np
import pytest

from symk import backend as K
from symk.layers import Dense, Dropout, Input, InputLayer
from symk.models import Model, Sequential, model_from_json


def test_layers_are_those_added():
    K.reset_uids()
    model = Sequential()
    model.add(Dense(3, input_shape=(2,)))
    model.add(Dropout(0.5))
    model.add(Dense(1))
    assert [layer.name for layer in model.layers] == ["dense_1", "dropout_1", "dense_2"]
    assert model.input_names == ["dense_1_input"]
    assert model.output_shape == (None, 1)
    assert len(model.get_weights()) == 4


def test_an_input_layer_may_come_first():
    model = Sequential([InputLayer((2,)), Dense(3)])
    assert [type(layer) for layer in model.layers] == [Dense]
    assert model.predict(np.ones((1, 2))).shape == (1, 3)


def test_a_model_may_come_first():
    inner = Sequential([Dense(3, input_shape=(2,))])
    model = Sequential([inner, Dense(1)])
    assert model.input_shape == (None, 2)
    assert len(model.weights) == 4


def test_the_last_layer_can_be_removed():
    model = Sequential([Dense(3, input_shape=(2,)), Dense(4)])
    model.pop()
    assert model.output_shape == (None, 3)
    model.add(Dense(5))
    assert model.output_shape == (None, 5)
    assert model.predict(np.ones((1, 2))).shape == (1, 5)


def test_nothing_can_be_removed_from_nothing():
    with pytest.raises(TypeError, match="has none"):
        Sequential().pop()


def test_the_first_data_build_a_model_without_a_shape():
    model = Sequential([Dense(3), Dense(1)])
    model.compile("sgd", "mse")
    assert model.weights == []
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    assert model.input_shape == (None, 2)
    again = model_from_json(model.to_json())
    assert again.input_shape == (None, 2)


def test_a_model_without_a_shape_can_be_called():
    model = Sequential([Dense(3)])
    x = Input(shape=(2,))
    outer = Model(x, model(x))
    assert outer.predict(np.ones((1, 2))).shape == (1, 3)


def test_a_model_without_a_shape_has_no_summary():
    with pytest.raises(ValueError, match="does not know the shape of its input"):
        Sequential([Dense(3)]).summary()


@pytest.mark.parametrize("thing, error", [("dense", TypeError), (Dense, TypeError)])
def test_only_layers_can_be_added(thing, error):
    with pytest.raises(error, match="a layer is required"):
        Sequential([thing])


def test_names_must_be_different():
    with pytest.raises(ValueError, match='"d" is in the model already'):
        Sequential([Dense(2, name="d", input_shape=(2,)), Dense(2, name="d")])


def test_a_config_of_a_list_is_read():
    model = Sequential([Dense(3, input_shape=(2,))])
    assert Sequential.from_config(model.get_config()["layers"]).output_shape == (None, 3)


def test_classes():
    model = Sequential([Dense(3, input_shape=(2,), activation="softmax")])
    x = np.random.normal(size=(5, 2))
    np.testing.assert_array_equal(model.predict_classes(x), model.predict(x).argmax(axis=1))
    model = Sequential([Dense(1, input_shape=(2,), activation="sigmoid")])
    np.testing.assert_array_equal(model.predict_classes(x), model.predict_proba(x) > 0.5)

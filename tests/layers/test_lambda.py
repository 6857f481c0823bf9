"""Lambda: functions as layers, and what becomes of them in files."""
import collections
import json

import numpy as np
import pytest

from symk import backend as K
from symk.layers import Dense, Input, Lambda, Masking, deserialize, lambda_layer, serialize
from symk.models import Model, Sequential, clone_model, load_model, model_from_json
from symk.utils import CustomObjectScope
from symk.utils.generic_utils import func_dump, func_load


def doubled(x):
    return 2 * x


def power(x, exponent=1):
    return K.pow(x, exponent)


def model_of(layer, shape=(3,)):
    x = Input(shape)
    return Model(x, layer(x))


VALUES = np.array([[1.0, 2.0, 3.0]])


def test_a_function_is_a_layer():
    np.testing.assert_array_equal(model_of(Lambda(doubled)).predict(VALUES), 2 * VALUES)


def test_a_function_gets_its_arguments():
    layer = Lambda(power, arguments={"exponent": 2})
    np.testing.assert_allclose(model_of(layer).predict(VALUES), VALUES ** 2)
    assert layer.get_config()["arguments"] == {"exponent": 2}


def test_arrays_among_the_arguments_are_saved():
    layer = Lambda(doubled, arguments={})
    layer.arguments = {"exponent": np.array([1.0, 2.0])}
    config = json.loads(json.dumps(layer.get_config()))
    again = Lambda.from_config(config, {layer.name: power})
    np.testing.assert_array_equal(again.arguments["exponent"], [1, 2])


def test_a_function_of_several_tensors():
    a, b = Input((3,)), Input((3,))
    both = Lambda(lambda tensors: [tensors[0] + tensors[1], tensors[0] * tensors[1]])([a, b])
    total, product = Model([a, b], both).predict([VALUES, VALUES])
    np.testing.assert_array_equal(total, 2 * VALUES)
    np.testing.assert_array_equal(product, VALUES ** 2)


def test_a_function_may_take_the_mask():
    def kept(x, mask=None):
        return K.sum(x * K.expand_dims(K.cast(mask, "float32")), axis=1)
    x = Input((3, 2))
    y = Lambda(kept)(Masking(5.0)(x))
    values = np.array([[[1, 1], [5, 5], [2, 3]]])
    np.testing.assert_array_equal(Model(x, y).predict(values), [[3, 4]])


def test_masks_of_the_output():
    masked = Masking()(Input((3, 2)))
    none, passed = Lambda(doubled), Lambda(doubled, mask=lambda inputs, mask: mask)
    none(masked)
    passed(masked)
    assert none.output_mask is None and passed.output_mask is not None


# ---- output_shape

def test_the_declared_shape_is_known_after():
    x = Input((None, 4))
    y = Lambda(lambda t: t[:, :2], output_shape=(2, 4))(x)
    assert K.int_shape(y) == (None, 2, 4)
    y = Lambda(doubled, output_shape=lambda shape: (shape[0], 3, shape[2]))(x)
    assert K.int_shape(y) == (None, 3, 4)
    assert Model(x, y).predict(np.ones((2, 3, 4))).shape == (2, 3, 4)
    y = Lambda(doubled, output_shape=lambda shape: [shape[0], 3, shape[2]])(x)
    assert K.int_shape(y) == (None, 3, 4)
    with pytest.raises(ValueError):
        Model(x, y).predict(np.ones((2, 5, 4)))


def test_a_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r'layer "double" .*: \[output_shape\] .*\(None, 5\)'):
        Lambda(doubled, output_shape=(5,), name="double")(Input((3,)))


def test_shapes_of_several_outputs():
    layer = Lambda(lambda t: [t, t[:, :1]], output_shape=lambda shape: [shape, (shape[0], 1)])
    one, other = layer(Input((3,)))
    assert K.int_shape(one) == (None, 3) and K.int_shape(other) == (None, 1)


@pytest.mark.parametrize("options", [{"function": 3}, {"output_shape": 7}])
def test_what_is_no_function(options):
    with pytest.raises(TypeError, match=r"\[Lambda\]"):
        Lambda(**dict({"function": doubled}, **options))


# ---- files

@pytest.fixture
def elsewhere(monkeypatch):
    """A config as another process reads it, which has saved none of its functions."""
    def read(config):
        monkeypatch.setattr(lambda_layer, "_saved_here", {})
        return json.loads(json.dumps(config))
    return read


def test_a_function_that_was_saved_here_is_taken_for_itself(tmp_path):
    factor = [2.0]

    def scaled(x, power=1):
        return x ** power * factor[0]

    model = Sequential([Lambda(scaled, input_shape=(3,), output_shape=lambda shape: shape),
                        Lambda(lambda x, by=3: x + by)])
    path = str(tmp_path / "model.h5")
    model.save(path)
    for again in (load_model(path, compile=False), clone_model(model),
                  model_from_json(model.to_json())):
        assert again.layers[0].function is scaled
        np.testing.assert_array_equal(again.predict(VALUES), model.predict(VALUES))
    config = json.loads(json.dumps(model.layers[0].get_config()))
    factor[0] = 5.0
    with pytest.raises(ValueError, match="bytecode is not run"):
        Lambda.from_config(config)


def test_functions_that_were_saved_are_not_kept_for_ever(monkeypatch):
    monkeypatch.setattr(lambda_layer, "_MOST_SAVED", 2)
    monkeypatch.setattr(lambda_layer, "_saved_here", collections.OrderedDict())
    configs = [Lambda(lambda x, by=number: x + by).get_config() for number in range(3)]
    assert Lambda.from_config(configs[2]).function(1) == 3
    with pytest.raises(ValueError, match="bytecode is not run"):
        Lambda.from_config(configs[0])


def test_a_registered_function_is_saved_by_its_name():
    with CustomObjectScope({"doubled": doubled}):
        config = serialize(Lambda(doubled))
        assert (config["config"]["function"], config["config"]["function_type"]) == (
            "doubled", "function")
    layer = deserialize(json.loads(json.dumps(config)), {"doubled": doubled})
    assert layer.function is doubled
    with pytest.raises(ValueError, match="'doubled'"):
        deserialize(config)


def test_bytecode_is_not_run(elsewhere):
    layer = Lambda(lambda x: 2 * x, name="secret")
    config = elsewhere(serialize(layer))
    assert config["config"]["function_type"] == "lambda"
    with pytest.raises(ValueError, match='layer "secret" .*bytecode is not run.*custom_objects'):
        deserialize(config)
    with pytest.raises(ValueError, match="bytecode is not run"):
        deserialize(config, {"another": "bytecode"})


@pytest.mark.parametrize("allowed", [doubled, "bytecode"])
def test_a_caller_allows_the_function_of_a_layer(allowed, tmp_path):
    model = Sequential([Dense(3, input_shape=(3,)), Lambda(lambda x: 2 * x, name="twice")])
    path = str(tmp_path / "model.h5")
    model.save(path)
    for again in (load_model(path, custom_objects={"twice": allowed}, compile=False),
                  model_from_json(model.to_json(), {"twice": allowed})):
        again.set_weights(model.get_weights())
        np.testing.assert_allclose(again.predict(VALUES), model.predict(VALUES), rtol=1e-6)


def test_bytecode_sees_k_and_the_callers_names():
    base = 10.0
    layer = Lambda(lambda x: K.square(x) + base, name="shifted")
    config = json.loads(json.dumps(serialize(layer)))
    again = deserialize(config, {"shifted": "bytecode"})
    np.testing.assert_allclose(model_of(again).predict(VALUES), VALUES ** 2 + 10)


def test_all_functions_of_a_layer_are_saved(elsewhere):
    layer = Lambda(doubled, output_shape=lambda shape: shape, mask=lambda inputs, mask: mask)
    config = elsewhere(layer.get_config())
    again = Lambda.from_config(config, {layer.name: "bytecode"})
    assert again.mask(1, 2) == 2
    np.testing.assert_array_equal(model_of(again).predict(VALUES), 2 * VALUES)
    with pytest.raises(ValueError, match="the mask of this layer as bytecode"):
        Lambda.from_config(config, {layer.name: doubled})


def test_functions_that_cannot_be_saved():
    with pytest.raises(ValueError, match="registered by its name or written in Python"):
        Lambda(np.abs).get_config()


def test_functions_as_text_and_back():
    factor = 3

    def scaled(x, more=1):
        return factor * x + more
    assert func_load(json.loads(json.dumps(func_dump(scaled))))(2) == 7
    for text in ("", "AAAA", "not base64!", "TgAAAA=="):
        with pytest.raises(ValueError, match="func_load"):
            func_load(text)

"""Parts of models: from layer to layer, over the weights of the whole, and what is refused."""
import numpy as np
import pytest

from symk import layers
from symk.graph import GraphError
from symk.layers import Input
from symk.models import Model, Part, Sequential

pytest.importorskip("symk._core", reason="the native runtime is not built")


def run(part, *arrays):
    return part.predict_function.run(list(arrays))


def images():
    """A network for images of any size, of which the second half sees what the first one makes."""
    return Sequential([layers.Conv2D(3, 3, input_shape=(None, None, 2)),
                       layers.BatchNormalization(name="norm"), layers.MaxPooling2D(name="pool"),
                       layers.Dropout(0.5), layers.Conv2D(2, 3, padding="same"),
                       layers.GlobalAveragePooling2D(), layers.Dense(3, name="scores")])


def test_two_parts_in_a_row_are_the_whole():
    model = images()
    begin, end = Part(model, end="pool"), Part(model, begin="pool")
    data = np.random.rand(2, 9, 11, 2).astype("float32")
    features, = run(begin, data)
    assert run(end, features)[0].tobytes() == model.predict(data).tobytes()
    assert begin.output_names == ["pool"] and [v.name for v in end.inputs] == ["pool"]


def test_parts_multiply_as_the_compiled_model_does():
    model = images()
    model.compile("sgd", "mse", products="bfloat16")
    data = np.random.rand(2, 9, 11, 2).astype("float32")
    features, = run(Part(model, end="pool"), data)
    scores, = run(Part(model, begin="pool"), features)
    assert scores.tobytes() == model.predict(data).tobytes()
    plain = images()
    plain.set_weights(model.get_weights())
    assert plain.predict(data).tobytes() != scores.tobytes()


@pytest.mark.parametrize("arguments, message", [
    (("no", "pool"), "a model made of inputs and outputs is required; str was given"),
    ((Sequential([layers.Dense(2)]),), "once its input shape is known"),
    ((images(), 5), "begin must be the name of a layer; 5 was given"),
    ((images(), None, b"pool"), "end must be the name of a layer"),
])
def test_what_is_no_model_and_no_name_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Part(*arguments)


def test_what_a_part_lacks_is_named():
    model = Sequential([layers.Embedding(9, 4, mask_zero=True, input_length=5, name="words"),
                        layers.LSTM(3)])
    with pytest.raises(GraphError, match="words_input"):
        Part(model, begin="words")    # the mask is made of the numbers of the words


def test_a_part_has_the_weights_of_the_model():
    model = images()
    part = Part(model, "pool", "scores")
    features = np.ones((1, 4, 4, 3), "float32")
    before, = run(part, features)
    kernel, bias = model.get_layer("scores").get_weights()
    model.get_layer("scores").set_weights([kernel, bias + 1])
    np.testing.assert_allclose(run(part, features)[0], before + 1, rtol=1e-6)


def test_models_inside_and_layers_of_several_outputs_are_layers_too():
    inner = Input((3,))
    two = Model(inner, [layers.Dense(2)(inner), layers.Dense(4)(inner)], name="two")
    x = Input((3,))
    first, second = two(x)
    model = Model(x, layers.Dense(1)(layers.concatenate([first, second])))
    begin, end = Part(model, end="two"), Part(model, begin="two")
    data = np.random.rand(5, 3).astype("float32")
    between = run(begin, data)
    assert [array.shape for array in between] == [(5, 2), (5, 4)]
    assert run(end, *between)[0].tobytes() == model.predict(data).tobytes()


def test_a_part_has_the_states_that_it_reads():
    model = Sequential([
        layers.LSTM(4, stateful=True, batch_input_shape=(2, 3, 2), return_sequences=True, name="a"),
        layers.LSTM(3, name="b"), layers.Dense(2)])
    data = np.random.rand(2, 3, 2).astype("float32")
    part = Part(model, end="a")
    assert len(part.state_updates) == 2 and Part(model, "a").state_updates == []
    assert run(part, data)[0].tobytes() != run(part, data)[0].tobytes()


def test_what_is_no_part_is_refused():
    model = images()
    with pytest.raises(ValueError, match='the name of a layer of .*; "?.?missing'):
        Part(model, "missing")
    with pytest.raises(GraphError, match="must be an input"):
        Part(model, "scores", "pool")
    x, twice = Input((2,)), layers.Dense(2, name="twice")
    with pytest.raises(ValueError, match='layer that is called once is required; "twice" of'):
        Part(Model(x, twice(twice(x))), end="twice")

"""TimeDistributed and Bidirectional."""
import json

import numpy as np
import pytest

from symk import backend as K
from symk.layers import (GRU, LSTM, RNN, BatchNormalization, Bidirectional, Conv2D, Dense, Dropout,
                         Embedding, Flatten, GRUCell, Input, Lambda, Masking, MaxPooling2D,
                         SimpleRNN, TimeDistributed, deserialize, serialize)
from symk.models import Model, Sequential


@pytest.fixture(autouse=True)
def seeded():
    np.random.seed(11)


def data(*shape):
    return np.random.uniform(-1, 1, shape or (3, 5, 4)).astype("float32")


# ---- TimeDistributed

@pytest.mark.parametrize("make, shape", [
    (lambda: Dense(3, activation="relu"), (5, 4)), (lambda: Conv2D(2, 2), (3, 5, 4, 2)),
    (lambda: LSTM(3), (3, 5, 4)), (lambda: Flatten(), (3, 5, 4)),
    (lambda: Sequential([Conv2D(2, 2, input_shape=(5, 4, 2)), MaxPooling2D(), Flatten()]),
     (3, 5, 4, 2))], ids=["Dense", "Conv2D", "LSTM", "Flatten", "Sequential"])
@pytest.mark.parametrize("known_steps", [True, False])
def test_each_step_is_a_call_of_the_layer(make, shape, known_steps):
    layer = make()
    x, step = Input(shape if known_steps else (None,) + shape[1:]), Input(shape[1:])
    y = TimeDistributed(layer)(x)
    whole, single = Model(x, y), Model(step, layer(step))
    values = data(2, *shape)
    expected = np.stack([single.predict(values[:, i]) for i in range(shape[0])], axis=1)
    np.testing.assert_allclose(whole.predict(values), expected, rtol=1e-5, atol=1e-6)
    assert K.int_shape(y)[2:] == expected.shape[2:]


def test_a_model_for_a_fixed_batch_runs_step_by_step():
    start = Input(batch_shape=(2, 4))
    inner = Model(start, Dense(3)(start))
    x = Input(batch_shape=(2, 5, 4))
    values = data(2, 5, 4)
    whole = Model(x, TimeDistributed(inner)(x))
    expected = np.stack([inner.predict(values[:, i], batch_size=2) for i in range(5)], axis=1)
    np.testing.assert_allclose(whole.predict(values, batch_size=2), expected, rtol=1e-5)


def test_a_model_for_a_fixed_batch_takes_any_number_of_steps():
    start = Input(batch_shape=(2, 4))
    inner = Model(start, Dense(3)(start))
    x = Input(batch_shape=(2, None, 4))
    whole = Model(x, TimeDistributed(inner)(x))
    values = data(2, 5, 4)
    kernel, bias = inner.get_weights()
    np.testing.assert_allclose(whole.predict(values, batch_size=2), values @ kernel + bias,
                               rtol=1e-5, atol=1e-6)


def test_losses_of_a_model_for_a_fixed_batch():
    start = Input(batch_shape=(2, 4))
    inner = Model(start, Dense(3, activity_regularizer="l1")(start))
    x = Input(batch_shape=(2, 5, 4))
    model = Model(x, TimeDistributed(inner)(x))
    model.compile("sgd", "mse")
    values = data(2, 5, 4)
    y = model.predict(values, batch_size=2)
    assert model.test_on_batch(values, y) == pytest.approx(0.01 * np.abs(y).sum(), rel=1e-4)
    with pytest.raises(ValueError, match="number of steps must be known, since .* adds losses"):
        TimeDistributed(inner)(Input(batch_shape=(2, None, 4)))


def test_known_and_unknown_batches_agree():
    layer = Dense(3)
    one, other = Input(batch_shape=(2, 5, 4)), Input((5, 4))
    values = data(2, 5, 4)
    shared = TimeDistributed(layer)
    np.testing.assert_array_equal(
        Model(one, shared(one)).predict(values, batch_size=2),
        Model(other, shared(other)).predict(values))


def test_training_through_steps():
    model = Sequential([TimeDistributed(Dense(3), input_shape=(5, 4)),
                        TimeDistributed(Dropout(0.1)), Flatten(), Dense(1)])
    model.compile("adam", "mse")
    history = model.fit(data(16, 5, 4), np.ones((16, 1)), epochs=60, verbose=0).history
    losses = history["loss"]
    assert losses[-1] < 0.8 * losses[0]


def test_moving_means_are_those_of_all_steps():
    layer = BatchNormalization(momentum=0.0)
    model = Sequential([TimeDistributed(layer, input_shape=(5, 4))])
    model.compile("sgd", "mse")
    x = data()
    model.train_on_batch(x, x)
    np.testing.assert_allclose(K.get_value(layer.moving_mean), x.mean(axis=(0, 1)), rtol=1e-4,
                               atol=1e-6)


def test_penalties_of_the_layer_inside():
    layer = TimeDistributed(Dense(3, kernel_regularizer="l2", activity_regularizer="l1"))
    layer(Input((5, 4)))
    assert len(layer.losses) == 2


def test_freezing_reaches_the_layer_inside():
    layer = TimeDistributed(Dense(3))
    layer(Input((5, 4)))
    assert len(layer.trainable_weights) == 2
    layer.trainable = False
    assert layer.trainable_weights == [] and not layer.layer.trainable
    layer.layer.trainable = True
    assert layer.trainable


def test_a_mask_of_steps_goes_through():
    layer = TimeDistributed(Dense(3))
    x = Input((5, 4))
    layer(Masking()(x))
    values = data()
    values[0, 2:] = 0
    mask, = K.function([x], [K.cast(layer.output_mask, "float32")])([values])
    np.testing.assert_array_equal(mask, [[1, 1, 0, 0, 0], [1] * 5, [1] * 5])


def test_a_mask_that_the_layer_inside_makes():
    layer = TimeDistributed(Embedding(10, 3, mask_zero=True))
    x = Input((2, 4), dtype="int32")
    layer(x)
    words = np.array([[[1, 2, 0, 0], [3, 0, 0, 0]]])
    mask, = K.function([x], [K.cast(layer.output_mask, "int32")])([words])
    np.testing.assert_array_equal(mask, words > 0)


def test_a_mask_that_the_layer_inside_uses():
    """Sentences of words: the inner layer skips padded words, the outer one padded sentences."""
    x = Input((3, 4), dtype="int32")
    words = TimeDistributed(Embedding(10, 3, mask_zero=True))(x)
    sentences = TimeDistributed(LSTM(2))
    model = Model(x, sentences(words))
    values = np.array([[[1, 2, 0, 0], [3, 0, 0, 0], [0, 0, 0, 0]]])
    padded = model.predict(values)
    np.testing.assert_array_equal(padded[0, 2], 0)
    more = K.function([x], [K.cast(sentences.output_mask, "int32")])([values])[0]
    np.testing.assert_array_equal(more, [[1, 1, 0]])


def test_what_a_wrapper_needs():
    with pytest.raises(ValueError, match="a layer is required"):
        TimeDistributed("dense")
    with pytest.raises(ValueError, match=r'layer "steps" \(TimeDistributed\): .*at least 3 axes'):
        TimeDistributed(Dense(2), name="steps")(Input((4,)))
    with pytest.raises(ValueError, match='one output is required; "two" has 2'):
        TimeDistributed(Lambda(lambda x: [x, x], name="two"))(Input((5, 4)))


def test_wrappers_in_wrappers():
    layer = TimeDistributed(TimeDistributed(Dense(2)))
    x = Input((3, 4, 5))
    model = Model(x, layer(x))
    kernel, bias = layer.get_weights()
    values = data(2, 3, 4, 5)
    np.testing.assert_allclose(model.predict(values), values @ kernel + bias, rtol=1e-5, atol=1e-6)


# ---- Bidirectional

def both_ways(layer, values, **options):
    """The outputs of a Bidirectional's two layers, each in the order of the sequence."""
    results = []
    for part in (layer.forward_layer, layer.backward_layer):
        config = part.get_config()
        single = type(part).from_config(config)
        x = Input(values.shape[1:])
        model = Model(x, single(x))
        single.set_weights(part.get_weights())
        y = model.predict(values)
        turned = config["go_backwards"] and config["return_sequences"]
        results.append(y[:, ::-1] if turned else y)
    return results


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("mode, merge", [
    ("sum", lambda a, b: a + b), ("mul", lambda a, b: a * b), ("ave", lambda a, b: (a + b) / 2),
    ("concat", lambda a, b: np.concatenate([a, b], axis=-1)), (None, lambda a, b: [a, b])])
def test_merge_modes(mode, merge, sequences):
    layer = Bidirectional(LSTM(3, return_sequences=sequences), merge_mode=mode)
    x = Input((5, 4))
    y = layer(x)
    model, values = Model(x, y), data()
    expected = merge(*both_ways(layer, values))
    for found, wanted in zip(np.atleast_1d(model.predict(values)), np.atleast_1d(expected)):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    shapes = [K.int_shape(one) for one in y] if mode is None else K.int_shape(y)
    assert layer.compute_output_shape((None, 5, 4)) == shapes


def test_states_of_both_directions():
    layer = Bidirectional(GRU(3, return_state=True, return_sequences=True))
    x = Input((5, 4))
    y = layer(x)
    output, forward, backward = Model(x, y).predict(data())
    np.testing.assert_array_equal(output[:, -1, :3], forward)
    np.testing.assert_array_equal(output[:, 0, 3:], backward)
    assert layer.compute_output_shape((None, 5, 4)) == [K.int_shape(one) for one in y]


def test_initial_states_of_both_directions():
    layer = Bidirectional(LSTM(3))
    x, states = Input((5, 4)), [Input((3,)) for _ in range(4)]
    model = Model([x] + states, layer(x, initial_state=states))
    values, given = data(), [data(3, 3) for _ in range(4)]
    again = Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    result = model.predict([values] + given)
    np.testing.assert_array_equal(again.predict([values] + given), result)
    single = LSTM(3)
    y = single(x, initial_state=states[:2])
    single.set_weights(layer.forward_layer.get_weights())
    np.testing.assert_allclose(Model([x] + states[:2], y).predict([values] + given[:2]),
                               result[:, :3], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("count, text", [(3, "an even number of states"), (2, "2 states are")])
def test_a_wrong_number_of_initial_states(count, text):
    with pytest.raises(ValueError, match=text):
        Bidirectional(LSTM(3))(Input((5, 4)), initial_state=[Input((3,)) for _ in range(count)])


def test_masks_reach_both_directions():
    x = Input((None, 4))
    layer = Bidirectional(GRU(3, return_sequences=True))
    model = Model(x, layer(Masking()(x)))
    values = data(1, 4, 4)
    padded = np.concatenate([values, np.zeros((1, 2, 4))], axis=1)
    np.testing.assert_allclose(model.predict(padded)[:, :4], model.predict(values), rtol=1e-5,
                               atol=1e-6)
    assert layer.output_mask is not None
    last = Bidirectional(GRU(3))
    last(Masking()(x))
    assert last.output_mask is None


def test_stateful_layers_move_in_training():
    layer = Bidirectional(SimpleRNN(3, stateful=True))
    x = Input(batch_shape=(2, 5, 4))
    model = Model(x, layer(x))
    model.compile("sgd", "mse")
    model.train_on_batch(data(2, 5, 4), np.zeros((2, 6)))
    states = [K.get_value(part.states[0]) for part in (layer.forward_layer, layer.backward_layer)]
    assert all(np.abs(state).max() > 0 for state in states)
    layer.reset_states()
    np.testing.assert_array_equal(K.get_value(layer.forward_layer.states[0]), 0)


def test_weights_of_both_directions():
    layer = Bidirectional(LSTM(3, activity_regularizer="l2", kernel_regularizer="l2"))
    layer(Input((5, 4)))
    assert len(layer.weights) == 6 and len(layer.losses) == 4
    given = [np.random.uniform(size=w.shape) for w in layer.weights]
    other = Bidirectional(LSTM(3), weights=given)
    other(Input((5, 4)))
    for one, two in zip(other.get_weights(), given):
        np.testing.assert_allclose(one, two, rtol=1e-6)
    layer.trainable = False
    assert layer.trainable_weights == [] and len(layer.non_trainable_weights) == 6


def test_a_layer_may_go_backwards_already():
    layer = Bidirectional(GRU(3, go_backwards=True))
    assert layer.forward_layer.go_backwards and not layer.backward_layer.go_backwards


@pytest.mark.parametrize("make", [
    lambda: TimeDistributed(Dense(3)), lambda: Bidirectional(LSTM(3), merge_mode="ave"),
    lambda: Bidirectional(RNN(GRUCell(3))),
    lambda: TimeDistributed(Sequential([Dense(3, input_shape=(4,))]))])
def test_configs_make_the_layer_again(make):
    layer = make()
    config = json.loads(json.dumps(serialize(layer)))
    assert json.loads(json.dumps(serialize(deserialize(config)))) == config


def test_a_layer_that_is_not_recurrent():
    with pytest.raises(ValueError,
                       match=r"recurrent layer is required; .* \(Dense\) has no return"):
        Bidirectional(Dense(3))


def test_an_unknown_merge_mode():
    with pytest.raises(ValueError, match="merge_mode must be one of 'sum', 'mul', 'ave', 'concat'"):
        Bidirectional(LSTM(2), merge_mode="weird")


def test_a_backward_layer_of_another_kind_is_refused():
    config = Bidirectional(LSTM(2)).get_config()
    backward = serialize(LSTM(2, go_backwards=True))
    assert isinstance(Bidirectional.from_config(dict(config, backward_layer=backward)),
                      Bidirectional)
    backward["config"]["units"] = 5
    with pytest.raises(ValueError, match="the forward one in the other direction"):
        Bidirectional.from_config(dict(config, backward_layer=backward))

"""Recurrent layers: values, masks, states, directions, dropout."""
import numpy as np
import pytest

from symk import backend as K
from symk.layers import (GRU, LSTM, RNN, Activation, Dense, Embedding, GRUCell, Input, LSTMCell,
                         Masking, SimpleRNN, SimpleRNNCell, StackedRNNCells, deserialize,
                         serialize)
from symk.models import Model, Sequential
from symk.optimizers import Adam

LAYERS = [SimpleRNN, GRU, LSTM]


@pytest.fixture(autouse=True)
def seeded():
    np.random.seed(7)


def data(batch=3, steps=5, features=4):
    return np.random.uniform(-1, 1, (batch, steps, features)).astype("float32")


def randomised(layer):
    """Weights far from 0, so that every part of a formula counts."""
    layer.set_weights([np.random.uniform(-0.7, 0.7, w.shape) for w in layer.weights])
    return layer


def model_of(layer, steps=5, features=4, batch=None):
    x = Input(batch_shape=(batch, steps, features))
    model = Model(x, layer(x))
    randomised(layer)
    return model


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# ---- values

def test_simple_rnn_is_its_formula():
    layer = SimpleRNN(2, return_sequences=True)
    model, x = model_of(layer), data()
    kernel, recurrent, bias = layer.get_weights()
    state, expected = np.zeros((3, 2)), []
    for step in range(5):
        state = np.tanh(x[:, step] @ kernel + state @ recurrent + bias)
        expected.append(state)
    np.testing.assert_allclose(model.predict(x), np.stack(expected, 1), rtol=1e-4, atol=1e-5)


def test_lstm_is_its_formula():
    layer = LSTM(2, return_state=True)
    model, x = model_of(layer), data()
    kernel, recurrent, bias = layer.get_weights()
    h = c = np.zeros((3, 2))
    for step in range(5):
        i, f, g, o = np.split(x[:, step] @ kernel + h @ recurrent + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    for found, expected in zip(model.predict(x), (h, h, c)):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("reset_after", [False, True])
def test_gru_is_its_formula(reset_after):
    layer = GRU(2, reset_after=reset_after)
    model, x = model_of(layer), data()
    kernel, recurrent, bias = layer.get_weights()
    of_input, of_state = bias if reset_after else (bias, np.zeros(6))
    h = np.zeros((3, 2))
    for step in range(5):
        xz, xr, xh = np.split(x[:, step] @ kernel + of_input, 3, axis=1)
        hz, hr, hh = np.split(h @ recurrent + of_state, 3, axis=1)
        z, r = sigmoid(xz + hz), sigmoid(xr + hr)
        new = np.tanh(xh + (r * hh if reset_after else (r * h) @ recurrent[:, 4:]))
        h = z * h + (1 - z) * new
    np.testing.assert_allclose(model.predict(x), h, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cls, options", [(LSTM, {}), (LSTM, {"use_bias": False}), (GRU, {}),
                                          (GRU, {"reset_after": True}),
                                          (GRU, {"use_bias": False, "reset_after": True})])
def test_both_implementations_agree(cls, options):
    x = data()
    first, second = (model_of(cls(3, implementation=number, **options)) for number in (1, 2))
    second.set_weights(first.get_weights())
    np.testing.assert_allclose(first.predict(x), second.predict(x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("cls", LAYERS)
@pytest.mark.parametrize("masked", [False, True])
def test_unrolling_and_loops_agree_in_values_and_training(cls, masked):
    x, y = data(), np.random.uniform(size=(3, 5, 2))
    x[1, 2:] = 0
    models = []
    for unroll in (False, True):
        start = Input(shape=(5, 4))
        middle = Masking()(start) if masked else start
        models.append(Model(start, cls(2, return_sequences=True, unroll=unroll)(middle)))
    models[1].set_weights(models[0].get_weights())
    for model in models:
        model.compile("sgd", "mse")
        model.train_on_batch(x, y)
    for one, other in zip(models[0].get_weights(), models[1].get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(models[0].predict(x), models[1].predict(x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("cls", LAYERS)
def test_backwards_is_the_reversed_sequence(cls):
    x = data()
    forward, backward = (model_of(cls(3, return_sequences=True, go_backwards=back))
                         for back in (False, True))
    backward.set_weights(forward.get_weights())
    np.testing.assert_allclose(backward.predict(x), forward.predict(x[:, ::-1]), rtol=1e-5,
                               atol=1e-6)


@pytest.mark.parametrize("cls", LAYERS)
def test_a_layer_takes_sequences_of_any_length(cls):
    layer = cls(3)
    x = Input(shape=(None, 4))
    model = Model(x, layer(x))
    whole = model.predict(data(steps=9))
    assert whole.shape == (3, 3)
    assert model.predict(data(steps=1)).shape == (3, 3)


def test_the_forget_gate_of_an_lstm_begins_open():
    layer = LSTM(2)
    layer(Input((5, 4)))
    np.testing.assert_array_equal(layer.get_weights()[2], [0, 0, 1, 1, 0, 0, 0, 0])


def test_a_layer_over_a_cell_is_the_layer():
    x = data()
    for cls, cell in ((SimpleRNN, SimpleRNNCell), (GRU, GRUCell), (LSTM, LSTMCell)):
        one, other = model_of(cls(3)), model_of(RNN(cell(3)))
        other.set_weights(one.get_weights())
        np.testing.assert_array_equal(one.predict(x), other.predict(x))


def test_cells_on_top_of_each_other_are_layers_on_top_of_each_other():
    x = data()
    stack = model_of(RNN([LSTMCell(3), GRUCell(2)], return_state=True))
    start = Input((5, 4))
    layers = Model(start, GRU(2)(LSTM(3, return_sequences=True)(start)))
    layers.set_weights(stack.get_weights())
    output, h, c, gru = stack.predict(x)
    np.testing.assert_allclose(output, layers.predict(x), rtol=1e-5, atol=1e-6)
    assert h.shape == c.shape == (3, 3)
    np.testing.assert_array_equal(gru, output)


def test_stacked_states_may_come_in_reverse():
    cells = [LSTMCell(3), GRUCell(2)]
    assert StackedRNNCells(cells).state_size == (3, 3, 2)
    stack = StackedRNNCells([LSTMCell(3), GRUCell(2)], reverse_state_order=True)
    assert stack.state_size == (2, 3, 3)
    again = deserialize(serialize(stack))
    assert again.state_size == (2, 3, 3)
    x, plain = data(), model_of(RNN(StackedRNNCells(cells)))
    reverse = model_of(RNN(again))
    reverse.set_weights(plain.get_weights())
    np.testing.assert_array_equal(plain.predict(x), reverse.predict(x))


# ---- masks

@pytest.mark.parametrize("cls", LAYERS)
@pytest.mark.parametrize("back", [False, True])
def test_masked_steps_count_for_nothing(cls, back):
    x = data(1)
    padded = np.concatenate([x, np.zeros((1, 3, 4))], axis=1)
    layer = cls(3, go_backwards=back)
    plain = model_of(layer, steps=None)
    start = Input((None, 4))
    masked = Model(start, layer(Masking()(start)))
    np.testing.assert_allclose(masked.predict(padded), plain.predict(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cls", LAYERS)
def test_outputs_stay_in_masked_steps(cls):
    start = Input((5, 4))
    model = Model(start, cls(3, return_sequences=True)(Masking()(start)))
    x = data()
    x[:, 2] = 0
    y = model.predict(x)
    np.testing.assert_array_equal(y[:, 2], y[:, 1])
    assert np.abs(y[:, 3] - y[:, 2]).max() > 1e-3


def test_outputs_are_zero_before_the_first_step_that_counts():
    start = Input((3, 4))
    model = Model(start, LSTM(2, return_sequences=True)(Masking()(start)))
    x = data(steps=3)
    x[:, 0] = 0
    np.testing.assert_array_equal(model.predict(x)[:, 0], 0)


def test_masks_go_on_with_sequences_alone():
    masked = Masking()(Input((5, 4)))
    sequences = LSTM(3, return_sequences=True, return_state=True)
    sequences(masked)
    assert [mask is None for mask in sequences.output_mask] == [False, True, True]
    last = LSTM(3)
    last(masked)
    assert last.output_mask is None


# ---- states

@pytest.mark.parametrize("cls", LAYERS)
def test_a_stateful_layer_goes_on_where_it_ended(cls):
    x = data(2, 6)
    whole = model_of(cls(3), steps=6)
    parts = model_of(cls(3, stateful=True), steps=3, batch=2)
    parts.set_weights(whole.get_weights())
    first = parts.predict(x[:, :3], batch_size=2)
    np.testing.assert_allclose(parts.predict(x[:, 3:], batch_size=2), whole.predict(x), rtol=1e-4,
                               atol=1e-6)
    parts.reset_states()
    np.testing.assert_array_equal(parts.predict(x[:, :3], batch_size=2), first)


def test_states_move_in_training_and_testing_too():
    model = model_of(LSTM(3, stateful=True), batch=2)
    layer = model.layers[-1]
    model.compile("sgd", "mse")
    x, y = data(2), np.zeros((2, 3))
    model.train_on_batch(x, y)
    after = K.get_value(layer.states[0])
    assert np.abs(after).max() > 0
    model.test_on_batch(x, y)
    assert not np.array_equal(K.get_value(layer.states[0]), after)


def test_states_are_no_weights():
    model = model_of(LSTM(3, stateful=True), batch=2)
    assert len(model.weights) == 3


def test_states_can_be_set():
    model = model_of(LSTM(3, stateful=True), batch=2)
    layer, x = model.layers[-1], data(2)
    values = np.random.uniform(-1, 1, (2, 2, 3))
    layer.reset_states(states=list(values))
    set_states = model.predict(x, batch_size=2)
    start, h, c = Input((5, 4)), Input((3,)), Input((3,))
    plain = LSTM(3)
    given = Model([start, h, c], plain(start, initial_state=[h, c]))
    plain.set_weights(layer.get_weights())
    np.testing.assert_allclose(given.predict([x, *values]), set_states, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("states", [[np.zeros((2, 3))], [np.zeros((2, 3)), np.zeros((2, 4))]])
def test_states_that_do_not_fit_are_refused(states):
    model = model_of(LSTM(3, stateful=True), batch=2)
    with pytest.raises(ValueError, match=r"states of the shapes \[\(2, 3\), \(2, 3\)\]"):
        model.layers[-1].reset_states(states)


def test_a_stateful_layer_needs_a_batch_size():
    with pytest.raises(ValueError, match=r'layer "memory" \(LSTM\): \[stateful\] a known batch'):
        LSTM(3, stateful=True, name="memory")(Input((5, 4)))


def test_a_layer_without_states_cannot_reset_them():
    layer = LSTM(3)
    layer(Input((5, 4)))
    with pytest.raises(AttributeError, match="stateful layer is required"):
        layer.reset_states()


@pytest.mark.parametrize("cls", LAYERS)
def test_a_layer_begins_with_given_states(cls):
    """The second half of a sequence, beginning with the states of the first, is the whole."""
    x = data(3, 6)
    layer = cls(3, return_state=True)
    start = Input((3, 4))
    first = layer(start)
    states = [Input((3,)) for _ in first[1:]]
    begin, go_on = Model(start, first), Model([start] + states, layer(start, initial_state=states))
    whole = model_of(cls(3), steps=6)
    randomised(layer)
    whole.set_weights(layer.get_weights())
    middle = begin.predict(x[:, :3])
    end = go_on.predict([x[:, 3:]] + middle[1:])
    np.testing.assert_allclose(end[0], whole.predict(x), rtol=1e-4, atol=1e-6)


def test_states_may_be_variables():
    x = Input((5, 4))
    layer = GRU(3)
    h = K.variable(np.random.uniform(-1, 1, (1, 3)))
    y = layer(x, initial_state=[h * K.ones_like(x[:, 0, :1])])
    other = layer(x)
    values = data()
    one, two = K.function([x], [y, other])([values])
    assert np.abs(one - two).max() > 1e-2


def test_models_with_states_are_saved():
    x, h = Input((5, 4)), Input((3,))
    y, state = GRU(3, return_state=True, return_sequences=True)(x, initial_state=h)
    model = Model([x, h], [LSTM(2)(y), Dense(1)(state)])
    again = Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    values = [data(), np.random.uniform(size=(3, 3))]
    for one, other in zip(model.predict(values), again.predict(values)):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("states, text", [
    ([(3,)], "2 states are required, of sizes"), ([(3,), (4,)], "axis 1 must have the size 3")])
def test_initial_states_that_do_not_fit_are_refused(states, text):
    with pytest.raises(ValueError, match=r'layer "memory" \(LSTM\): .*' + text):
        LSTM(3, name="memory")(Input((5, 4)), initial_state=[Input(shape) for shape in states])


def test_states_of_layers_and_others_do_not_mix():
    with pytest.raises(ValueError, match="made by layers, or none of them"):
        LSTM(3)(Input((5, 4)), initial_state=[Input((3,)), K.zeros((1, 3))])


# ---- dropout

def spread_over_steps(layer, phase):
    """The inputs that a layer lets through: it adds nothing of the state, and keeps the input."""
    x = Input((6, 8))
    y = layer(x)
    kernel, recurrent, bias = layer.get_weights()
    layer.set_weights([np.eye(8), recurrent * 0, bias])
    return K.function([x, K.learning_phase()], [y])([np.ones((4, 6, 8)), phase])[0]


@pytest.mark.parametrize("unroll", [False, True])
def test_dropout_hides_the_same_features_in_all_steps(unroll):
    layer = SimpleRNN(8, activation="linear", dropout=0.5, return_sequences=True, unroll=unroll)
    values = spread_over_steps(layer, 1)
    assert set(np.unique(values)) == {0, 2}
    np.testing.assert_array_equal(values, np.repeat(values[:, :1], 6, axis=1))
    assert not (values[0] == values[1]).all()
    np.testing.assert_array_equal(spread_over_steps(layer, 0), 1)


def test_recurrent_dropout_hides_the_same_units_in_all_steps():
    layer = SimpleRNN(8, activation="linear", recurrent_dropout=0.5, return_sequences=True)
    x = Input((4, 1))
    y = layer(x)
    layer.set_weights([np.ones((1, 8)), np.eye(8), np.zeros(8)])
    run = K.function([x, K.learning_phase()], [y])
    values = run([np.ones((4, 4, 1)), 1])[0]
    # A unit that keeps its state, doubled: 1, 3, 7, 15. One that loses it in each step: 1.
    courses = {tuple(course) for course in values.transpose(0, 2, 1).reshape(-1, 4)}
    assert courses == {(1, 3, 7, 15), (1, 1, 1, 1)}
    np.testing.assert_array_equal(run([np.ones((4, 4, 1)), 0])[0][0, :, 0], [1, 2, 3, 4])


def test_each_call_draws_its_own_masks():
    layer = SimpleRNN(8, activation="linear", dropout=0.5)
    x = Input((3, 8))
    one, other = layer(x), layer(x)
    values = K.function([x, K.learning_phase()], [one, other])([np.ones((4, 3, 8)), 1])
    assert not np.array_equal(*values)


@pytest.mark.parametrize("cls", [GRU, LSTM])
@pytest.mark.parametrize("implementation", [1, 2])
def test_dropout_in_training(cls, implementation):
    model = Sequential([cls(3, dropout=0.3, recurrent_dropout=0.3, implementation=implementation,
                            input_shape=(5, 4)), Dense(1)])
    model.compile("adam", "mse")
    history = model.fit(data(), np.ones((3, 1)), epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    x = data()
    np.testing.assert_array_equal(model.predict(x), model.predict(x))


# ---- training, configs, errors

def test_an_lstm_learns_the_sign_of_a_sum():
    x = np.random.uniform(-1, 1, (64, 8, 1))
    y = (x.sum(axis=1) > 0).astype("float32")
    model = Sequential([LSTM(8, input_shape=(None, 1)), Dense(1, activation="sigmoid")])
    model.compile(Adam(0.03), "binary_crossentropy", ["accuracy"])
    history = model.fit(x, y, epochs=30, batch_size=16, verbose=0).history
    assert history["accuracy"][-1] > 0.9


def test_words_of_a_padded_text():
    model = Sequential([Embedding(10, 4, mask_zero=True), GRU(3, return_sequences=True), LSTM(2),
                        Activation("softmax")])
    texts = np.array([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0]])
    assert model.predict(texts).shape == (2, 2)
    np.testing.assert_allclose(model.predict(texts), model.predict(texts[:, :3]), rtol=1e-5)


def test_penalties_and_constraints_belong_to_the_cell():
    layer = LSTM(3, kernel_regularizer="l2", recurrent_regularizer="l1", bias_regularizer="l2",
                 activity_regularizer="l2", kernel_constraint="max_norm")
    layer(Input((5, 4)))
    assert len(layer.losses) == 4
    assert layer.kernel_constraint is layer.cell.kernel.constraint


def test_a_frozen_layer_trains_nothing():
    layer = LSTM(3, trainable=False)
    layer(Input((5, 4)))
    assert layer.trainable_weights == []
    assert len(layer.non_trainable_weights) == 3


def test_arguments_of_the_cell_are_the_layers():
    layer = LSTM(3, recurrent_activation="hard_sigmoid", dropout=0.2, implementation=1)
    assert (layer.units, layer.dropout, layer.implementation) == (3, 0.2, 1)
    assert layer.recurrent_activation.__name__ == "hard_sigmoid"


def test_configs_of_other_versions():
    config = LSTM(3).get_config()
    assert LSTM.from_config(dict(config, implementation=0)).implementation == 1
    assert LSTM.from_config(dict(config, time_major=False)).units == 3
    with pytest.raises(ValueError, match="time_major must be False"):
        LSTM.from_config(dict(config, time_major=True))


def test_the_input_shape_as_keras_1_wrote_it():
    assert LSTM(3, input_dim=4, input_length=5).batch_input_shape == (None, 5, 4)
    assert LSTM(3, input_dim=4).batch_input_shape == (None, None, 4)


def test_unrolling_needs_the_number_of_steps():
    with pytest.raises(ValueError, match=r'layer "steps" \(GRU\): \[unroll\] the number of steps'):
        GRU(3, unroll=True, name="steps")(Input((None, 4)))


@pytest.mark.parametrize("make, text", [
    (lambda: RNN(object()), "`call` and `state_size`"),
    (lambda: LSTM(0), "units"), (lambda: GRU(3, implementation=3), "implementation must be 1 or 2"),
    (lambda: LSTM(3)(Input((4,))), "3 axes are required"),
    (lambda: LSTM(3, name="x")(Input((4, None))), 'layer "x" .*number of features must be known')])
def test_wrong_arguments_are_named(make, text):
    with pytest.raises(ValueError, match=text):
        make()


@pytest.mark.parametrize("cls", LAYERS)
@pytest.mark.parametrize("options", [{}, {"return_sequences": True}, {"return_state": True},
                                     {"return_sequences": True, "return_state": True}])
def test_shapes(cls, options):
    layer = cls(3, **options)
    y = layer(Input((5, 4)))
    found = [K.int_shape(one) for one in y] if isinstance(y, list) else K.int_shape(y)
    assert layer.compute_output_shape((None, 5, 4)) == found


def test_the_output_and_the_last_state_are_two_tensors():
    x = Input((3, 2))
    outputs = LSTM(4, return_state=True)(x)
    config = Model(x, outputs).get_config()
    assert [place[2] for place in config["output_layers"]] == [0, 1, 2]


@pytest.mark.parametrize("layer_class, gates", [(SimpleRNN, 1), (GRU, 3), (LSTM, 4)])
def test_an_identity_is_one_for_each_gate(layer_class, gates):
    layer = layer_class(5, recurrent_initializer="identity")
    layer(Input((2, 3)))
    np.testing.assert_array_equal(layer.get_weights()[1], np.tile(np.eye(5), gates))


def test_a_simple_rnn_has_one_implementation():
    with pytest.warns(UserWarning, match="the argument is not needed"):
        layer = SimpleRNN(2, implementation=2)
    assert "implementation" not in layer.get_config()


def test_a_stateful_model_predicts_one_batch_of_any_size():
    model = Sequential([LSTM(2, stateful=True, batch_input_shape=(3, 4, 1))])
    assert model.predict(np.ones((3, 4, 1))).shape == (3, 2)
    with pytest.raises(ValueError, match="must fill its batches"):
        model.predict(np.ones((4, 4, 1)), batch_size=3)

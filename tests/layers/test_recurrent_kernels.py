"""The kernels of whole sequences give what the cells give step by step."""
import numpy as np
import pytest

from symk import backend as K
from symk.graph.walk import nodes_of
from symk.layers import GRU, LSTM, SimpleRNN, SimpleRNNCell, rnn

CASES = [
    (SimpleRNN, {}), (SimpleRNN, {"activation": "relu", "use_bias": False}),
    (SimpleRNN, {"activation": "linear", "go_backwards": True}),
    (LSTM, {}), (LSTM, {"recurrent_activation": "hard_sigmoid", "go_backwards": True}),
    (LSTM, {"activation": "relu", "use_bias": False, "implementation": 1}),
    (GRU, {}), (GRU, {"reset_after": True}), (GRU, {"reset_after": True, "use_bias": False}),
    (GRU, {"recurrent_activation": "hard_sigmoid", "go_backwards": True, "reset_after": True}),
    (GRU, {"use_bias": False, "go_backwards": True, "activation": "sigmoid"}),
]
BATCH, STEPS, FEATURES, UNITS = 5, 6, 3, 4


def sequence_ops(tensors):
    return [node.op.name for node in nodes_of(tensors) if node.op.name.endswith("_sequence")]


def results(layer, mask, states, monkeypatch, by_steps):
    """Output, sequence, states and the gradients of everything, as arrays."""
    random = np.random.RandomState(3)
    x = K.variable(random.uniform(-1, 1, (BATCH, STEPS, FEATURES)), "float64")
    first = [K.variable(random.uniform(-1, 1, (BATCH, UNITS)), "float64")
             for _ in range(2 if isinstance(layer, LSTM) else 1)]
    with monkeypatch.context() as patch:
        if by_steps:
            patch.setattr(rnn, "by_kernel", lambda *arguments: None)
        layer.return_state = layer.return_sequences = True
        if not layer.built:
            layer.build((BATCH, STEPS, FEATURES))
            layer.set_weights([random.uniform(-0.7, 0.7, w.shape) for w in layer.weights])
        outputs = layer.call(x, mask=mask, initial_state=first if states else None)
        layer.return_sequences = False
        outputs.append(layer.call(x, mask=mask, initial_state=first if states else None)[0])
    assert bool(sequence_ops(outputs)) is not by_steps
    random = np.random.RandomState(4)
    loss = sum(K.sum(output * K.constant(random.standard_normal(output.shape), "float64"))
               for output in outputs)
    wanted = [x] + layer.weights + (first if states else [])
    return K.function([], outputs + K.gradients(loss, wanted))([])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("states", [False, True])
@pytest.mark.parametrize("layer_class, options", CASES, ids=lambda value: str(value))
def test_values_and_gradients_are_those_of_the_steps(layer_class, options, states, masked,
                                                     monkeypatch):
    shown = np.random.RandomState(1).uniform(size=(BATCH, STEPS)) < 0.6
    shown[0], shown[1], shown[2, :2] = False, True, False
    mask = K.constant(shown, "bool") if masked else None
    layer = layer_class(UNITS, dtype="float64", **options)
    expected = results(layer, mask, states, monkeypatch, by_steps=True)
    for one, other in zip(results(layer, mask, states, monkeypatch, by_steps=False), expected):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("layer_class", [SimpleRNN, LSTM, GRU])
def test_no_time_at_all(layer_class):
    layer = layer_class(UNITS, return_state=True)
    x = K.placeholder((None, None, FEATURES))
    first = [K.ones((2, UNITS))] * (2 if layer_class is LSTM else 1)
    layer.build((None, None, FEATURES))
    output, *states = layer.call(x, initial_state=first)
    assert sequence_ops([output])
    run = K.function([x], [output] + states)
    output, *states = run([np.zeros((2, 0, FEATURES))])
    np.testing.assert_array_equal(output, np.zeros((2, UNITS)))
    for state in states:
        np.testing.assert_array_equal(state, np.ones((2, UNITS)))


@pytest.mark.parametrize("options", [
    {"recurrent_dropout": 0.5}, {"activation": "elu"}, {"unroll": True},
    {"activation": lambda x: x * 0.5},
], ids=lambda value: next(iter(value)))
def test_what_no_kernel_does_is_run_step_by_step(options):
    layer = LSTM(UNITS, **options)
    x = K.placeholder((None, STEPS, FEATURES))
    layer.build((None, STEPS, FEATURES))
    assert not sequence_ops([layer.call(x)])


def test_a_cell_of_ones_own_is_run_step_by_step():
    class Cell(SimpleRNNCell):
        def call(self, inputs, states, training=None):
            output, states = super().call(inputs, states, training)
            return 2 * output, states

    layer = rnn.RNN(Cell(UNITS))
    layer.build((None, STEPS, FEATURES))
    assert not sequence_ops([layer.call(K.placeholder((None, STEPS, FEATURES)))])


@pytest.mark.parametrize("implementation, masks", [(1, 4), (2, 1)])
def test_each_gate_has_a_mask_of_its_own_or_all_have_one(implementation, masks):
    layer = LSTM(UNITS, dropout=0.5, implementation=implementation)
    layer.build((8, STEPS, FEATURES))
    output = layer.call(K.placeholder((8, STEPS, FEATURES)), training=True)
    assert sequence_ops([output])
    assert len([node for node in nodes_of([output]) if node.op.kind == "random"]) == masks


def test_dropout_of_the_inputs_is_the_same_at_all_times():
    layer = SimpleRNN(16, activation="linear", dropout=0.5, return_sequences=True,
                      kernel_initializer="identity", recurrent_initializer="zeros")
    x = K.placeholder((8, STEPS, 16))
    layer.build((8, STEPS, 16))
    y, = K.function([x], [layer.call(x, training=True)])([np.ones((8, STEPS, 16))])
    assert set(np.unique(y)) == {0, 2}
    np.testing.assert_array_equal(y, np.repeat(y[:, :1], STEPS, 1))

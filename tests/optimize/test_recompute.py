"""A graph in parts, of which only the borders are kept: less memory, the same numbers."""
import numpy as np
import pytest

from symk import backend as K
from symk import layers, models, ops
from symk.autodiff import grad
from symk.compile import function
from symk.graph import GraphError, Placeholder, Shared
from symk.graph.walk import nodes_of
from symk.optimize.recompute import recompute_in_parts

RANDOM = np.random.RandomState(0)


def tower(depth=36, units=32):
    x = Placeholder("float32", (None, units), name="x")
    weights = [Shared(RANDOM.standard_normal((units, units)).astype("float32") / 6)
               for _ in range(depth)]
    y = x
    for number, weight in enumerate(weights):
        y = ops.tanh(ops.matmul(y, weight)) + (y if number % 3 == 0 else 0)
    return x, ops.mean(ops.square(y)), weights


def gradients(x, loss, weights):
    return function([x], [loss] + grad(loss, weights))


def test_less_is_kept_and_the_bits_are_the_same():
    x, loss, weights = tower()
    kept = gradients(x, loss, weights)
    again = gradients(x, recompute_in_parts([loss])[0], weights)
    array = RANDOM.standard_normal((256, 32)).astype("float32")
    for a, b in zip(kept.run([array]), again.run([array])):
        np.testing.assert_array_equal(a, b)
    assert again.program.memory()["arena_bytes"] < 0.6 * kept.program.memory()["arena_bytes"]


def test_time_is_at_most_one_more_forward_pass():
    x, loss, weights = tower()
    kept, again = (gradients(x, total, weights) for total in (loss, recompute_in_parts([loss])[0]))

    def products(f):
        return [step.kernel for step in f.plan.steps].count("matmul")
    assert products(kept) < products(again) <= products(kept) + len(weights)


@pytest.mark.parametrize("parts", [1, 2, 5, 1000])
def test_any_number_of_parts_keeps_values_and_gradients(parts):
    x, loss, weights = tower(6, 4)
    array = RANDOM.standard_normal((5, 4)).astype("float32")
    wanted = gradients(x, loss, weights).run([array])
    found = gradients(x, recompute_in_parts([loss], parts)[0], weights).run([array])
    for a, b in zip(wanted, found):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("parts", [0, -1, 1.5, "all"])
def test_a_number_of_parts_that_is_none_is_refused(parts):
    x, loss, _ = tower(2, 4)
    with pytest.raises(GraphError, match="an integer from 1 on"):
        recompute_in_parts([loss], parts)


def test_what_does_more_than_compute_is_done_once():
    x = Placeholder("float32", (3,))
    y = ops.square(ops.print_value(ops.exp(x), "seen"))
    names = [node.op.name for node in nodes_of(recompute_in_parts([ops.sum(y)], 1))]
    assert names.count("print") == 1 and "checkpoint" not in names


def network():
    np.random.seed(3)
    model = models.Sequential([layers.Embedding(20, 8, input_length=6)])
    for _ in range(8):
        model.add(layers.Conv1D(8, 3, padding="same"))
        model.add(layers.BatchNormalization())
        model.add(layers.Activation("relu"))
        model.add(layers.Dropout(0.2, seed=5))
    model.add(layers.LSTM(8))
    model.add(layers.Dense(2, activation="softmax", kernel_regularizer="l2"))
    return model


@pytest.mark.parametrize("recompute", [True, 4])
def test_a_model_that_recomputes_learns_the_same(recompute):
    words = np.random.RandomState(0).randint(0, 20, (32, 6))
    labels = np.eye(2)[words[:, 0] % 2]
    losses, memory = [], []
    for setting in (False, recompute):
        model = network()
        model.compile("adam", "categorical_crossentropy", metrics=["accuracy"], recompute=setting)
        losses.append([model.train_on_batch(words, labels)[0] for _ in range(5)])
        memory.append(model.train_function.program.memory()["arena_bytes"])
        states = K.batch_get_value(model.layers[2].weights)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    assert memory[1] < memory[0] and np.isfinite(states).all()

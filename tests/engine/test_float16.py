"""Models of float16 train to finite weights with the default epsilon, also where they are sure."""
import numpy as np
import pytest

from symk import Sequential
from symk import backend as K
from symk.layers import BatchNormalization, Dense, Dropout

RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(96, 10))
LABELS = X[:, :3].argmax(1)


@pytest.fixture(autouse=True)
def float16(fixed_state):
    K.set_floatx("float16")


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam", "adadelta", "nadam"])
@pytest.mark.parametrize("loss, units, activation, targets", [
    ("categorical_crossentropy", 3, "softmax", np.eye(3)[LABELS]),
    ("sparse_categorical_crossentropy", 3, "softmax", LABELS),
    ("binary_crossentropy", 1, "sigmoid", LABELS == 0),
    ("mse", 3, None, np.eye(3)[LABELS])])
def test_training_learns_and_stays_finite(optimizer, loss, units, activation, targets):
    model = Sequential([Dense(16, activation="relu", input_shape=(10,)), BatchNormalization(),
                        Dropout(0.1), Dense(units, activation=activation)])
    model.compile(optimizer, loss)
    losses = model.fit(X, targets, epochs=8, batch_size=16, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
    for weight in model.get_weights():
        assert weight.dtype == "float16" and np.isfinite(weight).all()


@pytest.mark.parametrize("cross_entropy", [
    lambda y, p: K.binary_crossentropy(y, p), lambda y, p: K.categorical_crossentropy(y, p),
    lambda y, p: K.sparse_categorical_crossentropy(K.constant([0, 1], dtype="int32"), p)])
def test_a_wrong_and_sure_prediction_has_a_finite_loss_and_gradient(cross_entropy):
    p = K.variable([[1.0, 0.0], [1.0, 0.0]])
    loss = cross_entropy(K.constant([[1.0, 0.0], [0.0, 1.0]]), p)
    values = K.function([], [loss] + K.gradients(K.mean(loss), [p]))([])
    assert all(np.isfinite(value).all() for value in values)

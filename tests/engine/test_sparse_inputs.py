"""Models whose inputs are sparse matrices: the numbers of dense data, batch by batch."""
import numpy as np
import pytest

from symk import Input, Model, Sequential
from symk import backend as K
from symk.layers import Activation, Concatenate, Dense, InputLayer, Layer
from symk.models import model_from_json

sparse = pytest.importorskip("scipy.sparse")

RANDOM = np.random.RandomState(0)
X = (RANDOM.uniform(size=(37, 12)) * (RANDOM.uniform(size=(37, 12)) < 0.3)).astype("float32")
Y = (X @ RANDOM.normal(size=(12, 2))).astype("float32")


def model(is_sparse, weights=None):
    x = Input((12,), sparse=is_sparse)
    made = Model(x, Dense(2)(Dense(5, activation="tanh")(x)))
    made.compile("sgd", "mse")
    if weights is not None:
        made.set_weights(weights)
    return made


@pytest.mark.parametrize("shuffle", [False, True])
def test_training_on_sparse_data_is_training_on_dense_data(shuffle):
    dense = model(False)
    other = model(True, dense.get_weights())
    logs = []
    for one, x in ((dense, X), (other, sparse.csr_matrix(X))):
        np.random.seed(3)
        history = one.fit(x, Y, epochs=3, batch_size=8, shuffle=shuffle, validation_split=0.2,
                          verbose=0)
        logs.append(history.history)
    np.testing.assert_allclose(logs[0]["loss"], logs[1]["loss"], rtol=1e-4)
    np.testing.assert_allclose(logs[0]["val_loss"], logs[1]["val_loss"], rtol=1e-4)
    np.testing.assert_allclose(other.predict(sparse.csr_matrix(X), batch_size=10), dense.predict(X),
                               rtol=1e-3, atol=1e-5)


def test_every_way_to_give_data_takes_sparse_ones():
    made, x = model(True), sparse.coo_matrix(X)
    loss = made.evaluate(x, Y, verbose=0)
    assert made.test_on_batch(x, Y) == pytest.approx(loss, rel=1e-4)
    np.testing.assert_allclose(made.predict_on_batch(x), made.predict(x), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(made.predict(X), made.predict(x), rtol=1e-4, atol=1e-6)
    made.train_on_batch(x.tocsr(), Y)
    assert made.evaluate(x, Y, verbose=0) < loss


def test_sparse_inputs_join_and_mix_with_dense_ones():
    a, b, c = Input((12,), sparse=True), Input((4,), sparse=True), Input((3,))
    joined = Dense(2)(Concatenate()([a, b]))
    made = Model([a, b, c], Concatenate()([joined, c]))
    given = [sparse.csr_matrix(X), sparse.csr_matrix(X[:, :4]), X[:, :3]]
    dense = np.concatenate([X, X[:, :4]], 1) @ made.get_weights()[0]
    np.testing.assert_allclose(made.predict(given, batch_size=5),
                               np.concatenate([dense, X[:, :3]], 1), rtol=1e-4, atol=1e-5)


def test_a_config_keeps_that_an_input_is_sparse():
    made = model(True)
    again = model_from_json(made.to_json())
    assert again.layers[0].sparse
    again.set_weights(made.get_weights())
    x = sparse.csr_matrix(X)
    np.testing.assert_array_equal(again.predict(x), made.predict(x))


def test_a_sequential_model_may_begin_with_a_sparse_input():
    made = Sequential([InputLayer((12,), sparse=True), Dense(3)])
    assert made.predict(sparse.csr_matrix(X)).shape == (37, 3)


def test_sparse_data_for_a_dense_input_are_made_dense_by_batches():
    np.testing.assert_allclose(model(False).predict(sparse.csr_matrix(X * 0)), 0)


def test_matrices_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="arrays of shape"):
        model(True).predict(sparse.csr_matrix(X[:, :5]))


def test_a_convolution_of_graphs_trains():
    """The adjacency is an input of as many rows as there are nodes, and as many columns."""
    class GraphConvolution(Layer):
        def __init__(self, units, **kwargs):
            self.units = units
            super().__init__(**kwargs)

        def build(self, input_shapes):
            self.kernel = self.add_weight(shape=(input_shapes[0][1], self.units),
                                          initializer="glorot_uniform", name="kernel")
            self.built = True

        def call(self, inputs, mask=None):
            features, adjacency = inputs
            return K.dot(K.dot(adjacency, features), self.kernel)

        def compute_output_shape(self, input_shapes):
            return input_shapes[0][0], self.units
    features, adjacency = Input((12,)), Input(batch_shape=(None, None), sparse=True)
    hidden = Activation("tanh")(GraphConvolution(5)([features, adjacency]))
    made = Model([features, adjacency], GraphConvolution(2)([hidden, adjacency]))
    made.compile("adam", "mse")
    edges = sparse.csr_matrix(np.eye(37) + np.eye(37, k=1))
    history = made.fit([X, edges], Y, sample_weight=np.arange(37) % 2, batch_size=37, epochs=5,
                       shuffle=False, verbose=0).history["loss"]
    assert history[-1] < history[0]
    first, second = made.get_weights()
    expected = edges @ np.tanh(edges @ X @ first) @ second
    np.testing.assert_allclose(made.predict([X, edges], batch_size=37), expected, rtol=1e-4,
                               atol=1e-5)

"""Sparse tensors of K: fed as matrices of SciPy, multiplied, joined, made dense."""
import numpy as np
import pytest

from symk import backend as K
from symk.graph import DtypeError, GraphError, ShapeError

sparse = pytest.importorskip("scipy.sparse")

RANDOM = np.random.RandomState(0)
A = (RANDOM.uniform(-1, 1, (5, 7)) * (RANDOM.uniform(size=(5, 7)) < 0.3)).astype("float32")
B = RANDOM.normal(size=(7, 4)).astype("float32")
KINDS = [sparse.csr_matrix, sparse.coo_matrix, sparse.csc_matrix, sparse.csr_array, np.asarray]


@pytest.mark.parametrize("kind", KINDS)
def test_a_placeholder_takes_matrices_of_every_kind(kind):
    x = K.placeholder((None, 7), sparse=True)
    assert K.is_sparse(x) and K.is_placeholder(x) and K.is_tensor(x) and K.ndim(x) == 2
    assert K.int_shape(x) == (None, 7) and K.dtype(x) == "float32"
    run = K.function([x], [K.to_dense(x), K.dot(x, K.constant(B)), K.shape(x)])
    dense, product, shape = run([kind(A)])
    np.testing.assert_array_equal(dense, A)
    np.testing.assert_allclose(product, A @ B, rtol=1e-5, atol=1e-6)
    assert shape.tolist() == [5, 7]
    assert run([kind(A[:0])])[1].shape == (0, 4)


def test_a_variable_keeps_its_elements():
    x = K.variable(sparse.csr_matrix(A), name="a")
    assert K.is_sparse(x) and not K.is_sparse(K.variable(A)) and K.int_shape(x) == (5, 7)
    np.testing.assert_array_equal(K.eval(x), A)
    np.testing.assert_array_equal(K.get_value(K.to_dense(x)), A)
    np.testing.assert_allclose(K.eval(K.dot(x, K.constant(B))), A @ B, rtol=1e-5, atol=1e-6)
    assert K.eval(K.dot(x, K.constant(B[:, 0]))).shape == (5,)
    assert K.dtype(K.cast(x, "float64")) == "float64"


def test_the_sparse_matrix_may_stand_behind():
    x = K.variable(sparse.csr_matrix(A.T))
    left = RANDOM.normal(size=(3, 7)).astype("float32")
    np.testing.assert_allclose(K.eval(K.dot(K.constant(left), x)), left @ A.T, rtol=1e-5, atol=1e-6)


def test_gradients_reach_the_dense_side_and_the_elements():
    x, w = K.variable(sparse.csr_matrix(A)), K.variable(B)
    weights = K.constant(RANDOM.normal(size=(5, 4)))
    loss = K.sum(K.dot(x, w) * weights)
    by_w, by_data = K.function([], K.gradients(loss, [w, x.data]))([])
    g = K.eval(weights)
    np.testing.assert_allclose(by_w, A.T @ g, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(by_data, (g @ B.T)[A != 0], rtol=1e-5, atol=1e-6)
    with pytest.raises(GraphError, match="symbolic tensors, and dense"):
        K.gradients(loss, [x])


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_sparse_tensors_are_joined(axis):
    parts = [A, np.zeros_like(A), A * 2 - np.float32(0.5) * (A > 0.2)]
    inputs = [K.placeholder((None, 7), sparse=True) for _ in parts]
    joined = K.concatenate(inputs, axis=axis)
    assert K.is_sparse(joined)
    whole, made = K.function(inputs, [K.to_dense(joined), joined])(
        [sparse.csr_matrix(part) for part in parts])
    np.testing.assert_array_equal(whole, np.concatenate(parts, axis))
    assert sparse.issparse(made)
    np.testing.assert_array_equal(made.toarray(), whole)
    mixed = K.concatenate([inputs[0], K.constant(A)], axis=axis)
    assert not K.is_sparse(mixed)
    np.testing.assert_array_equal(K.function(inputs[:1], [mixed])([sparse.csr_matrix(A)])[0],
                                  np.concatenate([A, A], axis))


def test_elements_at_one_place_add_up():
    x = K.placeholder((None, 3), sparse=True)
    twice = sparse.csr_matrix((np.ones(3), np.array([1, 1, 0]), np.array([0, 2, 3])), (2, 3))
    dense, product = K.function([x], [K.to_dense(x), K.dot(x, K.ones((3, 2)))])([twice])
    np.testing.assert_array_equal(dense, [[0, 2, 0], [1, 0, 0]])
    np.testing.assert_array_equal(product, [[2, 2], [1, 1]])


def test_labels_of_each_row():
    made = K.ctc_label_dense_to_sparse(K.constant([[1, 2, 3], [4, 5, 6]], dtype="int32"),
                                       K.constant([2, 3], dtype="int32"))
    assert K.is_sparse(made) and K.dtype(made) == "int32"
    assert K.eval(made).tolist() == [[1, 2, 0], [4, 5, 6]]


@pytest.mark.parametrize("shape", [(None,), (None, 3, 4)])
def test_a_sparse_placeholder_has_two_axes(shape):
    with pytest.raises(ShapeError, match="must have two axes"):
        K.placeholder(shape, sparse=True)


@pytest.mark.parametrize("kind", [sparse.csr_matrix, np.asarray])
@pytest.mark.parametrize("rows, columns", [(4, 4), (2, 5), (3, 0)])
def test_the_number_of_columns_may_be_unknown(kind, rows, columns):
    a, below, left = K.placeholder((None, None), sparse=True), K.placeholder((None, 3)), \
        K.placeholder((3, None))
    f = K.function([a, below, left], [K.dot(a, below), K.dot(left, a), K.to_dense(a), K.shape(a)])
    dense, x, y = np.eye(rows, columns), np.random.rand(columns, 3), np.random.rand(3, rows)
    product, other, same, shape = f([kind(dense), x, y])
    np.testing.assert_allclose(product, dense @ x, rtol=1e-6)
    np.testing.assert_allclose(other, y @ dense, rtol=1e-6)
    np.testing.assert_array_equal(same, dense)
    assert shape.tolist() == [rows, columns]


@pytest.mark.parametrize("columns", [5, None])
def test_columns_and_rows_of_a_product_must_agree(columns):
    a, x = K.placeholder((None, columns), sparse=True), K.placeholder((None, 2))
    f = K.function([a, x], [K.dot(a, x)])
    with pytest.raises(ShapeError, match="columns must be as many"):
        f([np.eye(3, 5), np.ones((7, 2))])
    with pytest.raises(ShapeError, match="must be the last but one of the second"):
        K.dot(K.placeholder((None, 5), sparse=True), K.placeholder((7, 2)))


def test_what_does_not_fit_is_refused():
    x, y = K.placeholder((None, 7), sparse=True), K.placeholder((4, 7), sparse=True, name="y")
    with pytest.raises(GraphError, match="a dense tensor is required"):
        x + 1
    with pytest.raises(GraphError, match="a dense tensor is required"):
        K.relu(x)
    with pytest.raises(GraphError, match="one of the tensors must be dense"):
        K.dot(x, x)
    with pytest.raises(ShapeError, match="the last size of the first"):
        K.dot(x, K.ones((6, 2)))
    with pytest.raises(ShapeError, match="the sizes off axis 1 must agree"):
        K.concatenate([y, K.placeholder((5, 7), sparse=True)], 1)
    with pytest.raises(DtypeError, match="one dtype"):
        K.concatenate([x, K.placeholder((None, 7), sparse=True, dtype="float64")])
    run = K.function([y], [K.to_dense(y)])
    with pytest.raises(ShapeError, match=r"\[input y\] the shape must be \(4, 7\)"):
        run([sparse.csr_matrix(A)])
    with pytest.raises(GraphError, match="1 values are required; 2 were given"):
        run([A, A])

"""Symbolic sizes: the canonical form, and that it means the same integers."""
import pytest
from hypothesis import given, settings, strategies

from symk.graph import ShapeError, dims

N, M = dims.Size.new("n"), dims.Size.new("m")
ATOMS = {atom: name for name, size in (("n", N), ("m", M)) for atom in dims.sizes_in(size)}


def sizes(n, m):
    """Bindings of the two unknowns."""
    return {atom: n if name == "n" else m for atom, name in ATOMS.items()}


@pytest.mark.parametrize("expression, expected", [
    ((N + 1) - 1, N), (N - N, 0), (2 * N + 3 * N, 5 * N), (N * M - M * N, 0),
    ((4 * N) // 4, N), ((4 * N * M) // (2 * N), 2 * M), ((8 * N + 3) // 4, 2 * N),
    (dims.ceil_div(4 * N, 4), N), (dims.maximum(N, N - 1), N), (dims.maximum(N + 2, N + 5), N + 5),
    (dims.minimum(N, N - 1), N - 1), (dims.maximum(N, M), dims.maximum(M, N)),
    (dims.maximum(N, 0), N), (dims.maximum(0, dims.maximum(N - 1, 0)), dims.maximum(0, N - 1)),
    (dims.maximum(2 * N * M, N * M), 2 * N * M), (dims.maximum(N // 2, 0), N // 2),
    (dims.broadcast(N, 1), N), (dims.broadcast(1, N), N), (dims.broadcast(N, N), N),
    (dims.broadcast(N, M), dims.broadcast(M, N)),
    (dims.broadcast(N, 5), 5), (dims.broadcast(5, N), 5), (dims.broadcast(0, N), 0),
    (dims.broadcast(dims.broadcast(N, M), N), dims.broadcast(N, M)),
    ((N + M) * (N + M), N * N + 2 * N * M + M * M),
    (N % 1, 0), ((3 * N) % 3, 0), (dims.product((N, 2, M)), 2 * M * N), (dims.product(()), 1),
    (1 - N, -N + 1),
])
def test_equal_expressions_are_equal(expression, expected):
    assert expression == expected
    assert hash(expression) == hash(expected)


def test_sizes_of_two_inputs_differ():
    assert dims.Size.new("n") != N
    assert not dims.known_equal(N, M) and not dims.known_different(N, M)


def test_what_is_known_to_differ():
    assert dims.known_different(N, N + 1)
    assert not dims.known_different(N, 3)
    assert dims.broadcast(3, 4) is None
    assert dims.broadcast(N, N + 1) is None


def test_an_unknown_size_decides_no_condition():
    with pytest.raises(ShapeError, match="known only when the function is called"):
        bool(N)


def test_an_unknown_size_is_no_index():
    with pytest.raises(TypeError):
        range(N)


def test_division_by_zero_is_refused():
    with pytest.raises(ShapeError, match="divided by zero"):
        dims.floor_div(3, 0)
    with pytest.raises(ShapeError, match="divided by zero"):
        dims.evaluate(dims.floor_div(N, M), sizes(3, 0))


def test_evaluating_a_broadcast_checks_it():
    both = dims.broadcast(N, M)
    assert dims.evaluate(both, sizes(1, 5)) == 5
    assert dims.evaluate(both, sizes(5, 5)) == 5
    with pytest.raises(ShapeError, match="equal or one of them 1; .* were given"):
        dims.evaluate(both, sizes(4, 5))


def test_the_unknowns_of_an_expression_are_found():
    inside = dims.maximum(dims.floor_div(N + 1, 3), M)
    assert dims.sizes_in(inside) == set(ATOMS)
    assert dims.sizes_in(7) == set()


def test_an_expression_prints_as_a_formula():
    assert repr(2 * N + 1) == "2*n + 1"
    assert repr(dims.floor_div(N, 2)) == "floordiv(n, 2)"


# A random expression means what Python's integers mean.

OPERATIONS = {
    "add": (lambda a, b: a + b, lambda a, b: a + b),
    "sub": (lambda a, b: a - b, lambda a, b: a - b),
    "mul": (lambda a, b: a * b, lambda a, b: a * b),
    "max": (dims.maximum, max),
    "min": (dims.minimum, min),
}
LEAVES = strategies.sampled_from(["n", "m"]) | strategies.integers(-3, 9)
NAMES = strategies.sampled_from(sorted(OPERATIONS))
TREES = strategies.recursive(
    LEAVES, lambda inner: strategies.tuples(NAMES, inner, inner), max_leaves=12)


def build(tree, leaves, which):
    """A tree with symbolic (which = 0) or integer (1) operations."""
    if isinstance(tree, tuple):
        name, *operands = tree
        return OPERATIONS[name][which](*(build(operand, leaves, which) for operand in operands))
    return leaves.get(tree, tree)


@settings(max_examples=200)
@given(TREES, strategies.integers(0, 50), strategies.integers(0, 50))
def test_an_expression_means_its_integers(tree, n, m):
    symbolic = build(tree, {"n": N, "m": M}, 0)
    assert dims.evaluate(symbolic, sizes(n, m)) == build(tree, {"n": n, "m": m}, 1)


@settings(max_examples=200)
@given(TREES, strategies.integers(1, 12), strategies.integers(0, 50), strategies.integers(0, 50))
def test_division_by_a_constant_is_floor(tree, divisor, n, m):
    symbolic = dims.floor_div(build(tree, {"n": N, "m": M}, 0), divisor)
    expected = build(tree, {"n": n, "m": m}, 1) // divisor
    assert dims.evaluate(symbolic, sizes(n, m)) == expected

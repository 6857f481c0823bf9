"""Two ops in one loop: the bits of one after the other, whatever the dtype, length and position."""
import numpy as np
import pytest

from symk import ops
from symk.compile import function
from symk.graph import Placeholder

BINARY = {"add": ops.add, "sub": ops.sub, "mul": ops.mul, "div": ops.div}
UNARY = {"square": ops.square, "sqrt": ops.sqrt, "relu": ops.relu,
         "sqrt_relu": lambda x: ops.sqrt(ops.relu(x))}
COMPARE = {"greater": ops.greater, "greater_equal": ops.greater_equal, "less": ops.less,
           "less_equal": ops.less_equal}


def programs():
    """Name -> function of four variables."""
    for outer, f in BINARY.items():
        for inner, g in BINARY.items():
            yield outer + "_first_" + inner, lambda a, b, c, d, f=f, g=g: f(g(a, b), c)
            yield outer + "_second_" + inner, lambda a, b, c, d, f=f, g=g: f(a, g(b, c))
            yield outer + "_both_" + inner, lambda a, b, c, d, f=f, g=g: f(g(a, b), g(c, d))
        for inner, g in UNARY.items():
            yield outer + "_first_" + inner, lambda a, b, c, d, f=f, g=g: f(g(a), b)
            yield outer + "_second_" + inner, lambda a, b, c, d, f=f, g=g: f(a, g(b))
            yield inner + "_of_" + outer, lambda a, b, c, d, f=f, g=g: g(f(a, b))
    for inner, g in COMPARE.items():
        yield "where_" + inner, lambda a, b, c, d, g=g: ops.where(g(a, b), c, d)


PROGRAMS = dict(programs())


def drawn(dtype, n):
    """Numbers of both signs and many magnitudes, with what is special among them."""
    random = np.random.RandomState(n)
    arrays = (random.standard_normal((4, n)) * 10.0 ** random.randint(-6, 7, (4, n))).astype(dtype)
    for array in arrays:
        array[random.randint(0, n, n // 4)] = random.choice(
            np.array([0, -0.0, np.inf, -np.inf, np.nan, 1, 1e-40], dtype), n // 4)
    return list(arrays)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_joined_ops_have_the_bits_of_single_ones(name, dtype):
    for n in (1, 3, 17, 100, 1009):
        variables = [Placeholder(dtype, (n,)) for _ in range(4)]
        result = PROGRAMS[name](*variables)
        joined = function(variables, [result], stages=["fuse"])
        single = function(variables, [result], stages=[])
        assert len(joined.plan.steps) == 1 < len(single.plan.steps)
        arrays = drawn(dtype, n)
        np.testing.assert_array_equal(joined.run(arrays)[0], single.run(arrays)[0])


def test_a_value_that_is_read_twice_or_given_out_stays():
    a, b, c = variables = [Placeholder("float32", (1000,)) for _ in range(3)]
    product = a * b
    results = [product + c, product - c, ops.square(product) + product, product]
    arrays = drawn("float32", 1000)[:3]
    for made, wanted in zip(function(variables, results, stages=["fuse"]).run(arrays),
                            function(variables, results, stages=[]).run(arrays)):
        np.testing.assert_array_equal(made, wanted)

"""The graph as a tool: what symk.function, shared, placeholder, clone and draw promise."""
import os
import subprocess
import sys

import numpy as np
import pytest

import symk
from symk import ops
from symk.config import settings
from symk.graph import DtypeError, GraphError, ShapeError


def test_the_package_gives_them_by_name():
    for name in ("placeholder", "shared", "function", "clone", "draw", "grad", "jvp",
                 "hessian_vector", "jacobian", "CustomOp", "custom_op", "load_kernels",
                 "get_include"):
        assert callable(getattr(symk, name)) and name in symk.__all__ and name in dir(symk)


def test_importing_symk_loads_none_of_them():
    program = "import sys, symk; print([m for m in ('numpy', 'symk.graph') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                         check=True, env=dict(os.environ, PYTHONPATH=":".join(sys.path)))
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("mode", ["native", "reference"])
def test_a_function_takes_arrays_and_gives_arrays(mode):
    x, y = symk.placeholder((None,), name="x"), symk.placeholder((), name="y")
    single = symk.function([x, y], x * y, mode=mode)
    several = symk.function([x, y], [x * y, x + y, 3.0], mode=mode)
    assert single([1, 2], 3).tolist() == [3, 6]
    assert [np.asarray(v).tolist() for v in several([1, 2], 3)] == [[3, 6], [4, 5], 3]


@pytest.mark.parametrize("mode", ["native", "reference"])
def test_updates_and_givens(mode):
    x, total = symk.placeholder((None,), name="x"), symk.shared(0.0, name="total")
    scaled = x * 2.0
    f = symk.function([x], ops.sum(scaled), updates={total: total + ops.sum(x)},
                      givens={scaled: x * 3.0}, mode=mode)
    assert f([1, 2]) == 9 and f([3]) == 9
    assert total.get_value() == 6


def test_an_input_that_nothing_needs_is_reported_as_asked():
    x, y = symk.placeholder((2,), name="x"), symk.placeholder((2,), name="y")
    with pytest.raises(GraphError, match=r"every input must be used by a result; <y \(2,\) float32>"
                                         " is not"):
        symk.function([x, y], x * 2.0)
    with pytest.warns(UserWarning, match="every input must be used"):
        symk.function([x, y], x * 2.0, on_unused_input="warn")
    f = symk.function([x, y], x * 2.0, on_unused_input="ignore")
    assert f([1, 2], [3, 4]).tolist() == [2, 4]
    with pytest.raises(GraphError, match="on_unused_input must be one of raise, warn, ignore"):
        symk.function([x, y], x, on_unused_input="silent")


def test_an_input_whose_size_is_used_is_used():
    x = symk.placeholder((None, 3), name="x")
    assert symk.function([x], ops.full((x.shape[0],), 1, "float32"))(np.zeros((2, 3))).tolist() \
        == [1, 1]


def test_placeholders_may_share_an_unknown_size():
    x = symk.placeholder((None,), name="x")
    y = symk.placeholder((x.shape[0],), "float64", name="y")
    assert x.dtype == settings.floatx and y.dtype == "float64" and x.shape == y.shape
    with pytest.raises(ShapeError, match="a size must be an integer"):
        symk.placeholder(("many",))


def test_shared_values_are_copies():
    start = np.array([1.0, 2.0])
    w = symk.shared(start, name="w")
    start[0] = 5
    value = w.get_value()
    value[0] = 7
    assert w.get_value().tolist() == [1, 2] and w.dtype == "float64" and w.name == "w"
    w.set_value([3, 4])
    assert symk.function([], w * 2.0)().tolist() == [6, 8]
    with pytest.raises(ShapeError, match="the shape must stay"):
        w.set_value([1, 2, 3])


def test_shared_numbers_take_the_dtypes_of_constants():
    assert symk.shared(1.5).dtype == settings.floatx and symk.shared(3).dtype == "int32"
    assert symk.shared([1, 2], dtype="float64").dtype == "float64"


def test_clone_replaces_and_shares_the_rest():
    x, y = symk.placeholder((None,), name="x"), symk.placeholder((None,), name="y")
    constant = ops.exp(ops.constant(1.0))
    z = ops.sin(x) * constant
    copy = symk.clone(z, replace={x: y})
    assert constant.node in [v.node for v in copy.node.inputs]
    f = symk.function([y], copy)
    np.testing.assert_allclose(f([0.5, 1.0]), np.sin([0.5, 1.0]) * np.e, rtol=1e-6)
    first, second = symk.clone([z, ops.cos(x)], replace=[(x, y)])
    assert symk.function([y], [first, second])([0.5])[1] == np.cos(np.float32(0.5))
    assert symk.clone(z) is z


def test_clone_replaces_inside_of_the_graph_and_by_values():
    x = symk.placeholder((2,), name="x")
    inner = ops.exp(x)
    z = inner * 2.0 + x
    assert symk.function([x], symk.clone(z, {inner: x}))([1, 2]).tolist() == [3, 6]
    assert symk.function([x], symk.clone(z, {inner: [1.0, 1.0]}))([1, 2]).tolist() == [3, 4]


def test_clone_gives_a_batch_a_known_size():
    x = symk.placeholder((None, 3), name="x")
    z = ops.reshape(x, (-1,)) * 2.0
    fixed = symk.placeholder((4, 3), name="fixed")
    assert z.shape == (x.shape[0] * 3,) and symk.clone(z, {x: fixed}).shape == (12,)


@pytest.mark.parametrize("replace, error, message", [
    (lambda x: {x: np.zeros((2, 3), "float32")}, ShapeError, "must have the shape"),
    (lambda x: {x: ops.constant([1, 2])}, DtypeError, "must have the dtype"),
    (lambda x: {3: x}, GraphError, r"\[clone\] symbolic tensors can be replaced; 3"),
])
def test_a_replacement_must_fit(replace, error, message):
    x = symk.placeholder((2,), name="x")
    with pytest.raises(error, match=message):
        symk.clone(ops.exp(x), replace(x))


def test_derivatives_are_those_of_stable_forms():
    x = symk.placeholder((3,), "float64", name="x")
    loss = ops.sum(ops.log(1 + ops.exp(x)))
    value = np.array([-1e4, 0.0, 1e4])
    slope, bent, moved, jacobian = symk.function([x], [
        symk.grad(loss, x), symk.hessian_vector(loss, x, np.ones(3)),
        symk.jvp(loss, x, np.ones(3)), symk.jacobian(ops.log(1 + ops.exp(x)), x)])(value)
    assert slope.tolist() == [0, 0.5, 1] and bent.tolist() == [0, 0.25, 0] and moved == 1.5
    assert jacobian.tolist() == np.diag([0, 0.5, 1]).tolist()


def test_known_gradients_and_the_loss_add_up():
    x = symk.placeholder((3,), "float64", name="x")
    y = ops.log(1 + ops.exp(x))
    value = np.array([-1.0, 0.0, 2.0])
    known = np.array([1.0, 2.0, 3.0])
    both, alone = symk.function([x], [symk.grad(ops.sum(y), x, known={y: known}),
                                      symk.grad(None, x, known={y: known})])(value)
    sigmoid = 1 / (1 + np.exp(-value))
    np.testing.assert_allclose(both, sigmoid * (1 + known))
    np.testing.assert_allclose(alone, sigmoid * known)


def test_known_gradients_of_tensors_with_one_stable_form_add_up():
    x = symk.placeholder((2,), "float64", name="x")
    first, second = (ops.log(1 + ops.exp(x)) for _ in range(2))
    slope = symk.grad(None, x, known={first: np.array([1.0, 0.0]), second: np.array([3.0, 4.0])})
    assert symk.function([x], slope)(np.zeros(2)).tolist() == [2, 2]


def test_derivatives_in_a_tensor_inside_of_the_graph():
    x = symk.placeholder((3,), "float64", name="x")
    inner = ops.exp(x)
    loss = ops.sum(ops.log(1 + inner))
    slope, missing = symk.grad(loss, [inner, symk.shared(1.0)])
    assert missing is None
    np.testing.assert_allclose(symk.function([x], slope)(np.zeros(3)), [0.5, 0.5, 0.5])
    assert symk.jvp([loss], [inner], [np.ones(3)])[0].shape == ()


def test_drawings_are_written(tmp_path):
    x = symk.placeholder((2,), name="x")
    y = ops.exp(x) * 2.0
    f = symk.function([x], y)
    f([1, 2])
    for name, what, view, start in (("a.svg", y, "graph", "<svg"), ("b.dot", y, "graph", "digraph"),
                                    ("c.svg", f, "graph", "<svg"), ("d.gv", [y, x], "graph", "dig"),
                                    ("e.svg", f, "memory", "<svg")):
        symk.draw(what, tmp_path / name, view)
        assert (tmp_path / name).read_text().startswith(start)
    for what, name, view in ((y, "a.png", "graph"), (f, "a.dot", "memory"), (y, "a.svg", "time")):
        with pytest.raises(GraphError, match=r"\[draw\] a .svg, or .dot or .gv"):
            symk.draw(what, tmp_path / name, view)
    with pytest.raises(GraphError, match="only a function has a map of memory"):
        symk.draw(y, tmp_path / "a.svg", "memory")


def test_the_headers_are_where_compilers_look():
    pytest.importorskip("symk._core")
    assert {"symk_kernel.h", "symk_runtime.h"} <= set(os.listdir(symk.get_include()))

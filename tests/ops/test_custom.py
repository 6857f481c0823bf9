"""Ops of users, in Python: everywhere where an op of symk can be, with errors that name them."""
import gc
import threading
import weakref

import numpy as np
import pytest

import symk
from symk import ops
from symk.autodiff import verify
from symk.compile import function
from symk.config import settings
from symk.graph import CustomOpError, GraphError, Op, ShapeError, layer_scope
from symk.ops.custom import CustomOp, custom_op


pytestmark = pytest.mark.usefixtures("own_ops")


def cube(**members):
    """x ** 3 as a user writes it; `members` replace or add parts."""
    parts = dict(__module__=__name__, infer=lambda self, x: x,
                 reference=lambda self, x: x ** 3,
                 grad=lambda self, x, y, g: g * 3.0 * ops.square(x))
    parts.update(members)
    return custom_op("test_cube")(type("Cube", (CustomOp,), parts))


def placeholder(*shape, dtype="float64"):
    return symk.placeholder(shape, dtype, name="x")


MODES = pytest.mark.parametrize("mode", ["native", "reference"])


@MODES
def test_it_gives_its_value(mode):
    x = placeholder(None, 3)
    f = symk.function([x], ops.sum(cube()()(x) * 2.0, 0), mode=mode)
    value = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(f(value), np.sum(value ** 3 * 2, 0))
    assert f(np.zeros((0, 3))).tolist() == [0, 0, 0]


def test_its_gradient_is_used_in_both_modes_of_differentiation():
    x = placeholder(4)
    loss = ops.sum(ops.tanh(cube()()(x)))
    feeds = {x: np.array([-0.5, 0.1, 0.7, 1.0])}
    verify.check(loss, feeds)
    verify.check_forward(loss, feeds)
    verify.check(symk.grad(loss, x), feeds, tolerance=1e-5)
    vector = symk.function([x], symk.hessian_vector(loss, x, np.ones(4)))(*feeds.values())
    assert np.isfinite(vector).all()


def test_it_works_inside_of_training():
    op = cube()
    weight = symk.shared(np.array(0.5, "float32"), name="w")
    x = symk.placeholder((None,), "float32")
    loss = ops.mean(ops.square(op()(x * weight) - ops.square(x) * x * 8.0))
    step = symk.function([x], loss, updates=[(weight, weight - 0.01 * symk.grad(loss, weight))])
    data = np.linspace(-1, 1, 32, dtype="float32")
    losses = [step(data) for _ in range(300)]
    assert losses[-1] < 1e-3 * losses[0] and abs(weight.get_value() - 2.0) < 0.1


def test_without_a_gradient_it_is_named():
    x = placeholder(3)
    y = ops.sum(cube(grad=Op.grad)()(x))
    with pytest.raises(GraphError, match=r"^\[test_cube\] .*x -> test_cube has none"):
        symk.grad(y, x)


def test_attributes_are_kept_apart():
    def reference(self, x):
        return x * self.factor

    op = custom_op("test_scale")(type("Scale", (CustomOp,), dict(
        __module__=__name__, __annotations__={"factor": float}, factor=2.0,
        infer=lambda self, x: x, reference=reference)))
    x = placeholder(2)
    f = symk.function([x], [op()(x), op(factor=5.0)(x), op(factor=2.0)(x)])
    assert [list(value) for value in f(np.array([1.0, 2.0]))] == [[2, 4], [5, 10], [2, 4]]
    assert f.show("plan").count("callback(") == 2    # equal ones are one


def test_it_may_have_several_operands_and_results():
    op = custom_op("test_divmod")(type("Divmod", (CustomOp,), dict(
        __module__=__name__, infer=lambda self, a, b: (a, b.with_dtype("int64")),
        reference=lambda self, a, b: (a % b, (a // b).astype("int64")))))
    x, y = placeholder(3), placeholder(3)
    rest, times = op()(x, y)
    f = symk.function([x, y], [rest, times * 2])
    values = f(np.array([7.0, 8.0, 9.0]), np.array([2.0, 3.0, 5.0]))
    assert [list(value) for value in values] == [[1, 2, 4], [6, 4, 2]]


@MODES
def test_a_failure_names_op_layer_and_line_and_keeps_its_cause(mode):
    def reference(self, x):
        raise ZeroDivisionError("nothing to divide by")

    x = placeholder(3)
    with layer_scope("cube_1", "Cube"):
        y = cube(reference=reference)()(x)
    f = symk.function([x], ops.exp(y), mode=mode)
    for _ in range(2):   # the function stays usable
        with pytest.raises(CustomOpError) as raised:
            f(np.ones(3))
        assert "[test_cube]" in str(raised.value)
        assert "ZeroDivisionError: nothing to divide by" in str(raised.value)
        assert isinstance(raised.value.__cause__, ZeroDivisionError)
    if mode == "native":
        assert str(raised.value).startswith('in layer "cube_1" (Cube), ')


def test_an_interrupt_goes_through():
    def reference(self, x):
        raise KeyboardInterrupt

    x = placeholder(3)
    f = symk.function([x], cube(reference=reference)()(x))
    with pytest.raises(KeyboardInterrupt):
        f(np.ones(3))


@MODES
@pytest.mark.parametrize("reference, message", [
    (lambda self, x: x[:1], "must have the shape that infer promises"),
    (lambda self, x: x + 1j, "must have the dtype that infer promises"),
    (lambda self, x: (x, x), "must have the shape|must have the dtype"),
    (lambda self, x: None, "must have the shape that infer promises"),
])
def test_a_result_must_be_what_infer_promises(reference, message, mode):
    x = placeholder(3)
    f = symk.function([x], cube(reference=reference)()(x), mode=mode)
    with pytest.raises(CustomOpError, match=message):
        f(np.ones(3))


def test_a_failed_step_updates_nothing():
    def reference(self, x):
        if x[0] > 1:
            raise ValueError("too large")
        return x

    x, state = placeholder(2), symk.shared(np.zeros(2))
    f = symk.function([x], [], updates=[(state, state + cube(reference=reference)()(x))])
    f.run([np.ones(2)])
    with pytest.raises(CustomOpError):
        f.run([np.full(2, 2.0)])
    assert state.get_value().tolist() == [1, 1]


def test_it_keeps_its_operands_and_cannot_change_them():
    kept = []

    def reference(self, x):
        kept.append(x)
        x += 1
        return x

    x = placeholder(2000)
    y = ops.exp(x)
    f = symk.function([x], [cube(reference=reference)()(y), y + 0.0])
    changed, plain = f(np.zeros(2000))
    f(np.ones(2000))
    assert changed[0] == 2 and plain[0] == 1 and kept[0][0] == 2


def test_a_function_or_a_shared_value_inside_of_it_is_refused():
    state = symk.shared(np.zeros(2))
    other = symk.function([], state * 2.0)
    x = placeholder(2)
    uses = (lambda: other(), state.get_value, lambda: state.set_value(np.ones(2)))
    for use in uses:
        def reference(self, x, use=use):
            use()
            return x
        f = symk.function([x], [], updates=[(state, state + cube(reference=reference)()(x))])
        with pytest.raises(CustomOpError, match="must compute from its arguments alone"):
            f.run([np.ones(2)])
    assert state.get_value().tolist() == [0, 0]


def test_it_runs_inside_of_a_loop():
    x = placeholder(5)
    op = cube(reference=lambda self, x: x * 2.0)()
    (total,), _ = ops.scan(lambda rows, states: ([states[0] + op(rows[0])], []), [x],
                           [ops.constant(0.0, "float64")])
    assert symk.function([x], total)(np.arange(5.0)) == 20


def test_many_threads_may_run_it():
    x = placeholder(None)
    f = symk.function([x], cube()()(x))
    found = {}

    def work(number):
        for _ in range(20):
            found[number] = f(np.full(number + 1, 2.0))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(list(value) == [8.0] * (number + 1) for number, value in found.items())


def test_a_failure_leaves_nothing_behind():
    class Marker(Exception):
        pass

    def reference(self, x):
        raise Marker

    x = placeholder(3)
    f = symk.function([x], cube(reference=reference)()(x))
    with pytest.raises(CustomOpError) as raised:
        f(np.ones(3))
    left = weakref.ref(raised.value.__cause__)
    del raised
    gc.collect()
    assert left() is None


def test_a_definition_may_be_made_again():
    x = placeholder(2)
    first = symk.function([x], cube()()(x))
    second = symk.function([x], cube(reference=lambda self, x: x + 1)()(x))
    assert first(np.full(2, 2.0)).tolist() == [8, 8]
    assert second(np.full(2, 2.0)).tolist() == [3, 3]


@pytest.mark.parametrize("make, message", [
    (lambda: custom_op("exp")(type("Exp", (CustomOp,), dict(
        infer=lambda self, x: x, reference=lambda self, x: x))), "'exp' is one of symk's"),
    (lambda: custom_op("test_half")(type("Half", (CustomOp,), dict(infer=lambda self, x: x))),
     "Half has no reference"),
    (lambda: custom_op("test_none")(object), "a subclass of symk.CustomOp is required"),
])
def test_an_incomplete_definition_is_refused(make, message):
    with pytest.raises(GraphError, match=message):
        make()


def test_infer_must_give_types():
    with pytest.raises(GraphError, match=r"\[test_cube\] infer must give a type"):
        cube(infer=lambda self, x: x.shape)()(placeholder(3))


def test_infer_may_refuse_operands():
    def infer(self, x):
        if x.ndim != 2:
            raise ShapeError("[test_cube] a matrix is required; x is %r." % (x,))
        return x

    with pytest.raises(ShapeError, match=r"a matrix is required; x is \(3,\) float64"):
        cube(infer=infer)()(placeholder(3))


def test_values_adapt_to_the_first_tensor():
    op = custom_op("test_plus")(type("Plus", (CustomOp,), dict(
        __module__=__name__, infer=lambda self, a, b: a,
        reference=lambda self, a, b: a + b)))
    x = placeholder(2, dtype="float32")
    assert op()(x, 1.5).node.inputs[1].dtype == "float32"


def test_a_size_as_an_attribute_needs_a_kernel():
    op = custom_op("test_sized")(type("Sized", (CustomOp,), dict(
        __module__=__name__, __annotations__={"size": object}, size=0,
        infer=lambda self, x: x, reference=lambda self, x: x)))
    x = placeholder(None)
    with pytest.raises(GraphError, match="the attributes of a custom op without kernel"):
        symk.function([x], op(size=x.shape[0])(x))


def test_it_cannot_be_exported(tmp_path):
    x = placeholder(3)
    f = symk.function([x], cube()()(x))
    with pytest.raises(GraphError, match="every op must have a kernel; test_cube of function "
                                         "'predict' run in Python. Load kernels"):
        symk.deploy.export(f, tmp_path / "cube.plan")


def test_constants_that_it_refuses_are_reported_at_the_call():
    def reference(self, x):
        raise ValueError("not today")

    y = cube(reference=reference)()(ops.constant(np.ones(3)))
    f = symk.function([], y)
    with pytest.raises(CustomOpError, match="not today"):
        f()


def test_nan_in_its_result_is_found():
    x = placeholder(3)
    f = function([x], cube(reference=lambda self, x: x * np.nan)()(x), check_nan=True)
    with pytest.raises(symk.graph.NotFiniteError, match="nan came out at position 0"):
        f(np.ones(3))
    assert not settings.check_nan

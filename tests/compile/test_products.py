"""Products of bfloat16: asked for by name, seen in the Plan, near float32, and the same bits for
any number of threads."""
import os
import subprocess
import sys

import numpy as np
import pytest

import symk
from symk import ops
from symk.compile import function
from symk.config import TABLE, settings
from symk.graph import GraphError, Placeholder
from symk.layers import GRU, LSTM, Conv2D, Dense, DepthwiseConv2D, Flatten, SimpleRNN
from symk.models import Sequential
from symk.ops.products import PRODUCTS, rounded

UNIT = 2.0 ** -8    # the rounding of an operand


def products_of(plan):
    """What each product of a Plan, its bodies among them, multiplies in."""
    found = [(step.kernel, step.attributes.get("products")) for step in plan.steps
             if step.kernel in ("matmul", "conv", "conv_grad_input", "conv_grad_kernel")]
    return found + [pair for part in plan.plans for pair in products_of(part)]


def test_nothing_is_rounded_unless_it_is_asked_for():
    x, w = Placeholder("float32", (3, 4)), Placeholder("float32", (4, 5))
    assert products_of(function([x, w], ops.matmul(x, w)).plan) == [("matmul", None)]


@pytest.mark.parametrize("how", ["argument", "setting"])
def test_a_function_says_in_its_plan_what_it_rounds(how, monkeypatch):
    asked = {"products": "bfloat16"} if how == "argument" else {}
    if how == "setting":
        monkeypatch.setattr(settings, "products", "bfloat16")
    x, w = Placeholder("float32", (3, 4)), Placeholder("float32", (4, 5))
    run = function([x, w], ops.matmul(x, w), **asked)
    assert products_of(run.plan) == [("matmul", "bfloat16")]
    assert "bfloat16" in run.show("plan")


def test_another_word_is_refused():
    x = Placeholder("float32", (3, 3))
    with pytest.raises(GraphError, match=r"\[function\] products must be 'float32' or 'bfloat16'"):
        function([x], ops.matmul(x, x), products="float8")
    model = Sequential([Dense(1, input_shape=(2,))])
    with pytest.raises(GraphError, match=r"\[compile\] products must be 'float32' or 'bfloat16'"):
        model.compile("sgd", "mse", products="float8")


def test_the_setting_knows_the_same_words():
    row = next(row for row in TABLE if row.name == "products")
    assert row.choices == PRODUCTS


def test_products_of_tf32_are_the_gpus_alone():
    x = Placeholder("float32", (3, 3))
    with pytest.raises(GraphError, match=r"\[function\] products of tf32 require a GPU"):
        function([x], ops.matmul(x, x), products="tf32")


@pytest.mark.parametrize("products, unit", [("float16", 2.0 ** -11), ("tf32", 2.0 ** -11)])
def test_operands_are_rounded_by_their_meaning(products, unit):
    generator = np.random.default_rng(6)
    a, b = (generator.standard_normal(shape).astype("float32") for shape in ((40, 70), (70, 30)))
    x, w = Placeholder("float32", a.shape), Placeholder("float32", b.shape)
    meant = function([x, w], ops.matmul(x, w), products=products, mode="reference")(a, b)
    exact = a.astype("d") @ b
    bound = (2 * unit + unit ** 2 + 70 * 2.0 ** -24) * (np.abs(a).astype("d") @ np.abs(b))
    assert np.all(np.abs(meant - exact) <= bound) and np.max(np.abs(meant - exact)) > 1e-4
    if products == "float16":
        run = function([x, w], ops.matmul(x, w), products=products)
        np.testing.assert_allclose(run(a, b), meant, rtol=1e-5, atol=1e-5)
        assert "float16" in run.show("plan")


def test_float16_has_a_largest_number():
    x, w = Placeholder("float32", (1, 2)), Placeholder("float32", (2, 1))
    run = function([x, w], ops.matmul(x, w), products="float16")
    assert run(np.float32([[65504, 0]]), np.float32([[1], [1]])) == 65504
    assert run(np.float32([[65520, 0]]), np.float32([[1], [1]])) == np.inf
    assert run(np.float32([[2.0 ** -26, 1]]), np.float32([[1], [1]])) == 1


def test_gradients_and_convolutions_round_to_float16():
    x, w = Placeholder("float32", (2, 6, 6, 9)), Placeholder("float32", (3, 3, 9, 8))
    results = symk.grad(ops.sum(ops.square(ops.conv(x, w))), [x, w])
    generator = np.random.default_rng(7)
    arrays = [generator.standard_normal(shape).astype("float32") for shape in (x.shape, w.shape)]
    low = function([x, w], results, products="float16")
    meant = function([x, w], results, products="float16", mode="reference").run(arrays)
    plain = function([x, w], results).run(arrays)
    for value, reference, wanted in zip(low.run(arrays), meant, plain):
        unit = 2.0 ** -11 * np.max(np.abs(wanted))
        assert 0.2 * unit < np.max(np.abs(value - wanted)) < 2 * unit  # of many terms, each rounded
        # Sums in another order round a few operands of the second product the other way.
        np.testing.assert_allclose(value, reference, rtol=0, atol=unit / 4)


def test_float64_is_left_alone():
    x = Placeholder("float64", (3, 3))
    assert products_of(function([x], ops.matmul(x, x), products="bfloat16").plan) == [
        ("matmul", None)]


def test_the_error_stays_inside_its_bound():
    generator = np.random.default_rng(2)
    a, b = (generator.standard_normal(shape).astype("float32") for shape in ((70, 500), (500, 90)))
    x, w = Placeholder("float32", a.shape), Placeholder("float32", b.shape)
    y = function([x, w], ops.matmul(x, w), products="bfloat16")(a, b)
    bound = (2 * UNIT + UNIT ** 2 + 500 * 2.0 ** -24) * (np.abs(a).astype("d") @ np.abs(b))
    error = np.abs(y - a.astype("d") @ b)
    assert np.all(error <= bound) and np.max(error) > 1e-3


def test_reference_mode_rounds_alike():
    generator = np.random.default_rng(3)
    a, b = (generator.standard_normal(shape).astype("float32") for shape in ((7, 33), (33, 9)))
    x, w = Placeholder("float32", a.shape), Placeholder("float32", b.shape)
    native, meant = (function([x, w], ops.matmul(x, w), products="bfloat16", mode=mode)(a, b)
                     for mode in ("native", "reference"))
    np.testing.assert_allclose(native, meant, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("value, wanted", [
    (1.00390625, 1.0), (1.01171875, 1.015625), (-1.00390625, -1.0), (1e-40, 0.0),
    (3.4028235e38, np.inf), (np.inf, np.inf), (np.nan, np.nan)])
def test_numbers_are_rounded_to_nearest_halves_to_even(value, wanted):
    op = ops.matmul(Placeholder("float32", (1, 1)), Placeholder("float32", (1, 1))).node.op
    made, = rounded(type(op)(products="bfloat16"), np.float32(value).reshape(1))
    np.testing.assert_array_equal(made, np.float32([wanted]))


def small_network():
    model = Sequential([Conv2D(16, 3, padding="same", activation="relu", input_shape=(9, 9, 3)),
                        DepthwiseConv2D(3), Conv2D(8, 3, strides=2, activation="relu"), Flatten(),
                        Dense(4)])
    generator = np.random.default_rng(4)
    model.set_weights([generator.standard_normal(w.shape) * 0.2 for w in model.get_weights()])
    return model


def test_a_model_trains_near_float32():
    generator = np.random.default_rng(5)
    x = generator.standard_normal((32, 9, 9, 3)).astype("float32")
    y = generator.standard_normal((32, 4)).astype("float32")
    losses = {}
    for products in (None, "bfloat16"):
        model = small_network()
        model.compile("sgd", "mse", products=products)
        losses[products] = model.fit(x, y, epochs=6, verbose=0, shuffle=False).history["loss"]
    plain, low = losses[None], losses["bfloat16"]
    np.testing.assert_allclose(low, plain, rtol=0.02)
    assert low != plain and low[-1] < low[0]


def test_all_functions_of_a_model_round_but_for_its_depthwise_steps():
    model = small_network()
    model.compile("sgd", "mse", products="bfloat16")
    for run in (model.train_function, model.test_function, model.predict_function):
        found = products_of(run.program.plan)
        assert found.count(("conv", None)) == 1      # the depthwise one
        assert ("conv", "bfloat16") in found and ("matmul", "bfloat16") in found
    gradients = products_of(model.train_function.program.plan)
    assert ("conv_grad_kernel", "bfloat16") in gradients
    assert ("conv_grad_input", "bfloat16") in gradients


def test_products_inside_of_loops_round_as_well():
    x = Placeholder("float32", (2, 5, 3))
    w = symk.shared(np.ones((3, 3), "float32"))

    def step(row, states):
        state = ops.matmul(states[0], w) + row
        return state, [state]

    last, _, _ = symk.backend.rnn(step, x, [ops.constant(np.zeros((2, 3), "float32"))])
    assert ("matmul", "bfloat16") in products_of(function([x], last, products="bfloat16").plan)


DIGEST = """
import hashlib
import numpy as np
import symk
generator = np.random.default_rng(0)
arrays = [generator.standard_normal(shape).astype("float32")
          for shape in ((8, 28, 28, 19), (3, 3, 19, 40), (300, 1500), (1500, 70))]
x, w, a, b = (symk.placeholder(array.shape) for array in arrays)
y = symk.ops.conv(x, w)
results = [y, *symk.grad(symk.ops.square(y), [x, w]), symk.ops.matmul(a, b)]
run = symk.function([x, w, a, b], results, products="bfloat16")
print(hashlib.sha256(b"".join(value.tobytes() for value in run(*arrays))).hexdigest())
"""


def test_the_bits_do_not_depend_on_the_number_of_threads():
    digests = {subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, text=True,
                              check=True, env=dict(os.environ, SYMK_NUM_THREADS=threads)).stdout
               for threads in ("1", "2", "5")}
    assert len(digests) == 1 and digests != {""}


@pytest.mark.parametrize("layer", [SimpleRNN(19, return_sequences=True), LSTM(33), GRU(17),
                                   GRU(16, reset_after=True)], ids=lambda layer: layer.name)
@pytest.mark.parametrize("batch", [1, 13, 33])
def test_sequences_and_their_gradients_stay_near_float32(layer, batch):
    model = Sequential([layer.from_config(layer.get_config())])
    model.build((None, 9, 12))
    x = np.random.default_rng(batch).standard_normal((batch, 9, 12)).astype("float32")
    given = Placeholder("float32", x.shape)
    y = model(given)
    results = [y, *symk.grad(ops.sum(ops.square(y)), model.trainable_weights)]
    low = function([given], results, products="bfloat16")
    assert any(step.kernel.endswith("_sequence_grad") and step.attributes["products"] == "bfloat16"
               for step in low.plan.steps)
    meant = function([given], results, products="bfloat16", mode="reference").run([x])
    plain = function([given], results).run([x])
    for rounded_value, reference, wanted in zip(low.run([x]), meant, plain):
        scale = np.max(np.abs(wanted))
        assert 1e-5 * scale < np.max(np.abs(rounded_value - wanted)) < 0.03 * scale
        # Where the order of a sum decides how a state is rounded, it is off by one such rounding.
        assert np.max(np.abs(rounded_value - reference)) < 0.01 * scale

"""Weights stored in less than float32: within what the rounding of a weight permits, the same bits
in C as in Python, smaller files, and refused where they cannot be."""
import os

import numpy as np
import pytest

import symk
from symk import ops
from symk.__main__ import main
from symk.compile.plan import encode
from symk.datasets import digits
from symk.deploy import export, load
from symk.deploy.exporter import exported
from symk.graph import GraphError
from symk.layers import (GRU, LSTM, Conv1D, Conv2D, Conv2DTranspose, Conv3D, Dense, DepthwiseConv2D,
                         Embedding, Flatten, LocallyConnected1D, SeparableConv2D, SimpleRNN)
from symk.models import Sequential

core = pytest.importorskip("symk._core", reason="the native runtime is not built")


def quantised(weights, axis=-1):
    """What int8 makes of weights, and the largest error of each."""
    others = tuple(k for k in range(weights.ndim) if k != weights.ndim + axis)
    scale = np.max(np.abs(weights), axis=others, keepdims=True) / 127
    return np.rint(weights / scale) * scale, np.broadcast_to(scale / 2, weights.shape)


def values_of(generator, *shape):
    return generator.standard_normal(shape).astype("float32")


# Around a vector, a block of eight rows, and parts.
@pytest.mark.parametrize("rows", [1, 2, 15])
@pytest.mark.parametrize("inner, columns", [(7, 37), (8, 40), (9, 33), (64, 16), (500, 300)])
@pytest.mark.parametrize("weights", ["float16", "int8"])
def test_a_product_stays_inside_its_bound(rows, inner, columns, weights, tmp_path):
    generator = np.random.default_rng(rows + inner)
    w, x = values_of(generator, inner, columns), values_of(generator, rows, inner)
    b = values_of(generator, columns)
    given = symk.placeholder((None, inner))
    run = symk.function([given], ops.relu(ops.matmul(given, symk.shared(w)) + symk.shared(b)))
    export(run, tmp_path / "product.symk", weights=weights)
    y = load(tmp_path / "product.symk")(x)
    error = np.abs(w) * 2.0 ** -11 if weights == "float16" else quantised(w)[1]
    exact = np.maximum(x.astype("d") @ w + b, 0)
    rounding = (inner + 4) * 2.0 ** -24 * (np.abs(x) @ np.abs(w) + np.abs(b))
    assert np.all(np.abs(y - exact) <= np.abs(x) @ error + rounding)
    assert np.max(np.abs(y - exact)) > 1e-5


def test_int8_is_the_product_with_the_rounded_weights(tmp_path):
    generator = np.random.default_rng(8)
    w, x = values_of(generator, 60, 50), values_of(generator, 1, 60)
    given = symk.placeholder((None, 60))
    export(symk.function([given], ops.matmul(given, symk.shared(w))), tmp_path / "p.symk",
           weights="int8")
    model = load(tmp_path / "p.symk")
    for batch in (x, np.repeat(x, 20, 0)):
        np.testing.assert_allclose(model(batch), batch @ quantised(w)[0], rtol=1e-5, atol=1e-5)


def test_a_column_of_zeros_stays_zero(tmp_path):
    w = np.ones((32, 16), "float32")
    w[:, 3] = 0
    given = symk.placeholder((None, 32))
    export(symk.function([given], ops.matmul(given, symk.shared(w))), tmp_path / "p.symk",
           weights="int8")
    y = load(tmp_path / "p.symk")(np.ones((2, 32), "float32"))
    assert np.all(y[:, 3] == 0) and np.allclose(y[:, 4], 32)


NETWORKS = {
    "dense": ([Dense(40, activation="relu"), Dense(30)], (40,)),
    "lines": ([Conv1D(24, 3), LocallyConnected1D(8, 2), Flatten(), Dense(3)], (12, 20)),
    "images": ([Conv2D(32, 3, activation="relu"), DepthwiseConv2D(3),
                Conv2DTranspose(16, 3, strides=2), SeparableConv2D(20, 3), Flatten(), Dense(10)],
               (11, 12, 8)),
    "volumes": ([Conv3D(16, 2, strides=2), Flatten(), Dense(4)], (5, 6, 5, 7)),
    "sequences": ([LSTM(24, return_sequences=True), GRU(20, reset_after=True,
                                                        return_sequences=True),
                   GRU(20, return_sequences=True), SimpleRNN(18)], (9, 16)),
}


def network(name):
    layers, shape = NETWORKS[name]
    model = Sequential([type(layer).from_config(layer.get_config()) for layer in layers])
    model.build((None,) + shape)
    generator = np.random.default_rng(4)
    model.set_weights([generator.standard_normal(w.shape) * np.prod(w.shape[:-1]) ** -0.5
                       for w in model.get_weights()])
    return model, values_of(generator, 3, *shape)


@pytest.mark.parametrize("weights, tolerance", [("float16", 2e-3), ("int8", 4e-2)])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_kind_of_layer_keeps_its_values_nearly(name, weights, tolerance, tmp_path):
    model, x = network(name)
    model.export(tmp_path / "m.symk", weights=weights)
    wanted = model.predict(x)
    y = load(tmp_path / "m.symk")(x)
    error = np.max(np.abs(y - wanted)) / np.max(np.abs(wanted))
    assert 1e-6 < error < tolerance


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_the_c_program_gives_the_same_bits(name, run_in_c, tmp_path):
    model, x = network(name)
    model.export(tmp_path / "m.symk", weights="int8")
    here = load(tmp_path / "m.symk")
    for batch in (x, x[:1]):
        assert run_in_c(tmp_path / "m.symk", [batch], calls=2)[0].tobytes() == here(batch).tobytes()


@pytest.mark.parametrize("weights, step", [("float16", 2.0 ** -11), ("int8", 1 / 254)])
def test_rows_of_an_embedding_are_rounded_weights(weights, step, tmp_path):
    model = Sequential([Embedding(50, 24, input_length=6)])
    model.export(tmp_path / "m.symk", weights=weights)
    words = np.array([[0, 49, 3, 3, 7, 12]])
    table = model.get_weights()[0]
    error = np.abs(load(tmp_path / "m.symk")(words) - table[words])
    assert 0 < np.max(error) <= step * np.max(np.abs(table)) * 1.001
    assert os.path.getsize(tmp_path / "m.symk") < 50 * 24 * 4


def test_weights_of_several_readers_stay_where_one_of_them_needs_float32(tmp_path):
    w = symk.shared(np.ones((32, 32), "float32"))
    given = symk.placeholder((None, 32))
    run = symk.function([given], [ops.matmul(given, w), ops.sum(given) + w])
    functions, values, _ = exported(run, weights="int8")
    assert {value.array.dtype.name for value in values} <= {"float32"}
    tied = symk.function([given], ops.matmul(ops.matmul(given, w), w))
    _, values, _ = exported(tied, weights="int8")
    assert sorted(value.array.dtype.name for value in values) == ["float32", "int8"]


def test_weights_that_a_function_changes_stay_float32():
    model = Sequential([Dense(20, input_shape=(20,))])
    model.compile("sgd", "mse")
    _, values, _ = exported(model, train=True, weights="int8")
    assert all(value.array.dtype != "int8" for value in values)


def test_the_file_shrinks_as_its_weights_do(tmp_path):
    model = Sequential([Dense(512, input_shape=(512,)), Dense(512)])
    sizes = {}
    for weights in ("float32", "float16", "int8"):
        model.export(tmp_path / weights, weights=weights)
        sizes[weights] = os.path.getsize(tmp_path / weights)
    assert sizes["float16"] < 0.52 * sizes["float32"] and sizes["int8"] < 0.27 * sizes["float32"]


def test_digits_are_read_as_well():
    (x, labels), (x_test, labels_test) = digits.load_data()
    x, x_test = (v.reshape(len(v), -1).astype("float32") / 255 for v in (x, x_test))
    model = Sequential([Dense(64, activation="relu", input_shape=x.shape[1:]),
                        Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, labels, epochs=5, verbose=0)
    wanted = model.predict(x_test).argmax(-1)
    for weights in ("float16", "int8"):
        function, values = exported(model, weights=weights)[:2]
        program = core.Program(encode(function[0].plan), [
            core.Tensor(np.asarray(values[number].array)) for number in function[0].values])
        found = program.run([x_test])[0].argmax(-1)
        assert np.mean(found == wanted) > 0.99
        assert abs(np.mean(found == labels_test) - np.mean(wanted == labels_test)) < 0.005


@pytest.mark.parametrize("weights, bad", [("float16", 1e5), ("int8", np.inf), ("int8", np.nan)])
def test_weights_that_cannot_be_stored_so_are_refused(weights, bad):
    w = np.ones((32, 32), "float32")
    w[2, 3] = bad
    given = symk.placeholder((None, 32))
    run = symk.function([given], ops.matmul(given, symk.shared(w, name="big")))
    message = r"\[export\] weights stored as %s must be finite" % weights
    with pytest.raises(GraphError, match=message):
        exported(run, weights=weights)


def test_another_word_is_refused(tmp_path):
    with pytest.raises(GraphError, match=r"\[export\] weights must be one of float32, float16"):
        Sequential([Dense(2, input_shape=(2,))]).export(tmp_path / "m", weights="int4")


def test_the_command_line_stores_weights_too(tmp_path, capsys):
    model = Sequential([Dense(64, input_shape=(64,))])
    model.compile("sgd", "mse")
    model.save(str(tmp_path / "m.h5"))
    source = str(tmp_path / "m.h5")
    assert main(["export", source, str(tmp_path / "m.symk"), "--weights", "int8"]) == 0
    assert os.path.getsize(tmp_path / "m.symk") < 64 * 64 * 2
    with pytest.raises(SystemExit, match="--weights are not for ONNX files"):
        main(["export", source, str(tmp_path / "m.onnx"), "--onnx", "--weights", "int8"])


def test_products_of_bfloat16_take_stored_weights(tmp_path):
    generator = np.random.default_rng(1)
    w, x = values_of(generator, 70, 50), values_of(generator, 6, 70)
    given = symk.placeholder((None, 70))
    run = symk.function([given], ops.matmul(given, symk.shared(w)), products="bfloat16")
    export(run, tmp_path / "m.symk", weights="int8")
    model, wanted = load(tmp_path / "m.symk"), x @ quantised(w)[0]
    for batch in (x, x[:1]):
        bound = 2.0 ** -7 * 1.01 * (np.abs(batch) @ np.abs(quantised(w)[0]))
        assert np.all(np.abs(model(batch) - batch @ quantised(w)[0]) <= bound)
    assert np.max(np.abs(model(x) - wanted)) > 1e-4

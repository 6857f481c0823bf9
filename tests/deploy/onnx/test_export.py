"""The file: its names, its sizes, its metadata, and what is refused."""
import numpy as np
import pytest

from symk import layers, ops
from symk.__main__ import main
from symk.compile import function
from symk.deploy import to_onnx
from symk.deploy.onnx import OPSET
from symk.graph import GraphError, Placeholder, Shared
from symk.layers import Input
from symk.models import Model, Sequential

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("symk._core")


def model_of_two():
    image, word = Input((8, 8, 3), name="image"), Input((None,), dtype="int32", name="word")
    seen = layers.Flatten()(layers.Conv2D(4, 3, name="edges")(image))
    read = layers.GRU(5)(layers.Embedding(20, 6)(word))
    both = layers.concatenate([seen, read])
    return Model([image, word], [layers.Dense(3, activation="softmax", name="kind")(both),
                                 layers.Dense(1, name="price")(both)])


def compare(got, wanted):
    """As many arrays, equal up to rounding."""
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted):
        assert one.shape == other.shape and one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def sizes(value):
    return [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]


def test_the_names_and_sizes_of_a_model(tmp_path, run_onnx):
    model = model_of_two()
    to_onnx(model, tmp_path / "m.onnx", {"author": "someone"})
    graph = onnx.load(tmp_path / "m.onnx").graph
    assert [value.name for value in graph.input] == model.input_names == ["image", "word"]
    assert [value.name for value in graph.output] == model.output_names == ["kind", "price"]
    assert [sizes(value) for value in graph.input] == [["batch", 8, 8, 3], ["batch", "word_1"]]
    assert [sizes(value) for value in graph.output] == [["batch", 3], ["batch", 1]]
    assert {"edges/Conv", "kind/Softmax"} <= {node.name for node in graph.node}
    assert "edges/kernel:0" in {weight.name for weight in graph.initializer}
    for batch, length in ((1, 4), (5, 1)):
        data = [np.random.rand(batch, 8, 8, 3).astype("float32"),
                np.random.randint(0, 20, (batch, length)).astype("int32")]
        compare(run_onnx(tmp_path / "m.onnx", data), model.predict(data))


def test_the_file_says_what_it_is(tmp_path):
    model = to_onnx(Sequential([layers.Dense(2, input_shape=(3,))]), metadata={"author": "someone"})
    assert model.opset_import[0].version == OPSET and model.producer_name == "symk"
    assert [(entry.key, entry.value) for entry in model.metadata_props] == [("author", "someone")]
    onnx.checker.check_model(model, full_check=True)


def test_outputs_of_one_layer_get_numbers_behind_its_name(run_onnx):
    x = Input((5, 3))
    model = Model(x, layers.LSTM(4, return_state=True, name="l")(x))
    assert model.output_names == ["l", "l", "l"]
    made = to_onnx(model)
    assert [output.name for output in made.graph.output] == ["l", "l_1", "l_2"]
    data = np.random.rand(2, 5, 3).astype("float32")
    compare(run_onnx(made, [data]), model.predict(data))


def test_metadata_must_be_a_dict(tmp_path):
    with pytest.raises(GraphError, match="metadata must be a dict"):
        to_onnx(Sequential([layers.Dense(2, input_shape=(3,))]), metadata=["author"])


@pytest.mark.parametrize("limit", [6.0, np.nan])
def test_a_relu_with_a_limit_keeps_nan(limit, run_onnx):
    x = Placeholder("float32", (None,), name="x")
    computed = function([x], ops.minimum(ops.relu(x), np.float32(limit)), mode="reference")
    data = np.float32([-1, 0.5, 7, np.nan])
    np.testing.assert_array_equal(run_onnx(to_onnx(computed), [data])[0], computed(data))


def test_two_outputs_may_be_one_value_and_an_input(run_onnx):
    x = Placeholder("float32", (None, 2), name="x")
    y = ops.exp(x)
    computed = function([x], [y, y, x, ops.constant(np.float32([1, 2]))], mode="reference")
    data = np.float32([[0, 1]])
    compare(run_onnx(to_onnx(computed), [data]), computed.run([data]))


def test_sizes_are_computed_from_the_inputs(run_onnx):
    x = Placeholder("float32", (None, None, 3), name="x")
    rows, columns = x.shape[0], x.shape[1]
    outputs = [ops.reshape(x, (columns, rows * 3)), x[1:, ::-1], x[::-2],
               ops.pad(x, (0, 1, 0), (columns // 2, 0, 0), 7),
               ops.cast(ops.size_of(rows * columns + (rows - 1) // 2), "float32"),
               ops.reshape(ops.tile(x, (2, 1, 1)), (-1,)), ops.arange(columns, dtype="float32")]
    computed = function([x], outputs, mode="reference")
    written = to_onnx(computed)
    for shape in ((2, 5, 3), (4, 1, 3), (1, 2, 3)):
        data = np.random.rand(*shape).astype("float32")
        compare(run_onnx(written, [data]), computed.run([data]))


@pytest.mark.parametrize("reverse", [False, True])
def test_loops_inside_of_loops_and_branches(reverse, run_onnx):
    x = Placeholder("float32", (None, 4, 3), name="x")
    w = Shared(np.random.rand(3, 3).astype("float32"), name="w")

    def inner(rows, states):
        state = ops.cond(ops.greater(ops.sum(rows[0]), 1.5), lambda: ops.tanh(states[0] + rows[0]),
                         lambda: states[0] - rows[0])
        return [state], [state * 2]

    def outer(rows, states):
        start = ops.reshape(ops.matmul(ops.reshape(states[0], (1, 3)), w), (3,))
        (last,), (every,) = ops.scan(inner, [rows[0]], [start], reverse=reverse)
        return [last], [ops.sum(every, (0,))]

    states, outputs = ops.scan(outer, [x], [ops.constant(np.float32([1, 2, 3]))], reverse=reverse)
    (counted,), _ = ops.scan(lambda rows, states: ([states[0] * 2], []), (),
                             [ops.constant(np.float32(1))], length=x.shape[0])
    computed = function([x], [*states, *outputs, counted], mode="reference")
    data = np.random.rand(5, 4, 3).astype("float32")
    compare(run_onnx(to_onnx(computed), [data]), computed.run([data]))


def test_the_error_names_op_and_layer():
    x = Input((3,))
    noisy = layers.Lambda(lambda v: ops.erfinv(v), name="inverse")(x)
    with pytest.raises(GraphError, match=(
            r'in layer "inverse" \(Lambda\): \[to_onnx\] every op must have a form in ONNX; '
            r"for erfinv of \(.*3\) float32")):
        to_onnx(Model(x, noisy))


def test_what_is_no_function_and_what_has_updates_is_refused():
    with pytest.raises(GraphError, match="a compiled function or a model is required; 'int'"):
        to_onnx(3)
    count = Shared(np.float32(0), name="count")
    with pytest.raises(GraphError, match="without updates is required; this one updates count"):
        to_onnx(function([], [count], updates=[(count, count + 1)], mode="reference"))


def test_a_refusal_leaves_the_old_file(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"old")
    x = Placeholder("float32", (3,))
    with pytest.raises(GraphError):
        to_onnx(function([x], ops.erfinv(x), mode="reference"), path)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_without_the_package_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    x = Placeholder("float32", (3,))
    with pytest.raises(ImportError, match=r"\[to_onnx\] the package onnx is required.*pip install"):
        to_onnx(function([x], ops.exp(x), mode="reference"))


def test_the_command_says_what_is_wrong_with_a_model(tmp_path, capsys):
    h5py = pytest.importorskip("h5py")
    model = Sequential([layers.Dense(2, input_shape=(3,))])
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        config = file.attrs["model_config"]
        config = config.decode() if isinstance(config, bytes) else config
        file.attrs["model_config"] = config.replace('"float32"', '"float99"', 1)
    assert main(["export", "--onnx", str(tmp_path / "m.h5"), str(tmp_path / "m.onnx")]) == 1
    assert "float99" in capsys.readouterr().err


def test_the_command_writes_an_onnx_file(tmp_path, run_onnx):
    model = Sequential([layers.Dense(2, input_shape=(3,))])
    model.compile("sgd", "mse")
    model.save(tmp_path / "m.h5")
    assert main(["export", "--onnx", str(tmp_path / "m.h5"), str(tmp_path / "m.onnx")]) == 0
    data = np.random.rand(4, 3).astype("float32")
    compare(run_onnx(tmp_path / "m.onnx", [data]), [model.predict(data)])

"""ONNX files become functions: those that symk has written, and the cases of ONNX's own tests."""
import importlib.util
import pathlib
import warnings

import numpy as np
import pytest

from symk import applications, layers, ops
from symk.compile import function
from symk.deploy import from_onnx, to_onnx
from symk.graph import GraphError, Placeholder, SymkError
from symk.layers import Input
from symk.models import Model

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")     # by what is shared with test_every_op.py
pytest.importorskip("symk._core")
FOLDER = pathlib.Path(__file__).resolve().parents[2]


def module_at(*path):
    spec = importlib.util.spec_from_file_location(path[-1][:-3], FOLDER.joinpath(*path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


samples = module_at("ops", "test_every_op.py")
every_layer = module_at("layers", "test_every_layer.py")
STATELESS = [row for row in every_layer.ROWS if not row.values[1].get("stateful")]


def close(got, wanted, tolerance):
    """Equal up to rounding of the largest value."""
    assert got.dtype == wanted.dtype and got.shape == wanted.shape
    finite = np.abs(wanted[np.isfinite(wanted)].astype("float64"))
    np.testing.assert_allclose(got.astype("float64"), wanted.astype("float64"), rtol=0,
                               atol=tolerance * np.max(finite, initial=1e-3))


@pytest.mark.parametrize("name, row", [
    (name, row) for name, row in module_at("deploy", "onnx", "test_every_op.py").CASES
    if row in (0, len(samples.OPS[name].samples) - 1)])
def test_an_op_comes_back(name, row):
    sample = samples.OPS[name].samples[row]
    arrays = samples.arrays_of(name, sample, samples.main_dtype(name, sample))
    first = function(*samples.build(name, sample, arrays), mode="reference")
    again = from_onnx(to_onnx(first), mode="reference")
    with np.errstate(all="ignore"):
        results, wanted = again.run(arrays), first.run(arrays)
    assert len(results) == len(wanted)
    for got, value in zip(results, wanted):
        close(got, value, 1e-4 if name == "ctc_loss_grad" else 4e-6)


@pytest.mark.parametrize("name, kwargs, shape, dtype, fixed_batch_size", STATELESS)
def test_a_layer_comes_back(name, kwargs, shape, dtype, fixed_batch_size):
    x = Input(shape[1:], dtype=dtype)
    layer = getattr(layers, name)(**every_layer.fresh(kwargs))
    model = Model(x, layer(x))
    layer.set_weights(every_layer.random_weights(layer))
    again = from_onnx(to_onnx(model))
    for batch in (1, 3):
        sizes = [batch] + [4 if size is None else size for size in shape[1:]]
        data = np.random.uniform(0, 3, sizes).astype(dtype or "float32")
        close(again.run([data])[0], model.predict(data, batch_size=batch), 3e-5)


def test_a_network_comes_back_with_as_many_steps(tmp_path):
    model = applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), include_top=False)
    to_onnx(model, tmp_path / "m.onnx")
    again = from_onnx(tmp_path / "m.onnx")
    data = np.random.rand(2, 32, 32, 3).astype("float32")
    close(again.run([data])[0], model.predict(data), 1e-5)
    assert len(again.plan.steps) <= len(model.predict_function.plan.steps) + 2


def test_the_cases_of_onnx_itself():
    """Each is computed as ONNX says, or refused; none is computed otherwise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")      # of the NumPy in which the cases are written
        from onnx.backend.test.case.node import collect_testcases
        cases = [case for case in collect_testcases(None) if case.model is not None]
    agreeing, wrong = 0, []
    for case in cases:
        inputs, outputs = case.data_sets[0]
        if not all(isinstance(array, np.ndarray) for array in [*inputs, *outputs]):
            continue
        try:
            computed, arrays = _imported(case.model, inputs)
        except SymkError:
            continue
        with np.errstate(all="ignore"):
            results = computed.run(arrays)
        agreeing += 1
        for got, wanted in zip(results, outputs):
            if got.shape != wanted.shape or not np.allclose(
                    got.astype("float64"), wanted.astype("float64"), rtol=2e-3, atol=1e-5,
                    equal_nan=True):
                wrong.append(case.name)
    assert not wrong
    assert agreeing > 740


def _imported(model, inputs):
    """The function of a case, and what to feed; shapes and the like are made part of the model."""
    try:
        return from_onnx(model, mode="reference"), inputs
    except GraphError:
        fixed = onnx.ModelProto()
        fixed.CopyFrom(model)
        given = list(zip(fixed.graph.input, inputs))
        del fixed.graph.input[:]
        kept = []
        for info, array in given:
            if array.dtype.kind in "iu" or array.ndim <= 1 and array.size <= 4:
                fixed.graph.initializer.append(onnx.numpy_helper.from_array(array, info.name))
            else:
                fixed.graph.input.append(info)
                kept.append(array)
        return from_onnx(fixed, mode="reference"), kept


def single(kind, *shapes, **attributes):
    """A model of one node over float32 inputs of these shapes; its output has as many axes."""
    helper = onnx.helper
    infos = [helper.make_tensor_value_info("x%d" % k, 1, shape) for k, shape in enumerate(shapes)]
    node = helper.make_node(kind, [info.name for info in infos], ["y"], name="n", **attributes)
    output = helper.make_tensor_value_info("y", 1, [None] * len(shapes[0]))
    return helper.make_model(helper.make_graph([node], "g", infos, [output]), ir_version=8,
                             opset_imports=[helper.make_opsetid("", 17)])


def test_names_and_sizes_are_those_of_the_file():
    imported = from_onnx(single("Add", ["batch", 3], ["batch", 3]))
    assert [variable.name for variable in imported.inputs] == ["x0", "x1"]
    assert imported.inputs[0].shape[0] == imported.inputs[1].shape[0]
    assert [variable.name for variable in imported.outputs] == ["y"]
    assert imported.run([np.ones((2, 3), "float32")] * 2)[0].tolist() == [[2] * 3] * 2
    with pytest.raises(SymkError):
        imported.run([np.ones((2, 3), "float32"), np.ones((1, 3), "float32")])


@pytest.mark.parametrize("model, message", [
    (lambda: single("Det", [2, 2]), r"symk has no form for node 'n' \(Det\)"),
    (lambda: single("MatMul", [2, 3], [4, 5]), r"node 'n' \(MatMul\): \[matmul\] inner sizes"),
    (lambda: single("MaxPool", [1, 1, 4, 4], kernel_shape=[2, 2], dilations=[2, 2]),
     r"node 'n' \(MaxPool\): dilations must be \[1, 1\]; it is \[2, 2\]"),
    (lambda: single("Tile", [2, 3], [2]), "a shape must follow from the sizes of the inputs")])
def test_what_is_refused_is_named(model, message):
    with pytest.raises(SymkError, match=r"\[from_onnx\] .*" + message):
        from_onnx(model())


def test_old_opsets_and_damaged_files_are_refused(tmp_path):
    old = single("Relu", [2])
    old.opset_import[0].version = 11
    with pytest.raises(GraphError, match="opset 13 or later is required; the model has 11"):
        from_onnx(old)
    (tmp_path / "m.onnx").write_bytes(b"\x08\x07nonsense")
    with pytest.raises(GraphError, match="a valid ONNX model is required"):
        from_onnx(tmp_path / "m.onnx")
    with pytest.raises(FileNotFoundError):
        from_onnx(tmp_path / "absent.onnx")


def test_no_change_of_bytes_does_more_than_refuse(tmp_path):
    x = Input((4, 3))
    content = to_onnx(Model(x, layers.Dense(2)(layers.LSTM(2)(x)))).SerializeToString()
    generator, refused = np.random.RandomState(0), 0
    for _ in range(300):
        changed = bytearray(content)
        for place in generator.randint(0, len(content), generator.randint(1, 4)):
            changed[place] = generator.randint(256)
        (tmp_path / "m.onnx").write_bytes(changed)
        try:
            from_onnx(tmp_path / "m.onnx", mode="reference")
        except SymkError:
            refused += 1
    assert refused > 50


def test_an_imported_function_can_be_written_again():
    x = Placeholder("float32", (None, 3), name="x")
    first = function([x], [ops.softmax(ops.tanh(x) * 2)])
    again = from_onnx(to_onnx(from_onnx(to_onnx(first))))
    data = np.random.randn(4, 3).astype("float32")
    np.testing.assert_allclose(again.run([data])[0], first.run([data])[0], rtol=1e-6)

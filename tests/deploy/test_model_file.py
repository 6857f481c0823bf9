"""Files with several functions, with states and with metadata; what is folded; what is mapped."""
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest

from symk import layers
from symk import backend as K
from symk.compile.plan import decode
from symk.deploy import exporter, load
from symk.deploy.exporter import export
from symk.graph.errors import GraphError
from symk.models import Model, Part, Sequential

pytest.importorskip("symk._core", reason="the native runtime is not built")


def classifier():
    model = Sequential([
        layers.Conv2D(4, 3, use_bias=False, input_shape=(6, 6, 2), name="conv"),
        layers.BatchNormalization(name="norm"), layers.ReLU(), layers.Dropout(0.5),
        layers.Flatten(), layers.Dense(3, activation="softmax", name="classes")], name="shapes")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def batch(rows=8):
    generator = np.random.RandomState(0)
    return (generator.standard_normal((rows, 6, 6, 2)).astype("float32"),
            generator.randint(0, 3, (rows, 1)))


def autoencoder():
    """(encoder, decoder, both in a row)"""
    x, code = layers.Input((12,), name="x"), layers.Input((3,), name="code")
    encoder = Model(x, layers.Dense(3, activation="tanh", name="code_of_x")(x), name="encoder")
    decoder = Model(code, layers.Dense(12, name="x_of_code")(code), name="decoder")
    return encoder, decoder, Model(x, decoder(encoder(x)), name="autoencoder")


def test_functions_share_their_weights(tmp_path):
    encoder, decoder, whole = autoencoder()
    path = tmp_path / "autoencoder.symk"
    export({"predict": whole, "encode": encoder, "decode": decoder}, path, {"author": "a test"})
    model = load(path)
    assert list(model.functions) == ["predict", "encode", "decode"]
    assert model.functions["predict"] is model and model.metadata("author") == "a test"
    x = np.random.rand(5, 12).astype("float32")
    code = model.functions["encode"](x)
    assert code.tobytes() == encoder.predict(x).tobytes()
    assert model.functions["decode"](code).tobytes() == model(x).tobytes()
    functions, values, _ = exporter.exported({"predict": whole, "encode": encoder,
                                              "decode": decoder})
    assert len(values) == 4 and sorted(functions[0].values) == [0, 1, 2, 3]
    assert set(functions[1].values) | set(functions[2].values) == {0, 1, 2, 3}


def test_a_file_describes_itself(tmp_path):
    classifier().export(tmp_path / "m.symk", {"task": "shapes"}, train=True)
    model = load(tmp_path / "m.symk")
    assert {key: model.metadata(key) for key in model.metadata_keys()} == {
        "name": "shapes", "task": "shapes"}
    train = model.functions["train"]
    assert [name for name, _, _ in model.outputs] == ["classes"]
    assert [name for name, _, _ in train.outputs] == ["loss", "accuracy"]
    assert train.inputs[1] == ("classes_target", np.dtype("int64"), (None, 1))
    assert model.shapes == (["(conv_input.0, 6, 6, 2)"], ["(conv_input.0, 3)"])


def test_sizes_of_outputs_are_expressions_of_those_of_inputs(tmp_path):
    x = layers.Input((None, 3), name="x")
    Model(x, layers.Conv1D(2, 2, strides=2)(x)).export(tmp_path / "m.symk")
    model = load(tmp_path / "m.symk")
    (given,), (made,) = model.shapes
    assert given == "(x.0, x.1, 3)" and made.startswith("(x.0, ") and "x.1" in made[5:]
    assert model.outputs[0][2] == (None, None, 2)


def test_a_training_step_trains_where_it_is_loaded(tmp_path):
    model, (x, y) = classifier(), batch()
    path = tmp_path / "m.symk"
    model.export(path, train=True)
    loaded = load(path)
    train, before = loaded.functions["train"], loaded(x)
    for _ in range(5):
        expected = model.train_on_batch(x, y, reset_metrics=False)
        loss, accuracy = train.run([x, y])
        assert (loss.item(), accuracy.item()) == tuple(np.float32(expected))
    assert loaded(x).tobytes() == model.predict_on_batch(x).tobytes() != before.tobytes()
    loaded.save(tmp_path / "trained.symk")
    again = load(tmp_path / "trained.symk")
    assert again(x).tobytes() == loaded(x).tobytes()
    for trained in (loaded, again):     # the optimizer's state came along
        trained.functions["train"].run([x, y])
    assert again(x).tobytes() == loaded(x).tobytes()
    assert load(path)(x).tobytes() == before.tobytes()


def test_states_are_read_and_written(tmp_path):
    classifier().export(tmp_path / "m.symk", train=True)
    model = load(tmp_path / "m.symk")
    x, _ = batch()
    assert "classes/bias:0" in model.states
    bias = model.get_state("classes/bias:0")
    assert (bias == 0).all() and bias.shape == (3,)
    model.set_state("classes/bias:0", [0, 100, 0])
    assert (model(x).argmax(axis=1) == 1).all()
    assert model.functions["train"].get_state("classes/bias:0")[1] == 100
    with pytest.raises(ValueError, match=r"\[state classes/bias:0\] the shape must be \(3,\)"):
        model.set_state("classes/bias:0", np.zeros(4))
    with pytest.raises(KeyError, match="one of .* is required; 'gamma'"):
        model.get_state("gamma")


def test_results_that_last_follow_states_and_training(tmp_path):
    """The scale of batch normalisation is made of states: once, and again when one changes."""
    model, (x, y) = classifier(), batch()
    model.export(tmp_path / "m.symk", train=True)
    loaded = load(tmp_path / "m.symk")
    assert loaded(x).tobytes() == loaded(x).tobytes() == model.predict(x).tobytes()
    gamma = np.array([2, 3, -1, 0.5], "float32")
    loaded.set_state("norm/gamma:0", gamma)
    model.get_layer("norm").set_weights([gamma, *model.get_layer("norm").get_weights()[1:]])
    assert loaded(x).tobytes() == model.predict(x).tobytes()
    before = loaded(x)
    for _ in range(2):   # moves the statistics
        loaded.functions["train"](x, y)
        for name, weight in zip(("gamma", "beta", "moving_mean", "moving_variance"),
                                model.get_layer("norm").weights):
            K.set_value(weight, loaded.get_state("norm/%s:0" % name))
        for layer, names in (("conv", ["kernel"]), ("classes", ["kernel", "bias"])):
            model.get_layer(layer).set_weights(
                [loaded.get_state("%s/%s:0" % (layer, name)) for name in names])
        assert loaded(x).tobytes() == model.predict(x).tobytes() != before.tobytes()


def test_a_failed_step_changes_no_state(tmp_path):
    model, (x, y) = classifier(), batch()
    model.export(tmp_path / "m.symk", train=True)
    train = load(tmp_path / "m.symk").functions["train"]
    before = [train.get_state(name) for name in train.states]
    with pytest.raises(IndexError):
        train.run([x, y + 3])
    for name, value in zip(train.states, before):
        assert train.get_state(name).tobytes() == value.tobytes()


def test_what_is_the_same_at_each_call_is_folded():
    """Of batch normalisation, its scale and its bias are left; of dropout, nothing."""
    functions, values, _ = exporter.exported(classifier())
    plan = functions[0].plan
    assert [step.kernel for step in plan.steps] == ["conv", "matmul", "softmax"]
    assert sorted(value.name for value in values) == ["classes/bias:0", "classes/kernel:0",
                                                      "conv/kernel:0"]
    assert sorted(array.shape for array in plan.constants) == [(4,), (4,)]


def test_folding_leaves_what_acts_grows_or_changes(tmp_path):
    x, w = K.placeholder((2, 3)), K.variable(np.ones((2, 3)), name="w")
    grown = K.tile(K.reshape(w, (6, 1)), (1, 100000))
    shown = K.print_tensor(w * 2.0, "w")
    functions, _, _ = exporter.exported(K.function([x], [x + shown, K.sum(grown, axis=1)]))
    kernels = [step.kernel for step in functions[0].plan.steps]
    assert "print" in kernels and len(kernels) > 2
    counting = K.function([x], [K.sum(x) + w * 2.0], updates=[(w, w + 1.0)])
    export(counting, tmp_path / "m.symk")
    loaded, zeros = load(tmp_path / "m.symk"), np.zeros((2, 3), "float32")
    assert loaded.states == ["w:0"]
    assert [loaded(zeros)[0, 0] for _ in range(3)] == [2, 4, 6]


def test_files_name_no_folder_of_the_machine(tmp_path):
    path = tmp_path / "m.symk"
    classifier().export(path, train=True)
    here = os.path.dirname(os.path.abspath(__file__)).encode()
    data = path.read_bytes()
    assert here not in data and b"test_model_file.py" in data


def test_names_of_values_are_their_own(tmp_path):
    first, second = K.variable(np.ones(3), name="w"), K.variable(np.zeros(3), name="w")
    x = K.placeholder((3,))
    export(K.function([x], [x + first, x - second], updates=[(first, x), (second, x)]),
           tmp_path / "m.symk")
    assert sorted(load(tmp_path / "m.symk").states) == ["w:0", "w:0_1"]


def test_the_training_step_of_a_dict_is_that_of_its_first_model(tmp_path):
    model, (x, y) = classifier(), batch()
    hidden = Part(model, end="norm")
    export({"predict": model, "hidden": hidden}, tmp_path / "m.symk", train=True)
    loaded = load(tmp_path / "m.symk").functions
    assert list(loaded) == ["predict", "hidden", "train"]
    assert loaded["predict"].metadata("name") == "shapes"
    for _ in range(3):
        assert loaded["train"].run([x, y])[0] == np.float32(model.train_on_batch(x, y)[0])
    assert loaded["hidden"](x).tobytes() == hidden.predict_function.run([x])[0].tobytes()
    assert loaded["predict"](x).tobytes() == model.predict_on_batch(x).tobytes()
    with pytest.raises(GraphError, match='train=True adds the function "train"'):
        export({"predict": model, "train": hidden}, tmp_path / "n.symk", train=True)


def test_processes_share_the_weights(tmp_path):
    """The pages of a mapped file that nobody changes belong to no process."""
    wide = Sequential([layers.Dense(2000, input_shape=(2000,))])    # 16 MB
    wide.export(tmp_path / "m.symk")
    program = (
        "import re, sys; from symk.deploy.loader import load; import numpy as np\n"
        "model = load(sys.argv[1]); model(np.ones((1, 2000), 'float32'))\n"
        "part = open('/proc/self/smaps').read().split('m.symk')[1]\n"
        "sizes = {key: int(kb) for key, kb in re.findall(r'(\\w+): +(\\d+) kB', part)[:12]}\n"
        "assert sizes['Rss'] > 15000 and sizes['Private_Dirty'] == 0, sizes")
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "m.symk")], check=True)


def test_values_lie_on_multiples_of_64(tmp_path):
    path = tmp_path / "m.symk"
    model = classifier()
    model.export(path)
    data = path.read_bytes()
    weights = model.get_layer("classes").get_weights()[0].tobytes()
    assert data.find(weights) % 64 == 0
    plan = decode(data[data.find(b"SYMKPLAN"):])
    assert data.find(b"SYMKPLAN") % 64 == 0 and plan.metadata["name"] == "predict of shapes"


def symk_command(*arguments):
    return subprocess.run([sys.executable, "-m", "symk", *map(str, arguments)],
                          capture_output=True, text=True)


def test_the_command_exports_a_model_file(tmp_path):
    model, (x, _) = classifier(), batch()
    model.save(str(tmp_path / "m.h5"))
    done = symk_command("export", tmp_path / "m.h5", tmp_path / "m.symk", "--train")
    assert done.returncode == 0 and "written" in done.stdout, done.stderr
    loaded = load(tmp_path / "m.symk")
    assert list(loaded.functions) == ["predict", "train"]
    assert loaded(x).tobytes() == model.predict_on_batch(x).tobytes()
    done = symk_command("export", "--standalone", tmp_path / "m.h5", tmp_path / "project")
    assert done.returncode == 0 and (tmp_path / "project" / "Makefile").exists(), done.stderr
    for arguments, word in ((("nothing.h5", "m.symk"), "nothing.h5"),
                            (("m.h5", "n.onnx", "--onnx", "--train"), "--train, --function")):
        done = symk_command("export", *arguments)
        assert done.returncode == 1 and word in done.stderr


def test_the_command_exports_parts_of_a_model(tmp_path):
    _, _, whole = autoencoder()
    whole.compile("adam", "mse")
    whole.save(str(tmp_path / "m.h5"))
    done = symk_command("export", tmp_path / "m.h5", tmp_path / "m.symk", "--train",
                        "--function", "encode=encoder", "--function", "decode=encoder:decoder",
                        "--metadata", "author=a=b")
    assert done.returncode == 0, done.stderr
    loaded = load(tmp_path / "m.symk").functions
    assert loaded["predict"].metadata("author") == "a=b"
    assert list(loaded) == ["predict", "encode", "decode", "train"]
    x = np.random.rand(5, 12).astype("float32")
    code = loaded["encode"](x)
    assert code.shape == (5, 3) and loaded["decode"](code).tobytes() == (
        whole.predict(x).tobytes()) == loaded["predict"](x).tobytes()
    before = loaded["train"].run([x, x])[0]
    for _ in range(20):
        last = loaded["train"].run([x, x])[0]
    assert last < before and loaded["decode"](loaded["encode"](x)).tobytes() == (
        loaded["predict"](x).tobytes())


def test_the_command_needs_no_training_config(tmp_path):
    model = Sequential([layers.Dense(2, input_shape=(3,))], name="plain")
    model.save(str(tmp_path / "m.h5"))
    done = symk_command("export", tmp_path / "m.h5", tmp_path / "m.symk")
    assert done.returncode == 0 and done.stderr == ""
    x = np.random.rand(5, 3).astype("float32")
    assert load(tmp_path / "m.symk")(x).tobytes() == model.predict_on_batch(x).tobytes()
    done = symk_command("export", tmp_path / "m.h5", tmp_path / "n.symk", "--train")
    assert done.returncode == 1 and '"plain" has not been compiled' in done.stderr


def test_what_the_command_refuses(tmp_path):
    model = Sequential([layers.Dense(2, input_shape=(3,), name="a"), layers.Dense(2, name="b")])
    model.save(str(tmp_path / "m.h5"))
    for given, message in (
            (("--function", "encode"), "must be NAME=[FROM:]TO"),
            (("--function", "encode=:"), "--function must name a layer"),
            (("--metadata", "author"), "--metadata must be KEY=TEXT; 'author' was given"),
            (("--function", "predict=a"), "a name of its own; 'predict' is there twice"),
            (("--function", "f=c"), "Its layers are a, b"),
            (("--function", "f=b:a"), "must be an input"),
            (("--onnx", "--function", "f=a"), "--function and --weights are not for ONNX"),
            (("--onnx", "--weights", "int8"), "--function and --weights are not for ONNX")):
        done = symk_command("export", tmp_path / "m.h5", tmp_path / "m.symk", *given)
        assert done.returncode == 1 and message in done.stderr, done.stderr
    assert os.listdir(tmp_path) == ["m.h5"]


# --- damage ---

def small_file(tmp_path):
    """(bytes of a file with two values, an input, what it gives)"""
    path = tmp_path / "small.symk"
    Sequential([layers.Dense(2, input_shape=(3,))]).export(path)
    x = np.ones((1, 3), "float32")
    return path.read_bytes(), x, load(path)(x).tobytes()


def test_each_changed_byte_is_noticed_or_harmless(tmp_path):
    """Bytes between the pieces count for nothing; all others are under a checksum."""
    data, x, expected = small_file(tmp_path)
    path, refused = tmp_path / "changed.symk", 0
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1:])
        try:
            assert load(path)(x).tobytes() == expected
        except ValueError as error:
            assert str(error).startswith(("[plan] ", "[load] "))
            refused += 1
    assert refused > 0.8 * len(data)


def test_each_truncation_is_refused(tmp_path):
    data, _, _ = small_file(tmp_path)
    path = tmp_path / "cut.symk"
    for count in range(0, len(data), 7):
        path.write_bytes(data[:count])
        with pytest.raises(ValueError, match=r"^\[plan\] "):
            load(path)


def repaired(data):
    """The bytes with the checksum of the directory put right."""
    data = bytearray(data)
    end, = struct.unpack_from("<Q", data, 24)
    struct.pack_into("<I", data, 32, zlib.crc32(data[64:end]))
    return bytes(data)


@pytest.mark.parametrize("old, new, message", [
    # the place of the first value: inside of the directory, over the next piece, outside
    (lambda at: at["kernel"], lambda at: struct.pack("<Q", 64), "must lie behind each other"),
    (lambda at: at["kernel"], lambda at: struct.pack("<Q", at["second"]), "behind each other"),
    (lambda at: at["kernel"], lambda at: struct.pack("<Q", 2 ** 63), "must lie behind each other"),
    (lambda at: at["kernel"] + 8, lambda at: struct.pack("<Q", 2 ** 64 - 1), "behind each other"),
    (lambda at: at["kernel"] + 8, lambda at: struct.pack("<Q", 20), "must have the bytes for its"),
    # its shape (3, 2) and its dtype
    (lambda at: at["kernel"] - 16, lambda at: struct.pack("<Q", 2 ** 62), "must fit 63 bits"),
    (lambda at: at["kernel"] - 16, lambda at: struct.pack("<QQ", 2, 3), "must be .3, 2. float32"),
    (lambda at: at["kernel"] - 21, lambda at: b"\x09", "must have a known dtype"),
    (lambda at: at["kernel"] - 21, lambda at: b"\x05", "must be .3, 2. float32"),
    # the values of the function
    (lambda at: at["values"], lambda at: struct.pack("<I", 1), "bias:0 must be .3, 2. float32"),
    (lambda at: at["values"] + 4, lambda at: struct.pack("<I", 0), "must name each value once"),
    (lambda at: at["values"], lambda at: struct.pack("<I", 2), "must name each value once"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_wrong_directories_are_refused(old, new, message, tmp_path):
    data, _, _ = small_file(tmp_path)
    kernel = data.find(b"kernel:0") + len(b"kernel:0") + 1 + 4 + 16
    second = data.find(b"bias:0") + len(b"bias:0") + 1 + 4 + 8
    if data.find(b"bias:0") < data.find(b"kernel:0"):
        pytest.fail("the values are in another order than this test takes them for")
    places = {"kernel": kernel, "second": struct.unpack_from("<Q", data, second)[0],
              "values": data.find(b"predict", second) + len(b"predict") + 4}
    place, content = old(places), new(places)
    path = tmp_path / "wrong.symk"
    path.write_bytes(repaired(data[:place] + content + data[place + len(content):]))
    with pytest.raises(ValueError, match=message):
        load(path)

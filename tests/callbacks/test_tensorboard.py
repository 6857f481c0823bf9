"""TensorBoard: which events a training writes. The files are decoded as in tests/utils."""
import glob
import importlib.util
import pathlib

import numpy as np
import pytest

from symk.callbacks import TensorBoard
from symk.layers import Dense, Dropout, Embedding, Flatten, Input
from symk.models import Model, Sequential

_PLACE = pathlib.Path(__file__).parent.parent / "utils" / "test_events.py"
_SPEC = importlib.util.spec_from_file_location("decoder_of_events", _PLACE)
decoder = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(decoder)


def written(folder):
    """[(step, tag, fields of the value)] and the names of the graph's nodes with their inputs."""
    values, nodes = [], {}
    path, = glob.glob(str(folder / "events.out.tfevents.*"))
    for record in decoder.records(path):
        event = decoder.fields(record)
        if 5 in event:
            for value in decoder.fields(event[5][0])[1]:
                value = decoder.fields(value)
                values.append((event[2][0], value[1][0].decode(), value))
        for graph in event.get(4, ()):
            for node in decoder.fields(graph)[1]:
                node = decoder.fields(node)
                nodes[node[1][0].decode()] = [name.decode() for name in node.get(3, ())]
    return values, nodes


def fitted(folder, epochs=2, validate=True, **options):
    inner = Sequential([Dense(3, input_shape=(4,), name="first"), Dropout(0.5, name="drop")],
                       name="inner")
    x = Input(shape=(4,), name="x")
    model = Model(x, Dense(2, name="last")(inner(x)))
    model.compile("sgd", "mse")
    data = np.ones((10, 4)), np.ones((10, 2))
    callback = TensorBoard(str(folder), **options)
    history = model.fit(*data, batch_size=5, epochs=epochs, verbose=0, callbacks=[callback],
                        validation_data=data if validate else None).history
    return model, history


def test_values_of_epochs(tmp_path):
    _, history = fitted(tmp_path)
    values, _ = written(tmp_path)
    for name in ("loss", "val_loss"):
        got = [(step, value[2][0]) for step, tag, value in values if tag == name]
        assert [step for step, _ in got] == [0, 1]
        np.testing.assert_allclose([value for _, value in got], history[name], rtol=1e-6)


@pytest.mark.parametrize("frequency, steps", [("batch", [5, 10, 15, 20, 20]), (10, [10, 20, 20])])
def test_values_of_batches(tmp_path, frequency, steps):
    fitted(tmp_path, epochs=2, update_freq=frequency)
    values, _ = written(tmp_path)
    got = [step for step, tag, _ in values if tag == "loss"]
    assert sorted(set(got)) == sorted(set(steps))


def test_the_graph_has_models_as_boxes(tmp_path):
    fitted(tmp_path)
    _, nodes = written(tmp_path)
    assert nodes == {"x": [], "inner/first": ["x"], "inner/drop": ["inner/first"],
                     "last": ["inner/drop"]}


def test_histograms_and_images(tmp_path):
    model, _ = fitted(tmp_path, epochs=3, histogram_freq=2, write_grads=True, write_images=True)
    values, _ = written(tmp_path)
    steps = {tag: [] for _, tag, _ in values}
    for step, tag, _ in values:
        steps[tag].append(step)
    for tag in ("first/kernel_0", "last/bias_0", "last_out", "last/kernel_0_grad"):
        assert steps[tag] == [0, 2], tag
    assert steps["last/kernel_0/image/0"] == [0, 2]
    last = [value for step, tag, value in values if tag == "last/kernel_0"][-1]
    histogram = decoder.fields(last[5][0])
    assert histogram[3] == [6.0]
    np.testing.assert_allclose(histogram[1][0], model.get_weights()[2].min(), rtol=1e-6)


def test_histograms_of_gradients_need_validation_data(tmp_path):
    with pytest.raises(ValueError, match="validation data"):
        fitted(tmp_path, validate=False, histogram_freq=1, write_grads=True)


def test_embeddings_are_tables_for_the_projector(tmp_path):
    model = Sequential([Embedding(5, 2, input_length=3, name="words"), Flatten(), Dense(1)])
    model.compile("sgd", "mse")
    numbers = np.arange(12).reshape(4, 3) % 5
    model.fit(numbers, np.zeros((4, 1)), verbose=0, callbacks=[TensorBoard(
        str(tmp_path), embeddings_freq=1, embeddings_data=numbers, batch_size=3,
        embeddings_metadata={"words": "names.tsv"})])
    table = np.loadtxt(str(tmp_path / "words.tsv"))
    np.testing.assert_allclose(table, model.get_weights()[0][numbers].reshape(4, 6), rtol=1e-5)
    config = (tmp_path / "projector_config.pbtxt").read_text()
    assert config.split() == ["embeddings", "{", "tensor_name:", '"words"', "tensor_path:",
                              '"words.tsv"', "metadata_path:", '"names.tsv"', "}"]


def test_embeddings_need_data(tmp_path):
    with pytest.raises(ValueError, match="embeddings_data is required"):
        TensorBoard(str(tmp_path), embeddings_freq=1)


def test_tensorboard_itself_reads_the_files(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    model, history = fitted(tmp_path, histogram_freq=1, write_grads=True, write_images=True)
    events = reader.EventAccumulator(str(tmp_path), size_guidance={"histograms": 0})
    events.Reload()
    np.testing.assert_allclose([event.value for event in events.Scalars("val_loss")],
                               history["val_loss"], rtol=1e-6)
    last = events.Histograms("last/kernel_0")[-1].histogram_value
    weights = model.get_weights()[2]
    np.testing.assert_allclose([last.min, last.max, last.num, last.sum],
                               [weights.min(), weights.max(), 6, weights.sum()], rtol=1e-5)
    image = events.Images("first/kernel_0/image/0")[-1]
    assert (image.height, image.width) == (3, 4)
    assert [node.name for node in events.Graph().node] == ["x", "inner/first", "inner/drop",
                                                           "last"]

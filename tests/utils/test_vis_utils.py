"""Pictures of models as graphs for Graphviz, as far as pydot is there; other small tools."""
import sys

import numpy as np
import pytest

from symk.layers import Conv2D, Dense, Dropout, Flatten, Input, TimeDistributed
from symk.models import Model, Sequential
from symk.utils import convert_all_kernels_in_model, model_to_dot, plot_model
from symk.utils.layer_utils import convert_dense_weights_data_format


def nested():
    inner = Sequential([Dense(3, input_shape=(4,), name="first"), Dropout(0.5, name="drop")],
                       name="inner")
    x = Input(shape=(4,), name="x")
    return Model(x, Dense(2, name="last")(inner(x)))


def edges(dot):
    """Pairs of labels that are joined."""
    names = {node.get_name(): node.get_label().strip('"') for node in all_nodes(dot)}
    found = [(edge.get_source(), edge.get_destination()) for edge in all_edges(dot)]
    return {(names[source], names[target]) for source, target in found}


def all_nodes(dot):
    nodes = [node for node in dot.get_nodes() if node.get_label()]
    for inner in dot.get_subgraphs():
        nodes += all_nodes(inner)
    return nodes


def all_edges(dot):
    found = list(dot.get_edges())
    for inner in dot.get_subgraphs():
        found += all_edges(inner)
    return found


def test_layers_are_joined_as_in_the_model():
    pytest.importorskip("pydot")
    assert edges(model_to_dot(nested())) == {("x: InputLayer", "inner: Sequential"),
                                             ("inner: Sequential", "last: Dense")}


def test_models_inside_are_drawn_as_boxes():
    pytest.importorskip("pydot")
    dot = model_to_dot(nested(), expand_nested=True, show_layer_names=False)
    assert edges(dot) == {("InputLayer", "InputLayer"), ("InputLayer", "Dense"),
                          ("Dense", "Dropout"), ("Dropout", "Dense")}


def test_shapes_and_wrappers():
    pytest.importorskip("pydot")
    model = Sequential([TimeDistributed(Dense(2, name="d"), input_shape=(3, 4), name="t")])
    labels = [node.get_label().strip('"') for node in all_nodes(model_to_dot(model, True))]
    assert "t(d): TimeDistributed(Dense)\n|{input:|output:}|{{(None, 3, 4)}|{(None, 3, 2)}}" \
        in [label.replace("\\n", "\n") for label in labels]


def test_a_text_needs_no_graphviz(tmp_path):
    pytest.importorskip("pydot")
    plot_model(nested(), str(tmp_path / "m.dot"))
    assert "digraph" in (tmp_path / "m.dot").read_text()


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydot", None)
    with pytest.raises(ImportError, match="pip install pydot"):
        plot_model(nested())


def test_kernels_of_a_model_can_be_turned_round():
    model = Sequential([Conv2D(2, (2, 3), input_shape=(5, 5, 1)), Flatten(), Dense(2)])
    kernel, _, weights, _ = model.get_weights()
    convert_all_kernels_in_model(model)
    np.testing.assert_array_equal(model.get_weights()[0], kernel[::-1, ::-1])
    np.testing.assert_array_equal(model.get_weights()[2], weights)


@pytest.mark.parametrize("target, shape", [("channels_first", (3, 4, 5)),
                                           ("channels_last", (4, 5, 3))])
def test_rows_after_flatten_follow_the_images(target, shape):
    last = np.random.RandomState(0).normal(size=(1, 4, 5, 3))
    images = {"channels_last": last, "channels_first": last.transpose(0, 3, 1, 2)}
    before = images["channels_last" if target == "channels_first" else "channels_first"]
    dense = Dense(2, input_shape=(60,))
    model = Sequential([dense])
    expected = model.predict(before.reshape(1, -1))
    convert_dense_weights_data_format(dense, shape, target)
    np.testing.assert_allclose(model.predict(images[target].reshape(1, -1)), expected, rtol=1e-4)

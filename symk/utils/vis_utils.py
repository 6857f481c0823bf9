"""Pictures of models, drawn by Graphviz through pydot."""
import os

from ..extras import extra

__all__ = ["model_to_dot", "plot", "plot_model"]

_WRAPPERS = ("TimeDistributed", "Bidirectional")


def model_to_dot(model, show_shapes=False, show_layer_names=True, rankdir="TB",
                 expand_nested=False, dpi=96, subgraph=False):
    """A model as a `pydot.Dot`, or a `pydot.Cluster` if it is a subgraph.

    # Arguments
        model: a model.
        show_shapes: whether the shapes of inputs and outputs are shown.
        show_layer_names: whether the names of the layers are shown.
        rankdir: "TB" from top to bottom, "LR" from left to right.
        expand_nested: whether models inside are drawn as boxes of their layers.
        dpi: dots per inch.
        subgraph: whether it is to be part of another graph.
    """
    pydot = extra("pydot", "model_to_dot")
    graph = pydot.Cluster(style="dashed", graph_name=model.name, label=model.name) if subgraph \
        else pydot.Dot()
    graph.set("rankdir", rankdir)
    graph.set("concentrate", True)
    graph.set("dpi", dpi)
    graph.set_node_defaults(shape="record")
    layers = _layers_of(model)
    for layer in layers:
        if expand_nested and _is_network(layer):
            graph.add_subgraph(model_to_dot(layer, show_shapes, show_layer_names, rankdir,
                                            expand_nested, dpi, subgraph=True))
        else:
            graph.add_node(pydot.Node(_key(layer), label=_label(layer, show_shapes,
                                                                show_layer_names)))
    for source, target in _edges(model, layers, expand_nested):
        graph.add_edge(pydot.Edge(source, target))
    return graph


def plot_model(model, to_file="model.png", show_shapes=False, show_layer_names=True, rankdir="TB",
               expand_nested=False, dpi=96):
    """Draws a model into a file. Needs pydot and Graphviz.

    # Arguments
        to_file: path; its ending says the format: "model.png", "model.svg", "model.dot", ...
        model, show_shapes, show_layer_names, rankdir, expand_nested, dpi: as in `model_to_dot`.

    # Returns
        A picture for a notebook, where there is one and the file is a PNG; else None.
    """
    dot = model_to_dot(model, show_shapes, show_layer_names, rankdir, expand_nested, dpi)
    _, extension = os.path.splitext(os.fspath(to_file))
    try:
        dot.write(os.fspath(to_file), format=extension[1:] or "png" if extension != ".dot"
                  else "raw")
    except (FileNotFoundError, OSError, AssertionError) as error:
        raise OSError("[plot_model] Graphviz is required to draw %r; it could not be run: %s. "
                      "Install it, so that `dot` is on the path; or draw to a .dot file."
                      % (os.fspath(to_file), error)) from None
    return _notebook_picture(to_file) if extension[1:] in ("", "png") else None


plot = plot_model       # Keras 1's name


def _notebook_picture(path):
    try:
        display = extra("IPython.display", "plot_model")
    except ImportError:
        return None
    return display.Image(filename=path)


def _is_network(layer):
    return hasattr(layer, "layers") and getattr(layer, "nodes_by_depth", None) is not None


def _calls_of(model):
    """The calls of layers in a model's own graph, inputs first; none of a subclassed model."""
    levels = getattr(model, "nodes_by_depth", {})
    return [node for depth in sorted(levels, reverse=True) for node in levels[depth]]


def _layers_of(model):
    """The layers, with the input layer that a Sequential has made by itself."""
    return list(dict.fromkeys(call.outbound_layer for call in _calls_of(model))) or model.layers


def _key(layer):
    """The name of a layer's node in the picture."""
    return str(id(layer))


def _label(layer, show_shapes, show_layer_names):
    text = type(layer).__name__
    inner = getattr(layer, "layer", None) if text in _WRAPPERS else None
    if inner is not None:
        name = "%s(%s)" % (layer.name, inner.name)
        text = "%s(%s)" % (text, type(inner).__name__)
    else:
        name = layer.name
    if show_layer_names:
        text = "%s: %s" % (name, text)
    if not show_shapes:
        return text
    return "%s\n|{input:|output:}|{{%s}|{%s}}" % (text, _shapes(layer, "input"),
                                                  _shapes(layer, "output"))


def _shapes(layer, side):
    """The shapes of a layer's inputs or outputs; "multiple" for one that is called often."""
    try:
        return str(getattr(layer, side + "_shape")).replace("[", "").replace("]", "")
    except AttributeError:
        return "multiple"


def _edges(model, layers, expand_nested):
    """Pairs of node names, each once."""
    found = {}
    for call in _calls_of(model):
        for before in call.inbound_layers:
            if before not in layers:
                continue
            source, target = before, call.outbound_layer
            if expand_nested:
                source = _last(source) if _is_network(source) else source
                target = _first(target) if _is_network(target) else target
            found[_key(source), _key(target)] = True
    return list(found)


def _first(network):
    """The layer that an edge to a drawn model leads to."""
    layer = _layers_of(network)[0]
    return _first(layer) if _is_network(layer) else layer


def _last(network):
    """The layer that an edge from a drawn model begins at."""
    layer = network._output_layers[0]
    return _last(layer) if _is_network(layer) else layer

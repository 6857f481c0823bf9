"""Layers as Keras 1 wrote them: names, arguments and values of configs and constructors."""
import inspect
import warnings

import pytest

from symk import layers
from symk.engine import legacy


def modern(class_name, **config):
    return layers.deserialize({"class_name": class_name, "config": dict(config, name="x")})


@pytest.mark.parametrize("old, config, new, attributes", [
    ("Dense", {"output_dim": 3, "init": "one", "bias": False, "input_dim": 7},
     "Dense", {"units": 3, "use_bias": False}),
    ("Convolution2D", {"nb_filter": 4, "nb_row": 3, "nb_col": 5, "border_mode": "same",
                       "subsample": [2, 1], "dim_ordering": "th"},
     "Conv2D", {"filters": 4, "kernel_size": (3, 5), "padding": "same", "strides": (2, 1),
                "data_format": "channels_first"}),
    ("AtrousConvolution2D", {"nb_filter": 4, "nb_row": 3, "nb_col": 3, "atrous_rate": [2, 2]},
     "Conv2D", {"dilation_rate": (2, 2)}),
    ("Convolution1D", {"nb_filter": 4, "filter_length": 3, "subsample_length": 2},
     "Conv1D", {"filters": 4, "kernel_size": (3,), "strides": (2,)}),
    ("Convolution3D", {"nb_filter": 2, "kernel_dim1": 1, "kernel_dim2": 2, "kernel_dim3": 3},
     "Conv3D", {"kernel_size": (1, 2, 3)}),
    ("Deconvolution2D", {"nb_filter": 2, "nb_row": 3, "nb_col": 3,
                         "output_shape": [None, 8, 8, 2]}, "Conv2DTranspose", {"filters": 2}),
    ("MaxPooling1D", {"pool_length": 3, "stride": 2, "border_mode": "valid"},
     "MaxPooling1D", {"pool_size": (3,), "strides": (2,)}),
    ("UpSampling1D", {"length": 4}, "UpSampling1D", {"size": 4}),
    ("Dropout", {"p": 0.25}, "Dropout", {"rate": 0.25}),
    ("GaussianNoise", {"sigma": 0.5}, "GaussianNoise", {"stddev": 0.5}),
    ("LSTM", {"output_dim": 3, "inner_activation": "sigmoid", "forget_bias_init": "one",
              "consume_less": "gpu", "dropout_U": 0.5, "input_dim": 3, "input_length": None},
     "LSTM", {"units": 3, "unit_forget_bias": True, "recurrent_dropout": 0.5,
              "implementation": 2}),
    ("TimeDistributedDense", {"output_dim": 3, "input_dim": 2, "input_length": 5},
     "TimeDistributed", {}),
    ("Merge", {"mode": "concat", "concat_axis": 1}, "Concatenate", {"axis": 1}),
    ("Merge", {"mode": "sum"}, "Add", {}),
    ("Merge", {"mode": "cos", "dot_axes": [1, 1]}, "Dot", {"axes": (1, 1), "normalize": True})])
def test_old_configs_make_new_layers(old, config, new, attributes):
    layer = modern(old, **config)
    assert type(layer).__name__ == new and layer.name == "x"
    for name, value in attributes.items():
        assert getattr(layer, name) == value, name


def test_regularizers_and_constraints_had_other_configs():
    layer = modern("Dense", output_dim=3, W_regularizer={"name": "L1L2Regularizer", "l1": 0.5,
                                                         "l2": 0.25},
                   b_constraint={"name": "MaxNorm", "m": 3, "axis": 0})
    assert layer.kernel_regularizer.get_config() == {"l1": 0.5, "l2": 0.25}
    assert layer.bias_constraint.get_config() == {"max_value": 3, "axis": 0}


@pytest.mark.parametrize("name, config, words", [
    ("Merge", {"mode": "function"}, "use Lambda"),
    ("Dense", {"output_dim": 2, "W_regularizer": {"name": "LogRegularizer", "k": 1}},
     "'LogRegularizer' was given")])
def test_what_keras_2_has_nothing_for_is_refused(name, config, words):
    with pytest.raises(ValueError, match=words):
        modern(name, **config)


def test_what_layers_only_did_in_keras_1_is_kept():
    norm = modern("BatchNormalization", mode=2)
    assert norm.mode == 2 and norm.get_config()["mode"] == 2
    words = modern("Embedding", input_dim=3, output_dim=2, dropout=0.5)
    assert words.dropout == 0.5 and words.get_config()["dropout"] == 0.5
    assert "dropout" not in layers.Embedding(3, 2).get_config()


def test_constructors_take_old_arguments_with_a_warning():
    with pytest.warns(UserWarning, match=r"\[Dense\].* init .now kernel_initializer., "
                                         "output_dim .now units. of Keras 1"):
        layer = layers.Dense(output_dim=3, init="one")
    assert layer.units == 3
    assert layers.Conv2D(4, 3, 5).kernel_size == (3, 5)


def test_new_configs_stay_as_they_are():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for layer in (layers.Dense(3, use_bias=False), layers.Conv2D(4, (3, 5), (2, 1)),
                      layers.Embedding(4, 3, input_length=2), layers.LSTM(3, dropout=0.5)):
            again = layers.deserialize(layers.serialize(layer))
            assert again.get_config() == layer.get_config()


@pytest.mark.parametrize("name", sorted(legacy.ARGUMENTS))
def test_every_new_name_is_one_of_the_config(name):
    cls = getattr(layers, name)
    required = [parameter for parameter in inspect.signature(cls).parameters.values()
                if parameter.default is parameter.empty
                and parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    layer = cls(*(0.5 if parameter.name in ("rate", "stddev") else 2 for parameter in required))
    unknown = set(legacy.ARGUMENTS[name].values()) - set(layer.get_config())
    assert unknown <= {"data_format", "declared_shape"}, "taken, and left out of the config"


def test_a_class_of_the_user_goes_first():
    class Merge(layers.Layer):
        pass
    layer = layers.deserialize({"class_name": "Merge", "config": {"name": "m"}}, {"Merge": Merge})
    assert type(layer) is Merge

"""`import keras`, answered by symk."""
import importlib
import json
import sys

import numpy as np
import pytest

import symk
from symk import backend as K
from symk import compat, layers, models


@pytest.fixture
def keras(request):
    def install(*args, **kwargs):
        compat.install(*args, **kwargs)
        return importlib.import_module("keras")
    yield install
    compat.uninstall()
    K.set_image_data_format("channels_last")


def test_modules_of_keras_2_are_those_of_symk(keras):
    module = keras()
    assert module.__version__ == "2.3.1" and module.layers is symk.layers
    for path in ("layers.core", "engine.topology", "utils.np_utils", "objectives"):
        assert importlib.import_module("keras." + path) is importlib.import_module("symk." + path)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("keras.nothing")


# Names that scripts and packages of the time import, although they are none of the API.
USED = """applications.imagenet_utils._obtain_input_shape applications.mobilenet.relu6
applications.mobilenet.DepthwiseConv2D backend._BACKEND backend.common._EPSILON
backend.common._FLOATX backend.tensorflow_backend.clear_session engine.topology.Container
engine.topology.load_weights_from_hdf5_group engine.saving.load_weights_from_hdf5_group_by_name
engine.training.GeneratorEnqueuer initializers._compute_fans layers.containers.Sequential
layers.convolutional._Conv layers.merge._Merge legacy.layers.Merge
utils.conv_utils.normalize_data_format utils.training_utils.multi_gpu_model""".split()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("path", USED)
def test_names_that_others_import_are_there(keras, version, path):
    keras(version)
    module, _, name = path.rpartition(".")
    assert getattr(importlib.import_module("keras." + module), name) is not None


def test_shapes_of_images_for_models_of_users(keras):
    keras(1)
    shape_of = importlib.import_module("keras.applications.imagenet_utils")._obtain_input_shape
    assert shape_of(None, default_size=224, min_size=48, dim_ordering="th",
                    include_top=True) == (3, 224, 224)
    assert shape_of(None, 224, 48, "channels_last", False) == (None, None, 3)
    with pytest.raises(ValueError, match="at least 48x48"):
        shape_of((32, 32, 3), 224, 48, "channels_last", False)


def test_uninstall_leaves_nothing(keras):
    keras(1, backend="theano", image_dim_ordering="th")
    assert K.backend() == "theano" and K.image_dim_ordering() == "th"
    compat.uninstall()
    assert "keras" not in sys.modules and K.backend() == "tensorflow"
    assert not hasattr(K, "image_dim_ordering")


@pytest.mark.parametrize("wrong", [{"keras": 3}, {"backend": "jax"}, {"image_dim_ordering": "nc"}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=r"\[install\]"):
        compat.install(**wrong)


def test_positions_are_those_of_keras_1(keras):
    old = keras(1).layers
    dense = old.Dense(4, "uniform", "relu", None, "l2")
    assert type(dense) is layers.Dense and isinstance(dense, old.Dense)
    assert dense.activation.__name__ == "relu" and dense.kernel_regularizer is not None
    conv = old.Convolution2D(8, 3, 5, "he_normal", "relu", None, "same", (2, 1), "th")
    assert (conv.filters, conv.kernel_size, conv.padding) == (8, (3, 5), "same")
    assert conv.strides == (2, 1) and conv.data_format == "channels_first"
    dilated = old.AtrousConvolution2D(8, 3, 3, atrous_rate=(2, 2))
    assert dilated.dilation_rate == (2, 2)
    norm = old.BatchNormalization(1e-5, 2)
    assert norm.epsilon == 1e-5 and norm.mode == 2
    assert old.LSTM(3).recurrent_activation.__name__ == "hard_sigmoid"
    with pytest.raises(TypeError, match="given twice"):
        old.Dense(4, output_dim=3)


def test_initial_values_are_those_of_keras_1(keras):
    old = keras(1).layers
    layer = old.SimpleRNN(5)
    layer(layers.Input((3, 4)))
    product = layer.get_weights()[1] @ layer.get_weights()[1].T
    np.testing.assert_allclose(product, 1.21 * np.eye(5), atol=1e-5)
    assert json.dumps(old.Dense(3, "glorot_normal").get_config())


def test_classes_of_keras_1_can_be_derived_from(keras):
    old = keras(1).layers

    class Wide(old.Dense):
        def __init__(self, output_dim, **kwargs):
            super().__init__(2 * output_dim, "uniform", **kwargs)

    assert Wide(3, input_dim=2).units == 6

    class Scale(old.Layer):
        def build(self, input_shape):
            self.w = self.add_weight((input_shape[1],), "one", "{}_w".format(self.name))
            super().build(input_shape)

        def call(self, x, mask=None):
            return x * self.w

    layer = Scale()
    layer(layers.Input((3,)))
    assert layer.weights[0].shape == (3,) and isinstance(layer, old.Layer)


def test_models_have_the_defaults_of_keras_1(keras, tmp_path):
    old = keras(1)
    model = old.models.Sequential([old.layers.Dense(1, input_dim=2)])
    model.compile("sgd", "mse", metrics=["accuracy"])
    x, y = np.ones((4, 2)), np.ones((4, 1))
    history = model.fit(x, y, verbose=0).history
    assert len(history["loss"]) == 10 and "acc" in history
    model.save(str(tmp_path / "model.h5"))
    loaded = old.models.load_model(str(tmp_path / "model.h5"))
    assert len(loaded.fit(x, y, verbose=0).history["loss"]) == 10
    assert isinstance(loaded, models.Sequential) and isinstance(loaded, old.models.Sequential)
    assert np.shape(model.train_on_batch(x, y, {0: 1.0, 1: 2.0})) == (2,)


def test_generators_of_keras_1_warn_of_what_was_given_alone(keras, recwarn):
    old = keras(1)
    model = old.models.Sequential([old.layers.Dense(1, input_dim=2)])
    model.compile("sgd", "mse")
    batches = iter([(np.ones((4, 2)), np.ones((4, 1)))] * 9)
    recwarn.clear()
    model.fit_generator(batches, samples_per_epoch=4, nb_epoch=1, verbose=0, nb_worker=0)
    model.predict_generator(batches, 4, nb_worker=0)
    assert {warning.filename for warning in recwarn} == {__file__}
    assert sorted(str(warning.message).split()[1] for warning in recwarn) == [
        "nb_epoch", "nb_worker", "nb_worker", "samples_per_epoch", "val_samples"]


def test_k_has_the_order_of_keras_1(keras):
    old = keras(1).backend
    target, output = K.constant([[0.0, 1.0]]), K.constant([[0.2, 0.8]])
    np.testing.assert_allclose(K.eval(old.categorical_crossentropy(output, target)),
                               [-np.log(0.8)], rtol=1e-5)
    x, kernel = np.random.RandomState(0).rand(1, 2, 4, 4), np.random.RandomState(1).rand(3, 2, 2, 2)
    result = K.eval(old.conv2d(K.variable(x), K.variable(kernel), (1, 1), "valid", "th"))
    assert result.shape == (1, 3, 3, 3)
    np.testing.assert_allclose(result[0, 1, 0, 0], (x[0, :, :2, :2] * kernel[1]).sum(), rtol=1e-5)
    compat.uninstall()
    turned = keras(1, backend="theano").backend
    result = K.eval(turned.conv2d(K.variable(x), K.variable(kernel), dim_ordering="th"))
    np.testing.assert_allclose(result[0, 1, 0, 0],
                               (x[0, :, :2, :2] * kernel[1][:, ::-1, ::-1]).sum(), rtol=1e-5)


def test_optimizers_have_the_order_of_keras_1(keras):
    made = keras(1).optimizers.Adam(0.01, 0.8, 0.9, 1e-6, 0.5)
    assert made.epsilon == 1e-6 and made.initial_decay == 0.5
    assert keras(1).optimizers.Adam().epsilon == 1e-8

"""The networks: their sizes, their arguments, their ends, and how their weights are found."""
import json

import numpy as np
import pytest

from symk import applications, layers
from symk import backend as K
from symk.applications import common, imagenet_utils, music_tagger_crnn, resnet
from symk.models import load_model, model_from_json

# Parameters that Keras 2.3.1 counts (its documentation's table of applications).
PARAMETERS = {
    "VGG16": 138357544, "VGG19": 143667240, "ResNet50": 25636712, "ResNet101": 44707176,
    "ResNet152": 60419944, "ResNet50V2": 25613800, "ResNet101V2": 44675560,
    "ResNet152V2": 60380648, "ResNeXt50": 25097128, "ResNeXt101": 44315560,
    "InceptionV3": 23851784, "InceptionResNetV2": 55873736, "Xception": 22910480,
    "MobileNet": 4253864, "MobileNetV2": 3538984, "DenseNet121": 8062504, "DenseNet169": 14307880,
    "DenseNet201": 20242984, "NASNetMobile": 5326716, "NASNetLarge": 88949818,
}
QUICK = ("ResNet50", "ResNet50V2", "ResNeXt50", "InceptionV3", "Xception", "MobileNet",
         "MobileNetV2", "DenseNet121")


@pytest.fixture(autouse=True)
def fresh_names():
    K.clear_session()
    yield
    K.clear_session()


def test_the_table_is_complete():
    assert set(PARAMETERS) == set(applications.__all__)


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in PARAMETERS])
def test_number_of_parameters(name):
    assert getattr(applications, name)(weights=None).count_params() == PARAMETERS[name]


def test_resnet50_has_two_families_of_names():
    ours, later = applications.ResNet50(weights=None), resnet.ResNet50(weights=None)
    assert ours.get_layer("res2a_branch2a") and later.get_layer("conv2_block1_1_conv")
    assert later.count_params() == ours.count_params()


@pytest.mark.parametrize("name, size, channels", [
    ("MobileNet", 32, 1024), ("MobileNetV2", 32, 1280), ("DenseNet121", 32, 1024)])
@pytest.mark.parametrize("pooling", ["avg", "max"])
def test_features_of_small_images(name, size, channels, pooling):
    model = getattr(applications, name)(weights=None, include_top=False, pooling=pooling,
                                        input_shape=(size, size, 3))
    features = model.predict(np.random.RandomState(0).rand(2, size, size, 3))
    assert features.shape == (2, channels) and np.isfinite(features).all()


def test_sizes_may_stay_unknown_and_the_input_may_be_a_tensor():
    image = layers.Input((None, None, 3))
    model = applications.MobileNet(weights=None, include_top=False, input_tensor=image)
    assert model.inputs == [image] and model.output_shape == (None, None, None, 1024)
    assert model.predict(np.zeros((1, 64, 32, 3))).shape == (1, 2, 1, 1024)


def test_data_formats_agree():
    x = np.random.RandomState(0).rand(1, 32, 32, 3).astype("float32")
    last = applications.MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3))
    K.set_image_data_format("channels_first")
    try:
        first = applications.MobileNetV2(weights=None, include_top=False, input_shape=(3, 32, 32))
    finally:
        K.set_image_data_format("channels_last")
    first.set_weights(last.get_weights())
    got = first.predict(x.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(got.transpose(0, 2, 3, 1), last.predict(x), rtol=1e-4, atol=1e-5)


def test_a_model_can_be_trained_saved_and_loaded(tmp_path):
    model = applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), alpha=0.35, classes=3)
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = np.random.RandomState(0).rand(4, 32, 32, 3), np.array([0, 1, 2, 0])
    assert np.isfinite(model.train_on_batch(x, y))
    model.save(str(tmp_path / "m.h5"))
    again = load_model(str(tmp_path / "m.h5"))
    assert np.array_equal(again.predict(x), model.predict(x))
    with_file = applications.MobileNetV2(weights=str(tmp_path / "m.h5"), input_shape=(32, 32, 3),
                                         alpha=0.35, classes=3)
    assert np.array_equal(with_file.predict(x), model.predict(x))


def test_grouped_convolution_has_a_config_and_groups():
    model = applications.ResNeXt50(weights=None, include_top=False, input_shape=(32, 32, 3))
    assert model_from_json(model.to_json()).count_params() == model.count_params()


@pytest.mark.parametrize("arguments, error, message", [
    (dict(weights="nothing.h5"), ValueError, "weights must be None"),
    (dict(classes=10), ValueError, "1000 classes"),
    (dict(weights=None, pooling="sum"), ValueError, "pooling"),
    (dict(weights=None, input_shape=(20, 20, 3), include_top=False), ValueError, "at least 32x32"),
    (dict(weights=None, input_shape=(None, 32, 3)), ValueError, "known sizes"),
    (dict(weights=None, input_shape=(32, 3)), ValueError, "three numbers"),
    (dict(input_shape=(96, 96, 3)), ValueError, "224x224"),
    (dict(input_shape=(224, 224, 1), include_top=False), ValueError, "3 channels"),
    (dict(weights=None, width=3), TypeError, "width"),
])
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        applications.VGG16(**arguments)


def test_there_is_not_every_width_of_weights():
    with pytest.raises(ValueError, match="published variants"):
        applications.MobileNet(alpha=0.4)


def test_official_weights_come_through_the_cache(monkeypatch, tmp_path):
    model = applications.MobileNet(weights=None, include_top=False, alpha=0.25)
    model.save_weights(str(tmp_path / "w.h5"))
    asked = []

    def get_file(name, address, **arguments):
        asked.append((name, address, arguments))
        return str(tmp_path / "w.h5")

    monkeypatch.setattr(common, "get_file", get_file)
    loaded = applications.MobileNet(include_top=False, alpha=0.25)
    (name, address, arguments), = asked
    assert name == "mobilenet_2_5_224_tf_no_top.h5" and address.endswith("/v0.6/" + name)
    assert arguments["cache_subdir"] == "models"
    for ours, theirs in zip(loaded.get_weights(), model.get_weights()):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("rank", [3, 4])
def test_arrays_and_tensors_are_preprocessed_alike(mode, data_format, rank):
    shape = (2, 5, 4, 3)[4 - rank:] if data_format == "channels_last" else (2, 3, 5, 4)[4 - rank:]
    x = np.random.RandomState(0).randint(0, 255, shape)
    array = imagenet_utils.preprocess_input(x.copy(), data_format, mode)
    tensor = imagenet_utils.preprocess_input(K.constant(x, "float32"), data_format, mode)
    np.testing.assert_allclose(K.eval(tensor), array, rtol=1e-5, atol=1e-4)
    assert array.dtype == np.float32


def test_preprocessing_values():
    pixel = np.array([[[0.0, 127.5, 255.0]]])
    assert imagenet_utils.preprocess_input(pixel.copy(), mode="tf").ravel().tolist() == [-1, 0, 1]
    caffe = imagenet_utils.preprocess_input(pixel.copy()).ravel()
    np.testing.assert_allclose(caffe, [255 - 103.939, 127.5 - 116.779, -123.68])


def test_predictions_are_decoded(monkeypatch, tmp_path):
    names = {str(number): ["n%04d" % number, "thing %d" % number] for number in range(1000)}
    (tmp_path / "classes.json").write_text(json.dumps(names))
    monkeypatch.setattr(imagenet_utils, "get_file", lambda *_, **__: tmp_path / "classes.json")
    monkeypatch.setattr(imagenet_utils, "_class_index", {})
    predictions = np.zeros((1, 1000))
    predictions[0, [7, 3]] = 0.6, 0.4
    assert imagenet_utils.decode_predictions(predictions, top=2) == [
        [("n0007", "thing 7", 0.6), ("n0003", "thing 3", 0.4)]]
    with pytest.raises(ValueError, match="samples, 1000"):
        imagenet_utils.decode_predictions(predictions[:, :10])


def test_music_tagger():
    model = music_tagger_crnn.MusicTaggerCRNN(weights=None)
    assert model.output_shape == (None, 50) and model.input_shape == (None, 96, 1366, 1)
    tags = music_tagger_crnn.decode_predictions(np.eye(50)[:1], top_n=1)
    assert tags == [[("rock", 1.0)]]
    with pytest.raises(ValueError, match="msd"):
        music_tagger_crnn.MusicTaggerCRNN(weights="imagenet")
    with pytest.raises(ValueError, match="50 classes"):
        music_tagger_crnn.MusicTaggerCRNN(classes=3)

"""MusicTaggerCRNN: tags for music (Choi, Fazekas, Sandler, Cho 2016, arXiv:1609.04243)."""
from .. import backend as K
from ..layers import (ELU, GRU, BatchNormalization, Conv2D, Dense, Input, MaxPooling2D, Permute,
                      Reshape, ZeroPadding2D)
from ..models import Model
from ..utils.downloads import get_file
from ..utils.layer_utils import get_source_inputs
from .audio_conv_utils import decode_predictions, preprocess_input
from .common import channel_axis

__all__ = ["MusicTaggerCRNN", "decode_predictions", "preprocess_input"]

_ADDRESS = ("https://github.com/fchollet/deep-learning-models/releases/download/v0.3/"
            "music_tagger_crnn_weights_tf_kernels_%s_dim_ordering.h5")


def MusicTaggerCRNN(weights="msd", input_tensor=None, include_top=True, classes=50):
    """Convolutions and two GRU layers over a mel spectrogram of 96 bands and 1366 steps.

    Args:
        weights: None, or "msd", trained on the Million Song Dataset.
        input_tensor: what the model is applied to; None for an input of its own.
        include_top: whether it ends in tags; else in 32 features.
        classes: the number of tags.
    """
    if weights not in (None, "msd"):
        raise ValueError('[MusicTaggerCRNN] weights must be None or "msd"; %r was given.'
                         % (weights,))
    if weights == "msd" and include_top and classes != 50:
        raise ValueError('[MusicTaggerCRNN] weights="msd" has 50 classes; %r were asked for. Use '
                         "include_top=False, or weights=None." % (classes,))
    first = K.image_data_format() == "channels_first"
    shape = (1, 96, 1366) if first else (96, 1366, 1)
    inputs = input_tensor
    if input_tensor is None:
        inputs = Input(shape=shape)
    elif not K.is_keras_tensor(input_tensor):
        inputs = Input(tensor=input_tensor, shape=shape)
    x = ZeroPadding2D((0, 37))(inputs)
    x = BatchNormalization(axis=3 if first else 2, name="bn_0_freq")(x)     # over time
    for number, (filters, pool) in enumerate(((64, 2), (128, 3), (128, 4), (128, 4)), 1):
        x = Conv2D(filters, 3, padding="same", name="conv%d" % number)(x)
        x = BatchNormalization(axis=channel_axis(), name="bn%d" % number)(x)
        x = MaxPooling2D(pool, strides=pool, name="pool%d" % number)(ELU()(x))
    x = Permute((3, 1, 2))(x) if first else x
    x = Reshape((15, 128))(x)
    x = GRU(32, return_sequences=True, name="gru1")(x)
    x = GRU(32, name="gru2")(x)
    if include_top:
        x = Dense(classes, activation="sigmoid", name="output")(x)
    model = Model(inputs if input_tensor is None else get_source_inputs(input_tensor), x,
                  name="music_tagger_crnn")
    if weights == "msd":
        address = _ADDRESS % ("th" if first else "tf")
        model.load_weights(get_file(address.rsplit("/", 1)[1], address, cache_subdir="models"),
                           by_name=True)
    return model

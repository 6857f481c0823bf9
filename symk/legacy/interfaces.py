"""The decorators by which Keras 2 took the arguments of Keras 1, for code that has copied them.

symk's own classes need none: `engine/legacy.py` has their old arguments as tables.
"""
import functools

from ..engine.legacy import accepting_old_names, shape_first
from ..renames import in_either_order

__all__ = ["legacy_add_weight_support", "legacy_get_updates_support"]

# Decorator of a constructor -> the class whose old arguments it takes.
_CONSTRUCTORS = {
    "legacy_dense_support": "Dense", "legacy_dropout_support": "Dropout",
    "legacy_pooling1d_support": "MaxPooling1D", "legacy_pooling2d_support": "MaxPooling2D",
    "legacy_pooling3d_support": "MaxPooling3D",
    "legacy_global_pooling_support": "GlobalMaxPooling2D", "legacy_prelu_support": "PReLU",
    "legacy_gaussiannoise_support": "GaussianNoise", "legacy_recurrent_support": "LSTM",
    "legacy_embedding_support": "Embedding", "legacy_conv1d_support": "Conv1D",
    "legacy_conv2d_support": "Conv2D", "legacy_separable_conv2d_support": "SeparableConv2D",
    "legacy_deconv2d_support": "Conv2DTranspose", "legacy_conv3d_support": "Conv3D",
    "legacy_batchnorm_support": "BatchNormalization",
    "legacy_zeropadding2d_support": "ZeroPadding2D",
    "legacy_zeropadding3d_support": "ZeroPadding3D", "legacy_cropping2d_support": "Cropping2D",
    "legacy_cropping3d_support": "Cropping3D", "legacy_upsampling1d_support": "UpSampling1D",
    "legacy_upsampling2d_support": "UpSampling2D", "legacy_upsampling3d_support": "UpSampling3D",
    "legacy_spatialdropout1d_support": "SpatialDropout1D",
    "legacy_spatialdropoutNd_support": "SpatialDropout2D",
    "legacy_convlstm2d_support": "ConvLSTM2D"}

__all__ += list(_CONSTRUCTORS)

for _name, _class_name in _CONSTRUCTORS.items():
    globals()[_name] = functools.partial(accepting_old_names, class_name=_class_name)

legacy_add_weight_support = shape_first
legacy_get_updates_support = in_either_order

"""Images as arrays, random transforms of them, and batches from arrays, folders and tables.

Names, defaults, numbers and the order of random draws are those of Keras 2.3
(keras_preprocessing 1.1). Files need Pillow, transforms SciPy, tables pandas.
"""
from .affine import (apply_affine_transform, apply_brightness_shift, apply_channel_shift,
                     apply_transform, flip_axis, random_barrel_transform, random_brightness,
                     random_channel_shift, random_rotation, random_shear, random_shift,
                     random_zoom, transform_matrix_offset_center)
from .arrays import array_to_img, img_to_array, list_pictures, load_img, save_img
from .frame import DataFrameIterator
from .generator import ImageDataGenerator
from .iterators import DirectoryIterator, Iterator, NumpyArrayIterator

__all__ = ["ImageDataGenerator", "Iterator", "NumpyArrayIterator", "DirectoryIterator",
           "DataFrameIterator", "array_to_img", "img_to_array", "load_img", "save_img",
           "list_pictures", "random_rotation", "random_shift", "random_shear", "random_zoom",
           "random_channel_shift", "random_brightness", "apply_affine_transform",
           "apply_channel_shift", "apply_brightness_shift", "apply_transform", "flip_axis",
           "random_barrel_transform",
           "transform_matrix_offset_center"]

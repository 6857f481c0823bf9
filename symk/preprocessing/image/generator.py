"""ImageDataGenerator: what is done to an image, at random or always, before the model sees it."""
import warnings

import numpy as np

from ... import backend as K
from ... import renames
from .affine import apply_affine_transform, apply_brightness_shift, apply_channel_shift, flip_axis
from .frame import DataFrameIterator
from .iterators import DirectoryIterator, NumpyArrayIterator

__all__ = ["ImageDataGenerator"]

_EPSILON = 1e-6   # keeps the division by a standard deviation finite


class ImageDataGenerator:
    """Gives batches of images, each transformed at random and then standardised.

    Args:
        featurewise_center, featurewise_std_normalization: subtract the mean and divide by the
            standard deviation of the data, which `fit` computes.
        samplewise_center, samplewise_std_normalization: the same with those of each image.
        zca_whitening, zca_epsilon: decorrelate all values of an image; `fit` computes how.
        rotation_range: degrees.
        width_shift_range, height_shift_range: a float below 1 is a fraction of the size, another
            float a number of pixels, an int n one of 0..n-1 pixels, a list its items.
        brightness_range: two factors.
        shear_range: degrees.
        zoom_range: two factors, or z for (1 - z, 1 + z).
        channel_shift_range: the most that is added to the values.
        fill_mode, cval: what lies outside of an image, see `apply_affine_transform`.
        horizontal_flip, vertical_flip: whether every second image is mirrored.
        rescale: a factor.
        preprocessing_function: applied to each image (rank 3) before all standardisation.
        data_format: "channels_last" or "channels_first".
        validation_split: the fraction that subset="validation" reads; 0 for none.
        interpolation_order: of the spline of transforms.
        dtype: of the batches.
    """

    @renames.accepts("ImageDataGenerator")
    def __init__(self, featurewise_center=False, samplewise_center=False,
                 featurewise_std_normalization=False, samplewise_std_normalization=False,
                 zca_whitening=False, zca_epsilon=1e-6, rotation_range=0, width_shift_range=0.0,
                 height_shift_range=0.0, brightness_range=None, shear_range=0.0, zoom_range=0.0,
                 channel_shift_range=0.0, fill_mode="nearest", cval=0.0, horizontal_flip=False,
                 vertical_flip=False, rescale=None, preprocessing_function=None, data_format=None,
                 validation_split=0.0, interpolation_order=1, dtype="float32"):
        self.featurewise_center = featurewise_center
        self.samplewise_center = samplewise_center
        self.featurewise_std_normalization = featurewise_std_normalization
        self.samplewise_std_normalization = samplewise_std_normalization
        self.zca_whitening = zca_whitening
        self.zca_epsilon = zca_epsilon
        self.rotation_range = rotation_range
        self.width_shift_range = width_shift_range
        self.height_shift_range = height_shift_range
        self.brightness_range = brightness_range
        self.shear_range = shear_range
        self.zoom_range = _zoom_range(zoom_range)
        self.channel_shift_range = channel_shift_range
        self.fill_mode = fill_mode
        self.cval = cval
        self.horizontal_flip = horizontal_flip
        self.vertical_flip = vertical_flip
        self.rescale = rescale
        self.preprocessing_function = preprocessing_function
        self.data_format = K.normalize_data_format(data_format)
        self.interpolation_order = interpolation_order
        self.dtype = dtype
        first = self.data_format == "channels_first"
        self.channel_axis, self.row_axis, self.col_axis = (1, 2, 3) if first else (3, 1, 2)
        self.mean = self.std = self.principal_components = None
        if validation_split and not 0 < validation_split < 1:
            raise ValueError("[ImageDataGenerator] validation_split must be between 0 and 1; %r "
                             "was given." % (validation_split,))
        self._validation_split = validation_split
        if brightness_range is not None and np.shape(brightness_range) != (2,):
            raise ValueError("[ImageDataGenerator] brightness_range must be two numbers; %r was "
                             "given." % (brightness_range,))
        self._settle_standardisation()

    def _settle_standardisation(self):
        """Turns on what other settings need, and off what they exclude, with a warning."""
        for wanted, needed in (("zca_whitening", "featurewise_center"),
                               ("featurewise_std_normalization", "featurewise_center"),
                               ("samplewise_std_normalization", "samplewise_center")):
            if getattr(self, wanted) and not getattr(self, needed):
                setattr(self, needed, True)
                warnings.warn("ImageDataGenerator: %s needs %s, which is now set."
                              % (wanted, needed), stacklevel=3)
        if self.zca_whitening and self.featurewise_std_normalization:
            self.featurewise_std_normalization = False
            warnings.warn("ImageDataGenerator: zca_whitening replaces "
                          "featurewise_std_normalization, which is now off.", stacklevel=3)

    @renames.accepts("images")
    def flow(self, x, y=None, batch_size=32, shuffle=True, sample_weight=None, seed=None,
             save_to_dir=None, save_prefix="", save_format="png", subset=None):
        """Batches of arrays; endless, in a new order in each epoch.

        Args:
            x: images (samples, rows, columns, channels), or (images, [other arrays]).
            y, sample_weight: come with their samples.
            save_to_dir, save_prefix, save_format: where to keep the transformed images.
            subset: "training" or "validation", of `validation_split`.
        """
        return NumpyArrayIterator(
            x, y, self, batch_size=batch_size, shuffle=shuffle, sample_weight=sample_weight,
            seed=seed, data_format=self.data_format, save_to_dir=save_to_dir,
            save_prefix=save_prefix, save_format=save_format, subset=subset)

    def flow_from_directory(self, directory, target_size=(256, 256), color_mode="rgb", classes=None,
                            class_mode="categorical", batch_size=32, shuffle=True, seed=None,
                            save_to_dir=None, save_prefix="", save_format="png",
                            follow_links=False, subset=None, interpolation="nearest"):
        """Batches of the pictures in a folder that has a folder for each class.

        Args:
            target_size: (rows, columns) that all get.
            color_mode: "grayscale", "rgb" or "rgba".
            classes: names of the folders in order; None for all, sorted.
            class_mode: "categorical" (one-hot), "binary", "sparse", "input" (the picture
                itself) or None (no labels).
            follow_links, interpolation: for reading; the others as in `flow`.
        """
        return DirectoryIterator(
            directory, self, target_size=target_size, color_mode=color_mode, classes=classes,
            class_mode=class_mode, data_format=self.data_format, batch_size=batch_size,
            shuffle=shuffle, seed=seed, save_to_dir=save_to_dir, save_prefix=save_prefix,
            save_format=save_format, follow_links=follow_links, subset=subset,
            interpolation=interpolation)

    def flow_from_dataframe(self, dataframe, directory=None, x_col="filename", y_col="class",
                            weight_col=None, target_size=(256, 256), color_mode="rgb", classes=None,
                            class_mode="categorical", batch_size=32, shuffle=True, seed=None,
                            save_to_dir=None, save_prefix="", save_format="png", subset=None,
                            interpolation="nearest", validate_filenames=True, **kwargs):
        """Batches of the pictures that a pandas table lists.

        Args:
            directory: folder of the files; None when the table has whole paths.
            x_col, y_col, weight_col: columns of file names, of labels, of sample weights.
            class_mode: "categorical", "binary", "sparse", "raw", "multi_output", "input", None.
            validate_filenames: whether rows without a picture are left out.
        """
        for name in ("has_ext", "sort", "drop_duplicates"):
            if name in kwargs:
                warnings.warn("flow_from_dataframe: %s has no effect since Keras 2.2.5." % name,
                              stacklevel=2)
                del kwargs[name]
        if kwargs:
            raise TypeError("[flow_from_dataframe] the arguments of Keras 2.3 are required; %s "
                            "were given." % sorted(kwargs))
        return DataFrameIterator(
            dataframe, directory, self, x_col=x_col, y_col=y_col, weight_col=weight_col,
            target_size=target_size, color_mode=color_mode, classes=classes, class_mode=class_mode,
            data_format=self.data_format, batch_size=batch_size, shuffle=shuffle, seed=seed,
            save_to_dir=save_to_dir, save_prefix=save_prefix, save_format=save_format,
            subset=subset, interpolation=interpolation, validate_filenames=validate_filenames)

    def standardize(self, x):
        """One image, or a batch as one, rescaled, centred, normalised and whitened as the settings
        say; in place where x is a float array.
        """
        if self.preprocessing_function:
            x = self.preprocessing_function(x)
        if self.rescale:
            x *= self.rescale
        if self.samplewise_center:
            x -= np.mean(x, keepdims=True)
        if self.samplewise_std_normalization:
            x /= np.std(x, keepdims=True) + _EPSILON
        if self.featurewise_center and self._fitted(self.mean, "featurewise_center"):
            x -= self.mean
        if (self.featurewise_std_normalization
                and self._fitted(self.std, "featurewise_std_normalization")):
            x /= self.std + _EPSILON
        if self.zca_whitening and self._fitted(self.principal_components, "zca_whitening"):
            rows = np.reshape(x, (-1, len(self.principal_components)))
            x = np.reshape(rows @ self.principal_components, x.shape)
        return x

    def _fitted(self, statistics, name):
        if statistics is None:
            warnings.warn("ImageDataGenerator: %s has no effect before fit(data)." % name,
                          stacklevel=3)
        return statistics is not None

    def get_random_transform(self, img_shape, seed=None):
        """A random transform for an image of this shape: a dict for `apply_transform`."""
        rows, columns = img_shape[self.row_axis - 1], img_shape[self.col_axis - 1]
        if seed is not None:
            np.random.seed(seed)
        drawn = {"theta": _uniform(self.rotation_range),
                 "tx": _shift(self.height_shift_range, rows),
                 "ty": _shift(self.width_shift_range, columns),
                 "shear": _uniform(self.shear_range)}
        low, high = self.zoom_range
        drawn["zx"], drawn["zy"] = (1, 1) if low == high == 1 else np.random.uniform(low, high, 2)
        drawn["flip_horizontal"] = (np.random.random() < 0.5) * self.horizontal_flip
        drawn["flip_vertical"] = (np.random.random() < 0.5) * self.vertical_flip
        drawn["channel_shift_intensity"] = (_uniform(self.channel_shift_range)
                                            if self.channel_shift_range else None)
        drawn["brightness"] = (np.random.uniform(*self.brightness_range)
                               if self.brightness_range is not None else None)
        return drawn

    def apply_transform(self, x, transform_parameters):
        """An image transformed as a dict says.

        Args:
            x: an array of rank 3.
            transform_parameters: any of theta, tx, ty, shear, zx, zy, flip_horizontal,
                flip_vertical, channel_shift_intensity, brightness.
        """
        get = transform_parameters.get
        row, column, channel = self.row_axis - 1, self.col_axis - 1, self.channel_axis - 1
        x = apply_affine_transform(
            x, get("theta", 0), get("tx", 0), get("ty", 0), get("shear", 0), get("zx", 1),
            get("zy", 1), row_axis=row, col_axis=column, channel_axis=channel,
            fill_mode=self.fill_mode, cval=self.cval, order=self.interpolation_order)
        if get("channel_shift_intensity") is not None:
            x = apply_channel_shift(x, get("channel_shift_intensity"), channel)
        if get("flip_horizontal", False):
            x = flip_axis(x, column)
        if get("flip_vertical", False):
            x = flip_axis(x, row)
        if get("brightness") is not None:
            x = apply_brightness_shift(x, get("brightness"))
        return x

    def random_transform(self, x, seed=None):
        """An image of rank 3, transformed at random."""
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    @renames.accepts("images")
    def fit(self, x, augment=False, rounds=1, seed=None):
        """Computes mean, standard deviation and whitening of the data, where they are needed.

        Args:
            x: images, rank 4.
            augment: whether randomly transformed images are used, `rounds` of each.
            seed: for the transforms.
        """
        x = np.array(x, dtype=self.dtype)
        if x.ndim != 4:
            raise ValueError("[ImageDataGenerator.fit] images of rank 4 are required; the shape is "
                             "%s." % (x.shape,))
        if x.shape[self.channel_axis] not in (1, 3, 4):
            warnings.warn("ImageDataGenerator.fit: 1, 3 or 4 channels are expected on axis %d; the "
                          "shape is %s." % (self.channel_axis, x.shape), stacklevel=2)
        if seed is not None:
            np.random.seed(seed)
        if augment:
            x = np.stack([self.random_transform(image) for _ in range(rounds) for image in x])
        axes = (0, self.row_axis, self.col_axis)
        if self.featurewise_center:
            self.mean = np.mean(x, axis=axes, keepdims=True)[0]
            x = x - self.mean
        if self.featurewise_std_normalization:
            self.std = np.std(x, axis=axes, keepdims=True)[0]
            x = x / (self.std + _EPSILON)
        if self.zca_whitening:
            self.principal_components = self._whitening(x.reshape(len(x), -1))

    def _whitening(self, flat):
        """The symmetric matrix W with W^T cov W = 1 up to zca_epsilon."""
        _, singular, vectors = np.linalg.svd(flat / np.sqrt(len(flat)),
                                             full_matrices=len(flat) < flat.shape[1])
        variances = np.zeros(len(vectors), flat.dtype)
        variances[:len(singular)] = singular ** 2
        return (vectors.T / np.sqrt(variances + self.zca_epsilon)) @ vectors


def _zoom_range(zoom_range):
    if np.isscalar(zoom_range):
        return [1 - zoom_range, 1 + zoom_range]
    if len(zoom_range) != 2:
        raise ValueError("[ImageDataGenerator] zoom_range must be a number or two; %r was given."
                         % (zoom_range,))
    return [zoom_range[0], zoom_range[1]]


def _uniform(bound):
    """A number between -bound and bound; nothing is drawn for 0."""
    return np.random.uniform(-bound, bound) if bound else 0


def _shift(amount, size):
    """A shift in pixels: see width_shift_range."""
    if np.ndim(amount) == 0 and not amount:
        return 0
    if np.ndim(amount) or isinstance(amount, (int, np.integer)):
        return np.random.choice(amount) * np.random.choice([-1, 1])
    shift = np.random.uniform(-amount, amount)
    return shift * size if amount < 1 else shift

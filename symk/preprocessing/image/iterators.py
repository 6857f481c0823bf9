"""Endless batches of images: from arrays and from folders. `frame.py` reads tables."""
import os
import threading
import warnings

import numpy as np

from ... import backend as K
from ... import renames
from ...utils.sequence import Sequence
from .arrays import COLOR_CHANNELS, array_to_img, img_to_array, load_img

__all__ = ["Iterator", "NumpyArrayIterator", "FileIterator", "DirectoryIterator", "checked_choice"]

_SUBSETS = {"training", "validation"}


def checked_choice(who, name, value, choices):
    """Raises ValueError for a value that is not among the choices."""
    if value not in choices:
        raise ValueError("[%s] %s must be one of %s; %r was given."
                         % (who, name, ", ".join(sorted(map(str, choices))), value))


class Iterator(Sequence):
    """Batches of n samples, endless by `next`, or by number as a Sequence.

    A subclass writes `_get_batches_of_transformed_samples(index_array)`.

    Args:
        n: the number of samples.
        batch_size: samples in a batch; the last of an epoch may be smaller.
        shuffle: whether each epoch has a new order.
        seed: numpy's generator is seeded with it plus the number of the batch.
    """

    white_list_formats = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")

    @renames.accepts("Iterator")
    def __init__(self, n, batch_size, shuffle, seed):
        if batch_size < 1:
            raise ValueError("[%s] batch_size must be at least 1; it is %r."
                             % (type(self).__name__, batch_size))
        self.n = n
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.batch_index = 0
        self.total_batches_seen = 0
        self.lock = threading.Lock()
        self.index_array = None
        self.index_generator = self._flow_index()

    def __getstate__(self):
        """Without the lock and the running generator: so it can go to another process."""
        state = dict(self.__dict__)
        del state["lock"], state["index_generator"]
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.lock = threading.Lock()
        self.index_generator = self._flow_index()

    def _set_index_array(self):
        self.index_array = np.random.permutation(self.n) if self.shuffle else np.arange(self.n)

    def _seed_batch(self):
        if self.seed is not None:
            np.random.seed(self.seed + self.total_batches_seen)
        self.total_batches_seen += 1

    def __len__(self):
        return -(-self.n // self.batch_size)

    def __getitem__(self, idx):
        if not 0 <= idx < len(self):
            raise ValueError("[%s] the number of a batch below %d is required; %r was given."
                             % (type(self).__name__, len(self), idx))
        self._seed_batch()
        if self.index_array is None:
            self._set_index_array()
        first = self.batch_size * idx
        return self._get_batches_of_transformed_samples(
            self.index_array[first:first + self.batch_size])

    def on_epoch_end(self):
        """Makes the order of the next epoch."""
        self._set_index_array()

    def reset(self):
        """Begins again with the first batch."""
        self.batch_index = 0

    def _flow_index(self):
        self.reset()
        while True:
            if self.seed is not None:
                np.random.seed(self.seed + self.total_batches_seen)
            if self.batch_index == 0:
                self._set_index_array()
            first = self.batch_size * self.batch_index
            self.batch_index = self.batch_index + 1 if first + self.batch_size < self.n else 0
            self.total_batches_seen += 1
            yield self.index_array[first:first + self.batch_size]

    def __iter__(self):
        return self

    def __next__(self, *args, **kwargs):
        return self.next(*args, **kwargs)

    def next(self):
        """The next batch; several threads may ask."""
        if not self.n:
            raise ValueError("[%s] there are no images to read." % type(self).__name__)
        with self.lock:
            index_array = next(self.index_generator)
        return self._get_batches_of_transformed_samples(index_array)

    def _get_batches_of_transformed_samples(self, index_array):
        raise NotImplementedError("[%s] a subclass of Iterator must say how a batch is made."
                                  % type(self).__name__)

    def _save(self, batch, index_array):
        """Keeps the images of a batch in `save_to_dir`."""
        if not self.save_to_dir:
            return
        for image, index in zip(batch, index_array):
            name = "%s_%d_%d.%s" % (self.save_prefix, index, np.random.randint(10 ** 7),
                                    self.save_format)
            array_to_img(image, self.data_format, scale=True).save(
                os.path.join(self.save_to_dir, name))


class NumpyArrayIterator(Iterator):
    """Batches of arrays: what ImageDataGenerator.flow gives; its arguments are described there."""

    @renames.accepts("NumpyArrayIterator")
    def __init__(self, x, y, image_data_generator, batch_size=32, shuffle=False, sample_weight=None,
                 seed=None, data_format=None, save_to_dir=None, save_prefix="", save_format="png",
                 subset=None, dtype=None):
        x, others = (x[0], x[1]) if isinstance(x, (tuple, list)) else (x, [])
        others = others if isinstance(others, (tuple, list)) else [others]
        others = [np.asarray(other) for other in others]
        for name, array in [("y", y), ("sample_weight", sample_weight)] + [
                ("other array", other) for other in others]:
            if array is not None and len(array) != len(x):
                raise ValueError("[NumpyArrayIterator] %s must have as many samples as x, %d; it "
                                 "has %d." % (name, len(x), len(array)))
        rows = slice(None)
        if subset is not None:
            checked_choice("NumpyArrayIterator", "subset", subset, _SUBSETS)
            parted = int(len(x) * image_data_generator._validation_split)
            if y is not None and not np.array_equal(np.unique(y[:parted]), np.unique(y[parted:])):
                raise ValueError("[NumpyArrayIterator] training and validation must have the same "
                                 "classes; they differ. Shuffle the data first.")
            rows = slice(parted) if subset == "validation" else slice(parted, None)
        self.data_format = K.normalize_data_format(data_format)
        self.dtype = dtype or image_data_generator.dtype
        self.x = np.asarray(x, dtype=self.dtype)[rows]
        self.x_misc = [other[rows] for other in others]
        self.y = None if y is None else np.asarray(y)[rows]
        self.sample_weight = None if sample_weight is None else np.asarray(sample_weight)[rows]
        if self.x.ndim != 4:
            raise ValueError("[NumpyArrayIterator] images of rank 4 are required; the shape is %s."
                             % (self.x.shape,))
        channels = self.x.shape[3 if self.data_format == "channels_last" else 1]
        if channels not in COLOR_CHANNELS.values():
            warnings.warn("NumpyArrayIterator: 1, 3 or 4 channels are expected with %s; the shape "
                          "is %s." % (self.data_format, self.x.shape), stacklevel=3)
        self.image_data_generator = image_data_generator
        self.save_to_dir = save_to_dir
        self.save_prefix = save_prefix
        self.save_format = save_format
        super().__init__(len(self.x), batch_size, shuffle, seed)

    def _get_batches_of_transformed_samples(self, index_array):
        generator = self.image_data_generator
        batch = np.zeros((len(index_array),) + self.x.shape[1:], dtype=self.dtype)
        for row, index in enumerate(index_array):
            parameters = generator.get_random_transform(self.x.shape[1:])
            image = generator.apply_transform(self.x[index].copy(), parameters)
            batch[row] = generator.standardize(image)
        self._save(batch, index_array)
        images = [batch] + [other[index_array] for other in self.x_misc]
        images = images if self.x_misc else batch
        if self.y is None:
            return images
        if self.sample_weight is None:
            return images, self.y[index_array]
        return images, self.y[index_array], self.sample_weight[index_array]


class FileIterator(Iterator):
    """What the readers of files share: a subclass has `filepaths`, `labels`, `class_mode`.

    Args:     as in ImageDataGenerator.flow_from_directory.
    """

    def __init__(self, image_data_generator, target_size, color_mode, data_format, save_to_dir,
                 save_prefix, save_format, subset, interpolation, dtype):
        checked_choice(type(self).__name__, "color_mode", color_mode, COLOR_CHANNELS)
        self.image_data_generator = image_data_generator
        self.target_size = tuple(target_size)
        self.color_mode = color_mode
        self.data_format = K.normalize_data_format(data_format)
        channels = (COLOR_CHANNELS[color_mode],)
        self.image_shape = (self.target_size + channels if self.data_format == "channels_last"
                            else channels + self.target_size)
        self.save_to_dir = save_to_dir
        self.save_prefix = save_prefix
        self.save_format = save_format
        self.interpolation = interpolation
        self.dtype = dtype or image_data_generator.dtype
        self.split = self._split_of(subset)
        self.subset = subset

    def _split_of(self, subset):
        """(from, to) as fractions of the files; None for all."""
        if subset is None:
            return None
        checked_choice(type(self).__name__, "subset", subset, _SUBSETS)
        parted = self.image_data_generator._validation_split
        return (0, parted) if subset == "validation" else (parted, 1)

    def _part(self, items):
        """The part of a list that belongs to the subset."""
        if self.split is None:
            return items
        first, last = (int(fraction * len(items)) for fraction in self.split)
        return items[first:last]

    @property
    def sample_weight(self):
        """The weights of all files; None without."""
        return None

    def _get_batches_of_transformed_samples(self, index_array):
        generator = self.image_data_generator
        batch = np.zeros((len(index_array),) + self.image_shape, dtype=self.dtype)
        for row, index in enumerate(index_array):
            with load_img(self.filepaths[index], color_mode=self.color_mode,
                          target_size=self.target_size, interpolation=self.interpolation) as img:
                image = img_to_array(img, data_format=self.data_format, dtype=self.dtype)
            parameters = generator.get_random_transform(image.shape)
            image = generator.apply_transform(np.array(image), parameters)
            batch[row] = generator.standardize(image)
        self._save(batch, index_array)
        return self._with_labels(batch, index_array)

    def _with_labels(self, batch, index_array):
        if self.class_mode is None:
            return batch
        labels = self._labels_of(batch, index_array)
        if self.sample_weight is None:
            return batch, labels
        return batch, labels, self.sample_weight[index_array]

    def _labels_of(self, batch, index_array):
        """The targets of a batch, as class_mode says."""
        if self.class_mode == "input":
            return batch.copy()
        labels = np.asarray(self.labels)[index_array]
        if self.class_mode in ("binary", "sparse"):
            return labels.astype(self.dtype)
        return np.eye(len(self.class_indices), dtype=self.dtype)[labels]


class DirectoryIterator(FileIterator):
    """Batches of the pictures in a folder with one folder per class.

    Args:     as in ImageDataGenerator.flow_from_directory.
    Attributes: classes (label of each file), class_indices ({name: label}), filenames
        (below the folder), filepaths, samples.
    """

    allowed_class_modes = {"categorical", "binary", "sparse", "input", None}

    @renames.accepts("image file")
    def __init__(self, directory, image_data_generator, target_size=(256, 256), color_mode="rgb",
                 classes=None, class_mode="categorical", batch_size=32, shuffle=True, seed=None,
                 data_format=None, save_to_dir=None, save_prefix="", save_format="png",
                 follow_links=False, subset=None, interpolation="nearest", dtype=None):
        super().__init__(image_data_generator, target_size, color_mode, data_format, save_to_dir,
                         save_prefix, save_format, subset, interpolation, dtype)
        checked_choice("DirectoryIterator", "class_mode", class_mode, self.allowed_class_modes)
        self.directory = os.fspath(directory)
        self.class_mode = class_mode
        if not classes:
            classes = sorted(entry.name for entry in os.scandir(self.directory) if entry.is_dir())
        self.class_indices = {name: label for label, name in enumerate(classes)}
        self.num_classes = len(classes)
        self.filenames = []
        labels = []
        for name, label in self.class_indices.items():
            found = self._part(self._pictures(name, follow_links))
            self.filenames += found
            labels += [label] * len(found)
        self.classes = np.array(labels, dtype="int32")
        self.samples = len(self.filenames)
        self._filepaths = [os.path.join(self.directory, name) for name in self.filenames]
        print("Found %d images belonging to %d classes." % (self.samples, self.num_classes))
        Iterator.__init__(self, self.samples, batch_size, shuffle, seed)

    def _pictures(self, name, follow_links):
        """The pictures of a class, sorted, as paths below the directory."""
        top = os.path.join(self.directory, name)
        walk = sorted(os.walk(top, followlinks=follow_links), key=lambda found: found[0])
        endings = tuple("." + ending for ending in self.white_list_formats)
        return [os.path.relpath(os.path.join(root, file), self.directory)
                for root, _, files in walk for file in sorted(files)
                if file.lower().endswith(endings)]

    @property
    def filepaths(self):
        """The path of each file."""
        return self._filepaths

    @property
    def labels(self):
        """The label of each file."""
        return self.classes

"""Batches of the pictures that a pandas table lists."""
import os

import numpy as np

from ...extras import extra
from .iterators import FileIterator, Iterator, checked_choice

__all__ = ["DataFrameIterator"]

_LABELLED = ("categorical", "binary", "sparse")


class DataFrameIterator(FileIterator):
    """Batches of the pictures in a column of a table, with targets from other columns.

    Args:     as in ImageDataGenerator.flow_from_dataframe.
    Attributes: class_indices ({name: label}) and classes where the mode has classes; filenames,
        filepaths, labels, samples.
    """

    allowed_class_modes = {"binary", "categorical", "input", "multi_output", "raw", "sparse", None}

    def __init__(self, dataframe, directory=None, image_data_generator=None, x_col="filename",
                 y_col="class", weight_col=None, target_size=(256, 256), color_mode="rgb",
                 classes=None, class_mode="categorical", batch_size=32, shuffle=True, seed=None,
                 data_format="channels_last", save_to_dir=None, save_prefix="", save_format="png",
                 subset=None, interpolation="nearest", dtype=None, validate_filenames=True):
        super().__init__(image_data_generator, target_size, color_mode, data_format, save_to_dir,
                         save_prefix, save_format, subset, interpolation, dtype)
        self.directory = "" if directory is None else os.fspath(directory)
        self.class_mode = class_mode
        self._check(dataframe, x_col, y_col, weight_col)
        table = self._known_files(dataframe, x_col) if validate_filenames else dataframe
        if class_mode in _LABELLED:
            table, classes = self._with_classes(table, y_col, classes)
            self.class_indices = {name: label for label, name in enumerate(classes)}
        table = self._part(table)
        self.filenames = list(table[x_col])
        self._filepaths = [os.path.join(self.directory, name) for name in self.filenames]
        self._sample_weight = None if weight_col is None else table[weight_col].values
        self._labels = self._all_labels(table, y_col)
        self.samples = len(self.filenames)
        which = "" if validate_filenames else "non-validated "
        if class_mode in _LABELLED:
            print("Found %d %simage filenames belonging to %d classes."
                  % (self.samples, which, len(self.class_indices)))
        else:
            print("Found %d %simage filenames." % (self.samples, which))
        Iterator.__init__(self, self.samples, batch_size, shuffle, seed)

    def _check(self, table, x_col, y_col, weight_col):
        """Raises for columns that the mode cannot use."""
        checked_choice("DataFrameIterator", "class_mode", self.class_mode, self.allowed_class_modes)
        pandas = extra("pandas", "DataFrameIterator")
        if not isinstance(table, pandas.DataFrame):
            raise TypeError("[DataFrameIterator] a pandas DataFrame is required; %r was given."
                            % type(table).__name__)
        multiple = isinstance(y_col, (list, tuple))
        if (self.class_mode == "multi_output") != multiple and self.class_mode in (
                _LABELLED + ("multi_output",)):
            raise TypeError("[DataFrameIterator] y_col must be %s for class_mode %r; it is %r."
                            % ("one column" if multiple else "a list", self.class_mode, y_col))
        needed = [x_col] + ([] if weight_col is None else [weight_col])
        if self.class_mode not in ("input", None):
            needed += list(y_col) if multiple else [y_col]
        missing = [name for name in needed if name not in table.columns]
        if missing:
            raise ValueError("[DataFrameIterator] the columns %s are required; the table has %s."
                             % (missing, list(table.columns)))
        if not all(isinstance(name, str) for name in table[x_col]):
            raise TypeError("[DataFrameIterator] all values of the column %r must be strings."
                            % (x_col,))

    def _known_files(self, table, x_col):
        """The rows whose file is there and a picture."""
        endings = tuple("." + ending for ending in self.white_list_formats)
        known = [name.lower().endswith(endings)
                 and os.path.isfile(os.path.join(self.directory, name)) for name in table[x_col]]
        if not all(known):
            print("%d rows without an image file are left out." % (len(known) - sum(known)))
        return table[known]

    def _with_classes(self, table, y_col, classes):
        """(rows whose classes are wanted, the classes in order)."""
        listed = [value if isinstance(value, (list, tuple)) else [value] for value in table[y_col]]
        if self.class_mode != "categorical" and any(len(labels) > 1 for labels in listed):
            raise TypeError("[DataFrameIterator] one class per row is required for class_mode %r; "
                            "a row has several." % self.class_mode)
        for labels in listed:
            if not all(isinstance(label, str) for label in labels):
                raise TypeError("[DataFrameIterator] classes must be strings for class_mode %r; "
                                "%r was found. Use dataframe[y_col].astype(str)."
                                % (self.class_mode, labels))
        if classes:
            wanted = set(classes)
            listed = [[label for label in labels if label in wanted] for labels in listed]
            table = table.assign(**{y_col: listed})[[bool(labels) for labels in listed]]
        else:
            table = table.assign(**{y_col: listed})
            classes = sorted({label for labels in listed for label in labels})
        if self.class_mode == "binary" and len(classes) != 2:
            raise ValueError('[DataFrameIterator] class_mode "binary" needs two classes; there are '
                             "%d." % len(classes))
        return table, list(classes)

    def _all_labels(self, table, y_col):
        """The targets of all rows, in the form that the mode keeps."""
        if self.class_mode in _LABELLED:
            self.classes = [[self.class_indices[label] for label in labels]
                            for labels in table[y_col]]
            if all(len(labels) == 1 for labels in self.classes):
                self.classes = [labels[0] for labels in self.classes]
            return self.classes
        if self.class_mode == "multi_output":
            return [np.array(table[name].tolist()) for name in y_col]
        if self.class_mode == "raw":
            return table[list(y_col) if isinstance(y_col, (list, tuple)) else y_col].values
        return None

    def get_classes(self, df, y_col):
        """The numbers of the classes in a column of a table: one for each row, or a list."""
        return [[self.class_indices[one] for one in label] if isinstance(label, (list, tuple))
                else self.class_indices[label] for label in df[y_col]]

    def _labels_of(self, batch, index_array):
        if self.class_mode == "multi_output":
            return [column[index_array] for column in self._labels]
        if self.class_mode == "raw":
            return self._labels[index_array]
        if self.class_mode == "categorical":
            targets = np.zeros((len(index_array), len(self.class_indices)), dtype=self.dtype)
            for row, index in zip(targets, index_array):
                row[self._labels[index]] = 1
            return targets
        return super()._labels_of(batch, index_array)

    @property
    def filepaths(self):
        """The path of each file."""
        return self._filepaths

    @property
    def labels(self):
        """The targets of all files."""
        return self._labels

    @property
    def sample_weight(self):
        """The weights of all files; None without."""
        return self._sample_weight

"""Sequence: batches that can be read in any order."""

__all__ = ["Sequence"]


class Sequence:
    """Batches that can be read in any order: what `fit_generator` reads epoch by epoch.

    A subclass says how many batches there are (`__len__`) and gives each (`__getitem__`), as
    (x, y) or (x, y, sample_weight). `on_epoch_end` is called after the last batch of an epoch.
    """

    use_sequence_api = True     # by which Keras knows a Sequence of another Keras

    def __getitem__(self, index):
        """The batch of a number."""
        raise NotImplementedError

    def __len__(self):
        """The number of batches."""
        raise NotImplementedError

    def on_epoch_end(self):
        """Between two epochs, for instance to put the samples in a new order."""

    def __iter__(self):
        return (self[index] for index in range(len(self)))

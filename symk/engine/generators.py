"""Batches that come one by one, from an iterator or from a sequence of batches."""
import numpy as np

__all__ = ["checked_steps", "endless", "is_generator", "triple"]


def is_generator(x):
    """Whether batches come one by one: from an iterator, or a sequence of batches."""
    if isinstance(x, (np.ndarray, list, tuple, dict)):
        return False
    return hasattr(x, "__next__") or (hasattr(x, "__getitem__") and hasattr(x, "on_epoch_end"))


def checked_steps(generator, steps, name):
    if steps is not None:
        return steps
    if not hasattr(generator, "__len__"):
        raise ValueError("[%s] a number of batches is required for a generator; none was given."
                         % name)
    return len(generator)


def endless(generator, shuffle):
    """The batches of an iterator, or those of a sequence over and over."""
    if hasattr(generator, "__next__"):
        yield from generator
        raise ValueError("[generator] it ended before the steps asked for were done; let it go on "
                         "for ever, or ask for fewer steps.")
    while True:
        places = np.arange(len(generator))
        if shuffle:
            np.random.shuffle(places)
        for place in places:
            yield generator[int(place)]
        if hasattr(generator, "on_epoch_end"):
            generator.on_epoch_end()


def triple(batch):
    """(x, y, sample_weight or None) from a batch of a generator."""
    if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
        raise ValueError("[generator] batches must be (x, y) or (x, y, sample_weight); %s was "
                         "given." % type(batch).__name__)
    return tuple(batch) if len(batch) == 3 else tuple(batch) + (None,)

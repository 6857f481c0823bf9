"""Data that come in batches, under the names that Keras has for them."""
from .downloads import get_file, validate_file
from .enqueuer import GeneratorEnqueuer, OrderedEnqueuer, SequenceEnqueuer
from .progress import Progbar
from .sequence import Sequence

__all__ = ["GeneratorEnqueuer", "OrderedEnqueuer", "Progbar", "Sequence", "SequenceEnqueuer",
           "get_file", "validate_file"]

"""Connectionist temporal classification: a loss for labels without places in time, decoding."""
from .. import ops
from ..config import settings
from ..graph import ShapeError, dims
from ..ops.checks import flag, whole

__all__ = ["ctc_batch_cost", "ctc_decode"]


def ctc_batch_cost(y_true, y_pred, input_length, label_length):
    """-log of the probability of the labels of each sample, over all ways to place them in time.

    Args:     y_true: labels, below the last class, which is the blank; (batch, places). Blanks at
                  the end of a row are no labels, as in TensorFlow: a row of them spells nothing.
              y_pred: probabilities, as of a softmax; (batch, steps, classes).
              input_length, label_length: how many steps and labels a sample has; (batch, 1).
    Shapes:   -> (batch, 1).
    Raises:   OutOfRangeError in the call, for labels and lengths that do not fit.
    """
    steps, counts = (_lengths("ctc_batch_cost", v) for v in (input_length, label_length))
    logits, labels = _logarithms(y_pred), _as_integers(y_true)
    counts = _up_to_the_last_label(labels, counts, logits)
    return ops.expand_dims(ops.ctc_loss(logits, labels, steps, counts), 1)


def ctc_decode(y_pred, input_length, greedy=True, beam_width=100, top_paths=1,
               merge_repeated=False):
    """The labels that probabilities stand for.

    Args:     y_pred: probabilities, (batch, steps, classes); the last class is the blank.
              input_length: how many steps a sample has; (batch,).
              greedy: take the best class of each step; else search among `beam_width` beginnings.
              top_paths: how many results the search gives. merge_repeated: write equal labels in a
              row once, in results of the search.
    Returns:  (labels, scores): a list of tensors (batch, at most steps), padded with -1, which
              leave a function as long as their longest row; and the logarithms of the
              probabilities (batch, top_paths), or, if greedy, minus the sum of the logarithms of
              the best classes (batch, 1).
    """
    logits, steps = _logarithms(y_pred), _lengths("ctc_decode", input_length)
    if flag("ctc_decode", "greedy", greedy):
        labels, score = ops.ctc_greedy_decode(logits, steps)
        return [ops.cut_padding(labels, -1)], ops.expand_dims(score, 1)
    beam_width, top_paths = (whole("ctc_decode", "beam_width and top_paths", number)
                             for number in (beam_width, top_paths))
    labels, scores = ops.ctc_beam_search(logits, steps, beam_width, top_paths, merge_repeated)
    return [ops.cut_padding(labels[:, path], -1) for path in range(top_paths)], scores


def _up_to_the_last_label(labels, counts, logits):
    """The numbers of labels without the blanks at the ends of the rows."""
    room = ops.cast(ops.shape_of(labels)[1], "int64")
    blank = ops.cast(ops.shape_of(logits)[2], "int64") - 1
    places = ops.expand_dims(ops.arange(1, room + 1, dtype="int64"), 0)
    real = ops.logical_and(ops.not_equal(labels, blank),
                           ops.less_equal(places, ops.expand_dims(counts, 1)))
    last = ops.max(ops.cast(real, "int64") * places, 1)
    # A number that does not fit stays what it is, and is refused.
    fits = ops.logical_and(ops.less_equal(0, counts), ops.less_equal(counts, room))
    return ops.where(fits, last, counts)


def _logarithms(probabilities):
    probabilities = ops.as_variable(probabilities)
    return ops.log(probabilities + settings.epsilon)


def _as_integers(x):
    return ops.cast(ops.as_variable(x), "int64")


def _lengths(who, x):
    """One integer per sample, from (batch,) or (batch, 1)."""
    x = _as_integers(x)
    if x.ndim not in (1, 2) or x.ndim == 2 and dims.known_different(x.shape[1], 1):
        raise ShapeError("[%s] lengths of the shape (batch, 1) are required; %r was given."
                         % (who, x.type))
    return ops.reshape(x, x.shape[:1])

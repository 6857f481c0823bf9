"""Loops over time and over elements: `rnn`, `map_fn`, `foldl`, `foldr`, all by `ops.scan`."""
from .. import ops
from ..graph import ShapeError, Variable, dims
from ..ops.checks import callable_in, flag, text
from ..ops.sizes import as_size
from .common import listed
from .core import _named

__all__ = ["rnn", "map_fn", "foldl", "foldr"]


def rnn(step_function, inputs, initial_states, go_backwards=False, mask=None, constants=None,
        unroll=False, input_length=None):
    """Runs a step over the time axis of a tensor.

    Args:
        step_function: step_function(input, states) -> (output, new states). The input is that of
            one time, (batch, ...); the states are followed by the constants. It is called once
            before the loop as well, on zeros: what it makes at its first call, such as a dropout
            mask, then serves all times.
        inputs: (batch, time, ...), of any number of times, also none.
        initial_states: a list of tensors (batch, ...).
        go_backwards: from the last time to the first; the outputs are in that order too.
        mask: (batch, time) or (batch, time, 1). Where it is 0 the states stay, and the output is
            the one before; zeros if there was none.
        constants: a list of tensors that each step gets.
        unroll: write the steps out one after the other; the number of times must be known.
        input_length: the number of times, where the shape does not tell it; or one for each
            sample, (batch): without a mask, later times are masked.
    Returns:  (last output, outputs (batch, time, ...), list of the states after the last time).
              Without any time the last output is zeros.
    """
    callable_in("rnn", "the step function", step_function)
    inputs = ops.as_variable(inputs)
    if inputs.ndim < 3:
        raise ShapeError("[rnn] inputs of at least 3 axes (batch, time, ...) are required; %r was "
                         "given." % (inputs.type,))
    go_backwards, unroll = flag("rnn", "go_backwards", go_backwards), flag("rnn", "unroll", unroll)
    inputs, mask = _with_length(inputs, mask, input_length)
    if unroll and isinstance(inputs.shape[1], dims.Dim):
        raise ShapeError("[rnn] unrolling needs a number of times that is known while the model is "
                         "built; the inputs are %r. Give input_length." % (inputs.type,))
    states = [ops.as_variable(state) for state in listed("rnn", initial_states)]
    constants = [] if constants is None else listed("rnn", constants)
    first = ops.full(inputs.shape[:1] + inputs.shape[2:], 0, inputs.dtype)
    output = ops.as_variable(step_function(first, states + constants)[0])

    def step(rows, before):
        output, new_states = step_function(rows[0], before[1:] + constants)
        after = [output] + list(new_states)
        if len(after) != len(before):
            raise ShapeError("[rnn] a step must give one new value for each of the %d states; it "
                             "gave %d." % (len(before) - 1, len(after) - 1))
        if mask is not None:
            after = [_where_masked(rows[1], new, old) for new, old in zip(after, before)]
        return after, after[:1]

    sequences = [_swap_time(inputs)] + ([] if mask is None else [_swap_time(mask)])
    zeros = ops.full(output.shape, 0, output.dtype)
    (last, *states), (outputs,) = ops.scan(step, sequences, [zeros] + states,
                                           reverse=go_backwards, unroll=unroll)
    outputs = ops.flip(outputs, 0) if go_backwards else outputs
    return last, _swap_time(outputs), states


def _with_length(inputs, mask, input_length):
    """The inputs with the time that is stated; the mask, or one from the samples' lengths."""
    if isinstance(input_length, Variable) and input_length.ndim == 1:
        if mask is None:
            times = ops.expand_dims(ops.arange(inputs.shape[1], dtype=input_length.dtype), 0)
            mask = ops.less(times, ops.expand_dims(input_length, 1))
    elif input_length is not None:
        length = as_size(input_length)
        inputs = ops.reshape(inputs, inputs.shape[:1] + (length,) + inputs.shape[2:])
    return inputs, None if mask is None else _as_mask(mask, inputs)


def _as_mask(mask, inputs):
    """A mask as (batch, time) bool."""
    mask = ops.cast(mask, "bool")
    if mask.ndim == 3 and not dims.known_different(mask.shape[2], 1):
        mask = ops.squeeze(mask, 2)
    if mask.ndim != 2 or any(map(dims.known_different, mask.shape, inputs.shape)):
        raise ShapeError("[rnn] the mask must be (batch, time) of the inputs; it is %r, they are "
                         "%r." % (mask.type, inputs.type))
    return mask


def _where_masked(mask, new, old):
    """`new` where the mask (batch) is True, else `old`."""
    return ops.where(ops.reshape(mask, mask.shape + (1,) * (old.ndim - 1)), new, old)


def _swap_time(x):
    """(batch, time, ...) as (time, batch, ...), and back."""
    return ops.transpose(x, (1, 0) + tuple(range(2, x.ndim)))


def map_fn(fn, elems, name=None, dtype=None):
    """`fn` of each element along the first axis.

    Args:     elems: a tensor, or a list of tensors of one first size: then fn gets a list.
              dtype: of the result; by default what fn gives.
    """
    callable_in("map_fn", "fn", fn)
    text("map_fn", "a name", name)
    elems, unpack = _elements(elems)
    _, (result,) = ops.scan(lambda rows, states: ([], [fn(unpack(rows))]), elems)
    return _named(result if dtype is None else ops.cast(result, dtype), name)


def foldl(fn, elems, initializer=None, name=None):
    """fn(accumulator, element) over the first axis, from the first element to the last.

    Args:     elems: a tensor, or a list of tensors: then fn gets a list as its element.
              initializer: the first accumulator; by default the first element, which must exist.
    """
    return _named(_fold("foldl", fn, elems, initializer, from_right=False), name)


def foldr(fn, elems, initializer=None, name=None):
    """As `foldl`, from the last element to the first."""
    return _named(_fold("foldr", fn, elems, initializer, from_right=True), name)


def _fold(what, fn, elems, initializer, from_right):
    callable_in(what, "fn", fn)
    elems, unpack = _elements(elems)
    if initializer is None:
        if len(elems) != 1:
            raise ShapeError("[%s] an initializer is required where the elements are those of "
                             "several tensors; %d tensors were given." % (what, len(elems)))
        initializer = elems[0][-1 if from_right else 0]
        elems = [elems[0][:-1] if from_right else elems[0][1:]]
    (result,), _ = ops.scan(lambda rows, states: ([fn(states[0], unpack(rows))], []), elems,
                            [initializer], reverse=from_right)
    return result


def _elements(elems):
    """(tensors, how a list of their elements is given to the user's function)."""
    if isinstance(elems, (list, tuple)):
        return [ops.as_variable(x) for x in elems], type(elems)
    return [ops.as_variable(elems)], lambda rows: rows[0]

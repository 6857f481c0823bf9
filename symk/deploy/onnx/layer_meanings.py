"""What the ops of ONNX that layers are made of mean in symk: products, windows, normalisation,
whole sequences, loops and branches. Images of ONNX have their channels first; symk computes with
them last, and the optimiser moves the transposes between to the ends.
"""
import numpy as np

from ... import ops
from ...graph import GraphError, dims
from ...ops.window import pad_widths
from .meanings import spatial
from .table import MEANINGS, meaning
from .writer import to_first, to_last

__all__ = []

# --- products and windows ---

@meaning("Gemm")
def _gemm(r, a, x, y, bias=None):
    result = ops.matmul(x, y, a("transA", 0), a("transB", 0))
    if a("alpha", 1.0) != 1.0:
        result = result * a("alpha")
    if bias is None:
        return result
    return result + (bias if a("beta", 1.0) == 1.0 else bias * a("beta"))


def _last(x):
    """An image with its channels last."""
    return ops.transpose(x, to_last(x.ndim))


def _first(x):
    return ops.transpose(x, to_first(x.ndim))


def _widths(a, x, window, strides, dilation, by_word=True):
    """(padding, before, after) of windows over x with the channels last: widths that are to be laid
    around it if there is no word for them, or none is wanted."""
    rank, word = len(window), a("auto_pad", "NOTSET")
    pads = list(a("pads", [0] * (2 * rank)))
    explicit = [0] + pads[:rank] + [0], [0] + pads[rank:] + [0]
    if word == "SAME_UPPER":
        return "same", None, None
    if word == "SAME_LOWER":
        raise GraphError("auto_pad must not be SAME_LOWER.")
    if word == "VALID" or not any(pads):
        return "valid", None, None
    if not by_word:
        return ("valid", *explicit)
    same = []
    for size, *along in zip(x.shape[1:], window, strides, dilation):
        if isinstance(size, dims.Dim) and along[1] != 1:
            same.append(None)
        else:
            size = along[0] if isinstance(size, dims.Dim) else size
            same.append(pad_widths(size, *along, "same")[1:])
    if same == list(zip(pads[:rank], pads[rank:])):
        return "same", None, None
    return ("valid", *explicit)


def _widths_up(a, x, window, strides):
    """The same where a last window may reach beyond the padding, if it begins inside of it."""
    a.need("auto_pad", "NOTSET", "VALID")
    rank = len(window)
    pads = a("pads", [0] * (2 * rank))
    before, after = [0] + pads[:rank] + [0], [0]
    for size, reach, step, first, last in zip(x.shape[1:], window, strides, pads, pads[rank:]):
        count = dims.minimum(dims.ceil_div(size + first + last - reach, step) + 1,
                             dims.floor_div(size + first - 1, step) + 1)
        after.append(dims.maximum((count - 1) * step + reach - size - first, 0))
    return "valid", before, after + [0]


def _geometry(a, rank):
    return tuple(a("strides", [1] * rank)), tuple(a("dilations", [1] * rank))


@meaning("Conv")
def _conv(r, a, x, kernel, bias=None):
    x, rank = _last(x), x.ndim - 2
    kernel = ops.transpose(kernel, tuple(range(2, rank + 2)) + (1, 0))
    strides, dilation = _geometry(a, rank)
    padding, before, after = _widths(a, x, kernel.shape[:-2], strides, dilation)
    x = ops.pad(x, before, after) if before else x
    result = ops.conv(x, kernel, strides, padding, dilation, a("group", 1))
    return _first(result if bias is None else result + bias)


@meaning("ConvTranspose")
def _conv_transpose(r, a, x, kernel, bias=None):
    a.need("auto_pad", "NOTSET", "VALID")
    if a("output_shape"):
        raise GraphError("output_shape must be left out; use pads and output_padding.")
    x, rank = _last(x), x.ndim - 2
    kernel = ops.transpose(kernel, tuple(range(2, rank + 2)) + (1, 0))
    strides, dilation = _geometry(a, rank)
    extra, pads = a("output_padding", [0] * rank), a("pads", [0] * (2 * rank))
    sizes = tuple((size - 1) * stride + (window - 1) * step + 1 + more for size, stride, window,
                  step, more in zip(x.shape[1:], strides, kernel.shape, dilation, extra))
    groups = a("group", 1)
    shape = (x.shape[0],) + sizes + (kernel.shape[-2] * groups,)
    result = ops.conv_transpose(x, kernel, shape, strides, "valid", dilation, groups)
    key = [slice(first, size - last) for first, last, size in zip(pads, pads[rank:], sizes)]
    result = result[(slice(None), *key)]
    return _first(result if bias is None else result + bias)


def _pooled(r, a, x, pool, value):
    """A pool whose padding is `value`."""
    window = tuple(a("kernel_shape"))
    strides, dilation = _geometry(a, len(window))
    a.need("dilations", [1] * len(window))
    x = _last(x)
    counted = a("count_include_pad", 0)
    if a("ceil_mode", 0):
        padding, before, after = _widths_up(a, x, window, strides)
    else:
        padding, before, after = _widths(a, x, window, strides, dilation, by_word=not counted)
    if counted and padding == "same":
        raise GraphError("padding that counts must be given by its widths.")
    x = ops.pad(x, before, after, value) if before else x
    return pool(x, window, strides, padding), before, after


@meaning("MaxPool")
def _max_pool(r, a, x):
    return _first(_pooled(r, a, x, ops.max_pool, -np.inf)[0])


@meaning("AveragePool")
def _average_pool(r, a, x):
    result, before, after = _pooled(r, a, x, ops.average_pool, 0)
    window = tuple(a("kernel_shape"))
    counted = a("pads", [0] * (2 * len(window))) if a("count_include_pad", 0) else None
    if before and (counted is None or a("ceil_mode", 0)):      # what counts, of the whole window
        sizes = x.shape[2:]
        if counted is not None:
            lasts = list(map(dims.minimum, counted[len(window):], after[1:]))
            sizes = [size + first + last for size, first, last in zip(sizes, counted, lasts)]
            before = [0] * len(before)
            after = [0, *(width - last for width, last in zip(after[1:], lasts)), 0]
        ones = ops.pad(ops.full((1, *sizes, 1), 1, x.dtype), before, after)
        result = result / ops.average_pool(ones, window, _geometry(a, len(window))[0])
    return _first(result)


@meaning("BatchNormalization")
def _batch_norm(r, a, x, scale, bias, mean, variance):
    a.need("training_mode", 0)
    shape = (x.shape[1],) + (1,) * (x.ndim - 2)
    scale, bias, mean, variance = (ops.reshape(v, shape) for v in (scale, bias, mean, variance))
    return (x - mean) * (scale * ops.rsqrt(variance + a("epsilon", 1e-5))) + bias


@meaning("LayerNormalization")
def _layer_norm(r, a, x, scale, bias=None):
    axes = tuple(range(a("axis", -1) % x.ndim, x.ndim))
    mean = ops.mean(x, axes, keepdims=True)
    centred = x - mean
    variance = ops.mean(ops.square(centred), axes, keepdims=True)
    inverse = ops.rsqrt(variance + a("epsilon", 1e-5))
    result = centred * inverse * scale
    return [result if bias is None else result + bias, mean, inverse]


@meaning("InstanceNormalization")
def _instance_norm(r, a, x, scale, bias):
    centred = x - ops.mean(x, spatial(x), keepdims=True)
    variance = ops.mean(ops.square(centred), spatial(x), keepdims=True)
    shape = (x.shape[1],) + (1,) * (x.ndim - 2)
    return (centred * ops.rsqrt(variance + a("epsilon", 1e-5)) * ops.reshape(scale, shape)
            + ops.reshape(bias, shape))


# --- sequences ---

_CURVES = {"tanh": "tanh", "sigmoid": "sigmoid", "relu": "relu", "hardsigmoid": "hard_sigmoid",
           "affine": "linear"}
_SLOPES = {"hardsigmoid": (0.2, 0.5), "affine": (1.0, 0.0)}


def _sequence(gates, states, order, default):
    """The meaning of RNN, LSTM and GRU."""
    def said(r, a, x, w, u, b=None, lengths=None, h=None, c=None, peepholes=None):
        a.need("layout", 0)
        a.need("input_forget", 0)
        if a("clip") is not None or peepholes is not None:
            raise GraphError("clip and peepholes must be left out.")
        word = a("direction", "forward")
        both = ("forward", "reverse") if word == "bidirectional" else (word,)
        curves = _curves(a, default * len(both))
        x = ops.transpose(x, (1, 0, 2))
        mask = None
        if lengths is not None:
            times = ops.arange(x.shape[1], dtype="int64")
            mask = times < ops.expand_dims(ops.cast(lengths, "int64"), 1)
        units, results = u.shape[-1], []
        for number, direction in enumerate(both):
            def by_gate(v):
                parts = ops.split(v, gates, -1)
                return ops.concat([parts[gate] for gate in order], -1)
            kernel, inner = (by_gate(ops.transpose(v[number])) for v in (w, u))
            sums = ops.matmul(x, kernel)
            biases = [None, None]
            if b is not None:
                biases = [by_gate(part) for part in ops.split(b[number], 2, -1)]
            initial = [ops.full((x.shape[0], units), 0, x.dtype) if state is None
                       else state[number] for state in (h, c)[:states]]
            results.append(_run(a, sums, inner, biases, initial,
                                curves[number * len(default):][:len(default)], mask,
                                direction == "reverse"))
        every, *last = zip(*results)
        every = ops.stack([ops.transpose(y, (1, 0, 2)) for y in every], 1)
        return [every] + [ops.stack(list(state), 0) for state in last]
    return said


def _curves(a, default):
    """The names of activations in symk."""
    given = [name.lower() for name in a("activations", default)]
    alphas, betas = list(a("activation_alpha", [])), list(a("activation_beta", []))
    for name in given:
        if name not in _CURVES:
            raise GraphError("activations must be among %s; %s is none."
                             % (", ".join(_CURVES), name))
        if name in _SLOPES:
            alpha, beta = _SLOPES[name]
            slope = (alphas.pop(0) if alphas else alpha, betas.pop(0) if betas else beta)
            if not np.allclose(slope, (alpha, beta)):
                raise GraphError("%s must have alpha %g and beta %g." % (name, alpha, beta))
    return [_CURVES[name] for name in given]


def _run(a, sums, inner, biases, initial, curves, mask, reverse):
    """One direction by symk's op: all states, and the last ones."""
    outer, of_state = biases
    more = {"mask": mask, "reverse": reverse}
    if len(initial) == 2:
        sums = sums if outer is None else sums + (outer + of_state)
        return ops.lstm_sequence(sums, inner, *initial, activation=curves[1],
                                 recurrent_activation=curves[0], **more)
    if len(curves) == 1:
        sums = sums if outer is None else sums + (outer + of_state)
        return ops.rnn_sequence(sums, inner, *initial, activation=curves[0], **more)
    after = bool(a("linear_before_reset", 0))
    if after and of_state is None:
        of_state = ops.full((inner.shape[1],), 0, inner.dtype)
    if outer is not None:
        sums = sums + (outer if after else outer + of_state)
    return ops.gru_sequence(sums, inner, *initial, bias=of_state if after else None,
                            activation=curves[1], recurrent_activation=curves[0], **more)


MEANINGS.update({
    "RNN": _sequence(1, 1, (0,), ["tanh"]),
    "LSTM": _sequence(4, 2, (0, 2, 3, 1), ["sigmoid", "tanh", "tanh"]),    # i o f c -> i f c o
    "GRU": _sequence(3, 1, (0, 1, 2), ["sigmoid", "tanh"])})


# --- loops ---

@meaning("Scan")
def _scan(r, a, *operands):
    rows = a("num_scan_inputs")
    states, sequences = operands[:len(operands) - rows], operands[len(operands) - rows:]
    directions = set(a("scan_input_directions", [0])) | set(a("scan_output_directions", [0]))
    if len(directions) != 1 or any(a("scan_input_axes", [])) or any(a("scan_output_axes", [])):
        raise GraphError("a scan must go over axis 0, all of it in one direction.")

    def step(rows, states):
        results = r.body(a("body"), [*states, *rows])
        return results[:len(states)], results[len(states):]

    last, every = ops.scan(step, sequences, states, reverse=directions == {1})
    return [*last, *every]


@meaning("If")
def _if(r, a, predicate):
    made = ops.cond(predicate, lambda: r.body(a("then_branch"), []),
                    lambda: r.body(a("else_branch"), []))
    return made

"""Cases for every op of the registry: one use each, of a size at which the work outweighs the call.

`ELEMENTWISE` names where the operands of such ops are drawn. `COVERED` says which ops the larger
cases time, `NOT_TIMED` which do no work of their own.
"""
import numpy as np

from .cases import CASES, Case, symk_step

__all__ = ["COVERED", "NOT_TIMED", "Operation"]

ELEMENTS = 1 << 20

COVERED = {
    "matmul": "matmul_", "conv": "_forward", "conv_grad_input": "_grad_input",
    "conv_grad_kernel": "_grad_kernel", "max_pool": "max_pool_2x2",
    "average_pool": "average_pool_2x2", "max_pool_grad": "max_pool_2x2_56x56x64_with_gradient",
    "average_pool_grad": "average_pool_2x2_56x56x64_with_gradient",
    "batch_norm": "batch_norm_", "batch_norm_grad": "batch_norm_", "softmax": "softmax_",
    "sum": "sum_", "transpose": "transpose_", "concat": "concat_", "slice": "slice_rows",
    "pad": "pad_", "cast": "cast_", "gather": "embedding_gather",
    "scatter_add": "embedding_gradient", "scatter_into": "embedding_update",
    "argmax": "argmax_", "top_k": "top_5", "random_uniform": "random_uniform",
    "random_normal": "random_normal", "random_bernoulli": "random_bernoulli",
    "lstm_sequence": "lstm_b", "lstm_sequence_grad": "lstm_b", "gru_sequence": "gru_b",
    "gru_sequence_grad": "gru_b", "scan": "rnn_scan", "lstm_cell": "conv_lstm",
    "lstm_cell_grad": "conv_lstm"}

NOT_TIMED = {
    "after": "an order, no work", "checkpoint": "an order of work", "identity": "an alias",
    "reshape": "an alias", "stop_gradient": "an alias", "cut_padding": "an alias",
    "placed": "a place, no work", "with_rows": "an alias",
    "size": "an integer", "l2_norm": "made of square, sum and sqrt", "print": "writes text",
    "max_pool_pick": "second derivatives alone", "cond": "its branches"}

# What the operands are drawn from, by the dtype and the number of them.
ANYWHERE, POSITIVE, INSIDE, LOGICAL = (-2.0, 2.0), (0.1, 4.0), (-0.9, 0.9), None
ELEMENTWISE = {
    (1, ANYWHERE): "abs asinh atan ceil cos cosh erf exp expm1 floor isinf isnan neg relu round "
                   "sigmoid sign sin sinh softplus softsign square tan tanh",
    (1, POSITIVE): "log log1p reciprocal rsqrt sqrt",
    (1, INSIDE): "acos asin atanh erfinv",
    (1, (1.1, 4.0)): "acosh",
    (1, LOGICAL): "logical_not",
    (2, ANYWHERE): "add atan2 equal greater greater_equal less less_equal maximum minimum mul "
                   "not_equal sub",
    (2, POSITIVE): "div floor_div mod pow",
    (2, LOGICAL): "logical_and logical_or logical_xor"}

# The name of the function in torch, where it is another one or stands in another place.
TORCH = {"div": "true_divide", "floor_div": "floor_divide", "mod": "remainder", "equal": "eq",
         "not_equal": "ne", "greater_equal": "ge", "less_equal": "le", "greater": "gt",
         "less": "lt", "softplus": "nn.functional.softplus",
         "softsign": "nn.functional.softsign"}


class Operation(Case):
    """One op on `arrays`; `build` takes placeholders, `peer` takes torch and its tensors."""

    def __init__(self, op, arrays, build, peer=None, flops=0):
        self.op, self.arrays, self.build, self.peer = op, arrays, build, peer
        self.name, self.flops = "op_" + op, flops
        if peer is not None:
            self.torch = self.torch_step

    def graph(self):
        """Its placeholders and outputs."""
        from symk.graph import Placeholder
        inputs = [Placeholder(array.dtype, array.shape) for array in self.arrays()]
        outputs = self.build(*inputs)
        return inputs, list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]

    @property
    def bytes(self):
        """All inputs once and all outputs once."""
        inputs, outputs = self.graph()
        return sum(int(np.prod(v.shape)) * np.dtype(v.dtype).itemsize for v in inputs + outputs)

    def symk(self):
        return symk_step(self.build, self.arrays())

    def torch_step(self):
        import torch
        tensors = [torch.from_numpy(array) for array in self.arrays()]
        return lambda: self.peer(torch, *tensors)


def drawn(*shape, low=-2.0, high=2.0, seed=1):
    return np.random.RandomState(seed).uniform(low, high, shape).astype("float32")


def integers(*shape, high, dtype="int64", seed=2):
    return np.random.RandomState(seed).randint(0, high, shape).astype(dtype)


def flags(seed):
    return integers(ELEMENTS, high=2, seed=seed).astype(bool)


def applied(name, **attributes):
    """The op of that name, as it stands in a graph."""
    def build(*operands):
        from symk import ops  # noqa: F401 (this registers them)
        from symk.graph import apply, registered_ops
        return apply(registered_ops()[name](**attributes), *operands)
    return build


def torch_function(torch, name):
    found = torch
    for part in TORCH.get(name, name).split("."):
        found = getattr(found, part)
    return found


def elementwise(name, count, interval):
    """The case of an elementwise op of one or two operands."""
    def arrays():
        if interval is LOGICAL:
            return [flags(seed) for seed in range(count)]
        return [drawn(ELEMENTS, low=interval[0], high=interval[1], seed=seed)
                for seed in range(count)]
    return Operation(name, arrays, applied(name),
                     lambda torch, *tensors: torch_function(torch, name)(*tensors))


def with_constants():
    """Elementwise ops that have more operands, or that torch calls with something else."""
    def elu(x):
        from symk import ops
        return ops.elu(x, 1.0)

    def clip(x):
        from symk import ops
        return ops.clip(x, -1, 1)
    return [
        Operation("where", lambda: [flags(0), drawn(ELEMENTS), drawn(ELEMENTS, seed=2)],
                  applied("where"), lambda torch, c, a, b: torch.where(c, a, b)),
        Operation("elu", lambda: [drawn(ELEMENTS)], elu,
                  lambda torch, x: torch.nn.functional.elu(x)),
        Operation("clip", lambda: [drawn(ELEMENTS)], clip, lambda torch, x: torch.clamp(x, -1, 1)),
        Operation("sigmoid_cross_entropy",
                  lambda: [drawn(ELEMENTS), drawn(ELEMENTS, low=0.0, high=1.0)],
                  applied("sigmoid_cross_entropy"),
                  lambda torch, x, t: torch.nn.functional.binary_cross_entropy_with_logits(
                      x, t, reduction="none"))]


def reductions():
    """Over the last axis of (2048, 512)."""
    rows = (2048, 512)
    peers = {"max": lambda torch, x: torch.amax(x, 1), "min": lambda torch, x: torch.amin(x, 1),
             "mean": lambda torch, x: torch.mean(x, 1), "prod": lambda torch, x: torch.prod(x, 1),
             "logsumexp": lambda torch, x: torch.logsumexp(x, 1)}
    found = [Operation(name, lambda: [drawn(*rows)], applied(name, axes=(1,)), peer)
             for name, peer in peers.items()]
    for name in ("all", "any"):
        found.append(Operation(name, lambda: [flags(1).reshape(rows)], applied(name, axes=(1,)),
                               lambda torch, x, name=name: getattr(torch, name)(x, 1)))
    found.append(Operation("argmin", lambda: [drawn(*rows)], applied("argmin", axis=1),
                           lambda torch, x: torch.argmin(x, 1)))
    found.append(Operation("sum_to", lambda: [drawn(64, 32, 512)],
                           applied("sum_to", shape=(32, 512)),
                           lambda torch, x: x.sum_to_size(32, 512)))
    return found


def softmaxes():
    """Over rows of 1,000 classes."""
    def logits():
        return drawn(1024, 1000)

    def shares(seed=3):
        values = drawn(1024, 1000, low=0.0, high=1.0, seed=seed)
        return values / values.sum(1, keepdims=True)

    def backward(name):
        return lambda torch, y, g: getattr(torch.ops.aten, name)(g, y, 1, torch.float32)
    return [
        Operation("log_softmax", lambda: [logits()], applied("log_softmax", axis=1),
                  lambda torch, x: torch.log_softmax(x, 1)),
        Operation("softmax_grad", lambda: [shares(), logits()], applied("softmax_grad", axis=1),
                  backward("_softmax_backward_data")),
        Operation("log_softmax_grad", lambda: [np.log(shares()), logits()],
                  applied("log_softmax_grad", axis=1), backward("_log_softmax_backward_data")),
        Operation("softmax_cross_entropy", lambda: [logits(), shares()],
                  applied("softmax_cross_entropy"),
                  lambda torch, x, t: torch.nn.functional.cross_entropy(x, t, reduction="none")),
        Operation("sparse_softmax_cross_entropy", lambda: [logits(), integers(1024, high=1000)],
                  applied("sparse_softmax_cross_entropy"),
                  lambda torch, x, t: torch.nn.functional.cross_entropy(x, t, reduction="none"))]


def movers():
    """What makes or places elements."""
    def one_hot(indices):
        from symk import ops
        return ops.one_hot(indices, 512)

    def arange():
        from symk import ops
        return ops.arange(0, ELEMENTS, dtype="int64")
    return [
        Operation("arange", lambda: [], arange, lambda torch: torch.arange(ELEMENTS)),
        Operation("one_hot", lambda: [integers(2048, high=512)], one_hot,
                  lambda torch, i: torch.nn.functional.one_hot(i, 512).float()),
        Operation("broadcast_to", lambda: [drawn(512)], applied("broadcast_to", shape=(2048, 512)),
                  lambda torch, x: x.expand(2048, 512).contiguous()),
        Operation("slice_grad", lambda: [drawn(1024, 512)],
                  applied("slice_grad", begin=(0, 0), step=(2, 1), shape=(2048, 512)),
                  lambda torch, g: torch.ops.aten.slice_backward(g, [2048, 512], 0, 0, 2048, 2)),
        Operation("in_top_k", lambda: [drawn(1024, 1000), integers(1024, high=1000)],
                  applied("in_top_k", k=5),
                  lambda torch, x, t: (torch.topk(x, 5)[1] == t[:, None]).any(1))]


def cumulative():
    """Along the last axis."""
    rows = (2048, 512)

    def ones():
        return drawn(*rows, low=0.9, high=1.1)
    return [
        Operation("cumsum", lambda: [drawn(*rows)], applied("cumsum", axis=1),
                  lambda torch, x: torch.cumsum(x, 1)),
        Operation("cumprod", lambda: [ones()], applied("cumprod", axis=1),
                  lambda torch, x: torch.cumprod(x, 1)),
        Operation("linear_recurrence", lambda: [ones(), drawn(*rows)],
                  applied("linear_recurrence", axis=1))]


def drawn_numbers():
    """A million numbers with a key of their own; the larger cases have the other distributions."""
    def integer(torch):
        return torch.randint(0, 100, (ELEMENTS,))

    def build(function):
        def of_key():
            from symk import ops
            return function(ops, ops.random_key(1))
        return of_key
    return [
        Operation("random_integers", lambda: [],
                  build(lambda ops, key: ops.random_integers(key, (ELEMENTS,), 0, 100)), integer),
        Operation("random_truncated_normal", lambda: [],
                  build(lambda ops, key: ops.random_truncated_normal(key, (ELEMENTS,))),
                  lambda torch: torch.nn.init.trunc_normal_(torch.empty(ELEMENTS)))]


def sequences():
    """A recurrent layer without gates, forward and with the gradient."""
    batch, time, units = 32, 100, 128
    flops = 2 * batch * time * units * units

    def arrays():
        return [drawn(batch, time, units), 0.1 * drawn(units, units, seed=2), drawn(batch, units)]

    def forward(x, weights, h):
        from symk import ops
        return ops.rnn_sequence(x, weights, h)[0]

    def gradient(x, weights, h):
        from symk import autodiff, ops
        return autodiff.grad(ops.sum(forward(x, weights, h)), [x, weights])
    return [Operation("rnn_sequence", arrays, forward, flops=flops),
            Operation("rnn_sequence_grad", arrays, gradient, flops=3 * flops)]


def labellings():
    """Connectionist temporal classification: 32 rows of 100 steps, 29 classes, 20 labels."""
    batch, time, classes, length = 32, 100, 29, 20

    def logits():
        return drawn(batch, time, classes)

    def arrays():
        return [logits(), integers(batch, length, high=classes - 1),
                np.full(batch, time), np.full(batch, length)]

    def steps():
        return [logits(), np.full(batch, time)]

    def loss(x, *others):
        from symk import ops
        return ops.ctc_loss(x, *others)

    def gradient(x, *others):
        from symk import autodiff, ops
        return autodiff.grad(ops.sum(loss(x, *others)), [x])

    def peer(torch, x, labels, steps, counts):
        rows = torch.log_softmax(x, -1).transpose(0, 1)
        return torch.nn.functional.ctc_loss(rows, labels, steps, counts, blank=classes - 1,
                                            reduction="none")

    def peer_gradient(torch, x, *others):
        x = x.detach().requires_grad_()
        return torch.autograd.grad(peer(torch, x, *others).sum(), [x])
    return [
        Operation("ctc_loss", arrays, loss, peer),
        Operation("ctc_loss_grad", arrays, gradient, peer_gradient),
        Operation("ctc_greedy_decode", steps, applied("ctc_greedy_decode")),
        Operation("ctc_beam_search", steps, applied("ctc_beam_search", beam_width=20, top_paths=1))]


def sparse():
    """A matrix of 4,096 rows with 16 of 4,096 elements each, times (4096, 64)."""
    rows, each, wide = 4096, 16, 64

    def matrix():
        columns = np.sort(integers(rows, each, high=rows), 1).ravel()
        return [drawn(rows * each), columns, np.arange(0, rows * each + 1, each)]

    def product(*operands):
        from symk import ops
        return ops.csr_matmul(*operands, size=rows)

    def dense(*operands):
        from symk import ops
        return ops.csr_to_dense(*operands, 512)

    def row_numbers(bounds):
        from symk import ops
        return ops.csr_rows(bounds, rows * each)

    def narrow():
        values, columns, bounds = matrix()
        return [values, columns % 512, bounds]

    def torch_matrix(torch, values, columns, bounds, size):
        return torch.sparse_csr_tensor(bounds, columns, values, (rows, size))
    return [
        Operation("csr_matmul", lambda: matrix() + [drawn(rows, wide)], product,
                  lambda torch, v, c, b, d: torch_matrix(torch, v, c, b, rows) @ d,
                  flops=2 * rows * each * wide),
        Operation("csr_to_dense", narrow, dense),
        Operation("csr_rows", lambda: matrix()[2:], row_numbers,
                  lambda torch, b: torch.repeat_interleave(torch.diff(b)))]


def all_elementwise():
    return [elementwise(name, count, interval)
            for (count, interval), names in ELEMENTWISE.items() for name in names.split()]


for family in (all_elementwise, with_constants, reductions, softmaxes, movers, cumulative,
               drawn_numbers, sequences, labellings, sparse):
    CASES.extend(family())

"""The vocabulary: one function per op, which takes Variables or values and makes a node.

A family is a file; a row or class of it states type rule, gradient, NumPy meaning and tests.
"""
from .branch import cond
from .checkpoint import checkpoint
from .conv import conv, conv_transpose
from .convert import as_variable, cast, constant
from .csr import csr_matmul, csr_rows, csr_to_dense
from .ctc import ctc_loss
from .ctc_decode import ctc_beam_search, ctc_greedy_decode
from .cumulative import cumprod, cumsum, linear_recurrence
from .elementwise import (
    abs, acos, acosh, add, asin, asinh, atan, atan2, atanh, ceil, clip, cos, cosh, div, elu, equal,
    erf, erfinv, exp, expm1, floor, floor_div, greater, greater_equal, isinf, isnan, less,
    less_equal, log, log1p, logical_and, logical_not, logical_or, logical_xor, maximum, minimum,
    mod, mul, neg, not_equal, pow, reciprocal, relu, round, rsqrt, sigmoid, sigmoid_cross_entropy,
    sign, sin, sinh, softplus, softsign, sqrt, square, sub, tan, tanh, where)
from .index import arange, eye, gather, getitem, one_hot, scatter_add
from .linalg import matmul
from .loop import scan
from .nn import log_softmax, softmax, softmax_cross_entropy, sparse_softmax_cross_entropy
from .norm import batch_norm
from .operators import *  # noqa: F403 (nothing is exported; Variable gets its operators)
from .pool import average_pool, max_pool
from .printing import print_value
from .random import (random_bernoulli, random_integers, random_key, random_normal,
                     random_truncated_normal, random_uniform)
from .ranking import in_top_k, top_k
from .recurrent import gru_sequence, lstm_cell, lstm_sequence, rnn_sequence
from .reduce import (all, any, argmax, argmin, l2_norm, logsumexp, max, mean, min, prod, sum,
                     sum_to)
from .resize import LARGEST_FACTOR, interpolate
from .shape import (broadcast_to, concat, cut_padding, expand_dims, full, identity, pad, repeat,
                    reshape, shape_of, squeeze, stack, stop_gradient, tile, transpose)
from .sizes import as_sizes, size_of
from .slice import flip, split, strided_slice

slice = strided_slice

__all__ = [
    "conv", "conv_transpose", "as_variable", "cast", "constant", "abs", "acos", "acosh", "add",
    "asin", "asinh", "atan", "atan2", "atanh", "ceil", "clip", "cos", "cosh", "div", "elu", "equal",
    "erf", "erfinv",
    "exp", "expm1", "floor", "floor_div", "greater", "greater_equal", "isinf", "isnan", "less",
    "less_equal", "log", "log1p", "logical_and", "logical_not", "logical_or", "logical_xor",
    "maximum", "minimum", "mod", "mul", "neg", "not_equal", "pow", "reciprocal", "relu", "round",
    "rsqrt", "sigmoid", "sigmoid_cross_entropy", "sign", "sin", "sinh", "softplus", "softsign",
    "sqrt", "square", "sub", "tan", "tanh", "where", "arange", "eye", "gather", "getitem",
    "one_hot", "scatter_add", "matmul", "scan", "cond", "log_softmax", "softmax",
    "softmax_cross_entropy", "sparse_softmax_cross_entropy", "batch_norm", "average_pool",
    "max_pool",
    "random_bernoulli", "random_integers", "random_key", "random_normal",
    "random_truncated_normal", "random_uniform", "all", "any", "argmax", "argmin", "logsumexp",
    "max", "mean", "min", "prod", "sum", "sum_to", "broadcast_to", "concat", "expand_dims", "full",
    "identity", "interpolate", "pad", "repeat", "reshape", "shape_of", "squeeze", "stack",
    "stop_gradient", "tile", "transpose", "as_sizes", "size_of", "flip", "split", "slice",
    "cumprod", "cumsum", "linear_recurrence", "print_value", "in_top_k", "top_k",
    "gru_sequence", "lstm_cell", "lstm_sequence", "rnn_sequence",
    "cut_padding", "ctc_beam_search", "ctc_greedy_decode", "ctc_loss", "csr_matmul",
    "csr_rows", "csr_to_dense"]

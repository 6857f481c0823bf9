"""What is timed: one class per case, with its floor (operations, bytes) and a step for each side.

A side's method returns a function that runs the case once; everything that is not the case (making
arrays, compiling) happens before. Only the side that runs imports its library.
"""
import concurrent.futures
import os
import tempfile

import numpy as np

__all__ = ["CASES", "find"]

CASES = []


def case(cls):
    """Adds an instance of each parameter set of the class to the list."""
    for parameters in getattr(cls, "sets", [()]):
        CASES.append(cls(*parameters))
    return cls


def find(pattern, without=None):
    """The cases whose names contain one of the comma-separated texts, or begin with it after a `^`;
    not those that begin with `without`.
    """
    wanted = pattern.split(",")
    return [c for c in CASES if any(_fits(text, c.name) for text in wanted)
            and not (without and c.name.startswith(without))]


def _fits(text, name):
    return name.startswith(text[1:]) if text.startswith("^") else text in name


def normal(*shape):
    return np.random.RandomState(1).standard_normal(shape).astype("float32")


def symk_step(build, arrays, products=None):
    """Compiles build(*placeholders) -> outputs and feeds it the same arrays at each step."""
    from symk import compile as compiler
    from symk.graph import Placeholder
    inputs = [Placeholder(a.dtype, a.shape) for a in arrays]
    outputs = build(*inputs)
    function = compiler.function(inputs, list(outputs) if isinstance(outputs, (list, tuple))
                                 else [outputs], products=products)
    arrays = [np.ascontiguousarray(a) for a in arrays]
    return lambda: function.run(arrays)


class Case:
    """`flops` and `bytes` are the least work of a step; the larger floor is the limit.

    A method named after a side makes its step; a case without one is not run by that side.
    """

    flops = 0
    bytes = 0

    def symk(self):
        raise NotImplementedError


@case
class Matmul(Case):
    """(m, k) x (k, n), both operands new at each call."""
    sets = [(64, 64, 64), (256, 256, 256), (512, 512, 512), (1024, 1024, 1024),
            (2048, 2048, 2048), (32, 784, 512), (128, 9216, 128), (1, 4096, 4096)]
    products = None

    def __init__(self, m, k, n):
        self.name = "matmul_%dx%dx%d" % (m, k, n)
        self.a, self.b = (m, k), (k, n)
        self.flops, self.bytes = 2 * m * k * n, 4 * (m * k + k * n + m * n)

    def symk(self):
        from symk import ops
        return symk_step(ops.matmul, [normal(*self.a), normal(*self.b)], self.products)

    def torch(self):
        import torch
        a, b = torch.from_numpy(normal(*self.a)), torch.from_numpy(normal(*self.b))
        return lambda: torch.mm(a, b)


def in_bfloat16(step, device="cpu"):
    """A step of torch whose products round their operands to bfloat16, as torch decides which."""
    import torch

    def run():
        with torch.autocast(device, dtype=torch.bfloat16):
            return step()
    return run


@case
class BfloatMatmul(Matmul):
    """Operands of float32, rounded to bfloat16; the limit is twice the rate of float32."""
    sets = [(256, 256, 256), (1024, 1024, 1024), (2048, 2048, 2048)]
    products = "bfloat16"

    def __init__(self, m, k, n):
        super().__init__(m, k, n)
        self.name += "_bfloat16"
        self.flops //= 2

    def torch(self):
        return in_bfloat16(super().torch())


@case
class StoredVector(Case):
    """A vector times fixed weights, stored in float32, float16 or int8; torch has float32."""
    sets = [("float32",), ("float16",), ("int8",)]
    size = 4096

    def __init__(self, weights):
        self.name = "vector_1x4096x4096_%s" % weights
        self.weights = weights
        self.flops = 2 * self.size ** 2
        self.bytes = self.size ** 2 * {"float32": 4, "float16": 2, "int8": 1}[weights]

    def symk(self):
        import symk
        x = symk.placeholder((1, self.size))
        product = symk.function([x], symk.ops.matmul(x, symk.shared(normal(self.size, self.size))))
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "vector.symk")
            symk.deploy.export(product, path, weights=self.weights)
            run = symk.deploy.load(path)
        given = normal(1, self.size)
        return lambda: run(given)

    def torch(self):
        import torch
        x = torch.from_numpy(normal(1, self.size))
        w = torch.from_numpy(normal(self.size, self.size))
        return lambda: torch.mm(x, w)


def channels_first(array):
    """The memory of a channels-last array as torch sees it: channels first, in its own format."""
    import torch
    last = {3: torch.contiguous_format, 4: torch.channels_last, 5: torch.channels_last_3d}
    order = (0, array.ndim - 1) + tuple(range(1, array.ndim - 1))
    copy = torch.from_numpy(np.ascontiguousarray(array.transpose(order)))
    return copy.contiguous(memory_format=last[array.ndim])


@case
class Convolution(Case):
    """One convolution of a batch, channels last for symk and, where it has them, for torch."""
    sets = [shape + (part,) for shape in [
        # name, x, channels of the kernel (in, out), window, stride, groups, dilation
        ("3x3_56x56x64", (32, 56, 56, 64), (64, 64), 3, 1, 1, 1),
        ("3x3_14x14x256", (32, 14, 14, 256), (256, 256), 3, 1, 1, 1),
        ("1x1_28x28x128_512", (32, 28, 28, 128), (128, 512), 1, 1, 1, 1),
        ("1x1s2_56x56x256_512", (8, 56, 56, 256), (256, 512), 1, 2, 1, 1),
        ("3x3s2_56x56x128", (8, 56, 56, 128), (128, 128), 3, 2, 1, 1),
        ("7x7s2_224x224x3", (8, 224, 224, 3), (3, 64), 7, 2, 1, 1),
        ("depthwise3x3_112x112x32", (8, 112, 112, 32), (1, 32), 3, 1, 32, 1),
        ("depthwise3x3s2_112x112x64", (8, 112, 112, 64), (1, 64), 3, 2, 64, 1),
        ("depthwise5x5_14x14x512", (8, 14, 14, 512), (1, 512), 5, 1, 512, 1),
        ("grouped3x3_28x28x128_g32", (8, 28, 28, 128), (4, 128), 3, 1, 32, 1),
        ("3x3dilated2_28x28x128", (32, 28, 28, 128), (128, 128), 3, 1, 1, 2),
        ("3x3_64x64x64_3", (8, 64, 64, 64), (64, 3), 3, 1, 1, 1),
        ("3x3x3_16x28x28x32", (4, 16, 28, 28, 32), (32, 32), 3, 1, 1, 1)]
        for part in ("forward", "grad_input", "grad_kernel")]
    products = None

    def __init__(self, name, x, channels, window, stride, groups, dilation, part):
        self.name = "conv_%s_%s" % (name, part)
        self.part, self.stride, self.window = part, stride, window
        self.groups, self.dilation = groups, dilation
        self.rank = len(x) - 2
        self.x, self.w = x, (window,) * self.rank + channels
        self.y = (x[0],) + tuple(-(-size // stride) for size in x[1:-1]) + channels[1:]
        self.flops = 2 * int(np.prod(self.y)) * window ** self.rank * channels[0]
        self.bytes = 4 * sum(int(np.prod(s)) for s in (self.x, self.w, self.y))

    def symk(self):
        from symk import autodiff, ops
        arrays = [normal(*self.x), normal(*self.w), normal(*self.y)]

        def forward(x, w):
            return ops.conv(x, w, self.stride, "same", self.dilation, groups=self.groups)

        def gradient(x, w, g):
            y = forward(x, w)
            return autodiff.grad(ops.sum(y * g), [x if self.part == "grad_input" else w])
        if self.part == "forward":
            return symk_step(forward, arrays[:2], self.products)
        return symk_step(gradient, arrays, self.products)

    def torch(self):
        import torch
        x, g = channels_first(normal(*self.x)), channels_first(normal(*self.y))
        w = channels_first(np.moveaxis(normal(*self.w), -1, 0))
        stride, dilation = [self.stride] * self.rank, [self.dilation] * self.rank
        pad = [self.dilation * (self.window // 2)] * self.rank
        if self.part == "forward":
            convolve = getattr(torch.nn.functional, "conv%dd" % self.rank)
            return lambda: convolve(x, w, stride=stride, padding=pad, dilation=dilation,
                                    groups=self.groups)
        mask = [self.part == "grad_input", self.part == "grad_kernel", False]
        none = [0] * self.rank
        return lambda: torch.ops.aten.convolution_backward(
            g, x, w, None, stride, pad, dilation, False, none, self.groups, mask)


@case
class WinogradConvolution(Convolution):
    """By Winograd's algorithm, beside the peers' direct sums, whose operations are the limit."""
    sets = [shape + (part,) for shape in [
        ("3x3_56x56x64_winograd", (32, 56, 56, 64), (64, 64), 3, 1, 1, 1),
        ("3x3_14x14x256_winograd", (32, 14, 14, 256), (256, 256), 3, 1, 1, 1)]
        for part in ("forward", "grad_input")]
    products = "winograd"


@case
class BfloatConvolution(Convolution):
    """Operands of float32, rounded to bfloat16; the limit is twice the rate of float32."""
    sets = [shape + (part,) for shape in [
        ("3x3_56x56x64_bfloat16", (32, 56, 56, 64), (64, 64), 3, 1, 1, 1),
        ("3x3_14x14x256_bfloat16", (32, 14, 14, 256), (256, 256), 3, 1, 1, 1),
        ("1x1_28x28x128_512_bfloat16", (32, 28, 28, 128), (128, 512), 1, 1, 1, 1)]
        for part in ("forward", "grad_input", "grad_kernel")]
    products = "bfloat16"

    def __init__(self, *parameters):
        super().__init__(*parameters)
        self.flops //= 2

    def torch(self):
        import torch
        if self.part == "forward":
            return in_bfloat16(super().torch())
        x, g = channels_first(normal(*self.x)), channels_first(normal(*self.y))
        w = channels_first(np.moveaxis(normal(*self.w), -1, 0))
        ones, pad = [1] * self.rank, [self.window // 2] * self.rank
        mask = [self.part == "grad_input", self.part == "grad_kernel", False]
        # autocast does not reach this: its operands would be rounded before.
        return lambda: torch.ops.aten.convolution_backward(
            g.bfloat16(), x.bfloat16(), w.bfloat16(), None, ones, pad, ones, False, [0] * self.rank,
            1, mask)


@case
class Separable(Case):
    """A depthwise convolution and the 1x1 convolution behind it, as MobileNet has them."""
    name = "separable_3x3_56x56x128_128"
    x, channels = (8, 56, 56, 128), 128
    flops = 2 * int(np.prod(x)) * (9 + channels)
    bytes = 4 * int(np.prod(x)) * 2

    def symk(self):
        from symk import ops

        def build(x, depthwise, pointwise):
            hidden = ops.conv(x, depthwise, 1, "same", groups=self.x[-1])
            return ops.conv(hidden, pointwise, 1, "same")
        return symk_step(build, [normal(*self.x), normal(3, 3, 1, self.x[-1]),
                                 normal(1, 1, self.x[-1], self.channels)])

    def torch(self):
        import torch
        convolve = torch.nn.functional.conv2d
        x = channels_first(normal(*self.x))
        depthwise = channels_first(normal(self.x[-1], 3, 3, 1))
        pointwise = channels_first(normal(self.channels, 1, 1, self.x[-1]))
        return lambda: convolve(convolve(x, depthwise, padding=1, groups=self.x[-1]), pointwise)


@case
class Local(Case):
    """A convolution whose kernel is another one at each place."""
    name = "local_3x3_14x14x32_32"
    x, out, window = (32, 14, 14, 32), 32, 3
    places = (14 - 2) ** 2
    flops = 2 * 32 * places * 9 * 32 * out
    bytes = 4 * (int(np.prod(x)) + places * 9 * 32 * out + 32 * places * out)

    def kernel(self):
        return normal(self.places, self.window ** 2 * self.x[-1], self.out)

    def symk(self):
        from symk import backend as K
        side = self.x[1] - self.window + 1
        return symk_step(lambda x, w: K.local_conv2d(x, w, (3, 3), (1, 1), (side, side)),
                         [normal(*self.x), self.kernel()])

    def torch(self):
        import torch
        x, w = channels_first(normal(*self.x)), torch.from_numpy(self.kernel())
        return lambda: torch.matmul(torch.nn.functional.unfold(x, 3).permute(2, 0, 1), w)


@case
class ConvTranspose(Case):
    """A transposed convolution with stride 2, as decoders have them."""
    sets = [("4x4s2_28x28x128_64", (8, 28, 28, 128), 64), ("4x4s2_32x32x64_3", (8, 32, 32, 64), 3)]
    window, stride = 4, 2

    def __init__(self, name, x, out):
        self.name = "conv_transpose_%s" % name
        self.x, self.w = x, (self.window, self.window, out, x[-1])
        self.y = (x[0], self.stride * x[1], self.stride * x[2], out)
        self.flops = 2 * int(np.prod(x)) * self.window ** 2 * out
        self.bytes = 4 * sum(int(np.prod(s)) for s in (self.x, self.w, self.y))

    def symk(self):
        from symk import ops
        return symk_step(lambda x, w: ops.conv_transpose(x, w, self.y, self.stride, "same"),
                         [normal(*self.x), normal(*self.w)])

    def torch(self):
        import torch
        x = channels_first(normal(*self.x))
        w = channels_first(np.moveaxis(normal(*self.w), -1, 0))
        return lambda: torch.nn.functional.conv_transpose2d(x, w, stride=self.stride, padding=1)


@case
class Pool(Case):
    """2x2 pooling of (32, 56, 56, 64), alone and with its gradient."""
    sets = [("max", False), ("max", True), ("average", False), ("average", True)]
    shape = (32, 56, 56, 64)

    def __init__(self, mode, gradient):
        self.name = "%s_pool_2x2_56x56x64%s" % (mode, "_with_gradient" if gradient else "")
        self.mode, self.gradient = mode, gradient
        whole = 4 * int(np.prod(self.shape))
        self.bytes = whole * 5 // 4 if not gradient else whole * 5 // 4 + whole * (
            10 if mode == "max" else 5) // 4

    def symk(self):
        from symk import autodiff, ops
        pool = getattr(ops, self.mode + "_pool")

        def build(x, g=None):
            y = pool(x, (2, 2), (2, 2), "valid")
            return y if g is None else [y] + autodiff.grad(ops.sum(y * g), [x])
        half = (32, 28, 28, 64)
        return symk_step(build, [normal(*self.shape)] + ([normal(*half)] if self.gradient else []))

    def torch(self):
        import torch
        functional = torch.nn.functional
        pool = functional.max_pool2d if self.mode == "max" else functional.avg_pool2d
        x = torch.from_numpy(normal(*self.shape).transpose(0, 3, 1, 2).copy()).contiguous(
            memory_format=torch.channels_last)
        g = torch.from_numpy(normal(32, 28, 28, 64).transpose(0, 3, 1, 2).copy()).contiguous(
            memory_format=torch.channels_last)
        if not self.gradient:
            return lambda: pool(x, 2)
        x.requires_grad_()
        return lambda: torch.autograd.grad(pool(x, 2), x, g)


@case
class BatchNorm(Case):
    """Batch normalisation in training of (32, 56, 56, 64), with gradients."""
    name = "batch_norm_56x56x64_with_gradient"
    shape = (32, 56, 56, 64)
    bytes = 4 * int(np.prod(shape)) * 8

    def symk(self):
        from symk import autodiff, ops

        def build(x, gamma, beta, g):
            y, _, _ = ops.batch_norm(x, gamma, beta, epsilon=1e-3)
            return [y] + autodiff.grad(ops.sum(y * g), [x, gamma, beta])
        return symk_step(build, [normal(*self.shape), normal(64), normal(64), normal(*self.shape)])

    def torch(self):
        import torch
        x, g = (torch.from_numpy(normal(*self.shape).transpose(0, 3, 1, 2).copy()).contiguous(
            memory_format=torch.channels_last) for _ in range(2))
        x.requires_grad_()
        gamma, beta = (torch.from_numpy(normal(64)).requires_grad_() for _ in range(2))

        def step():
            y = torch.nn.functional.batch_norm(x, None, None, gamma, beta, training=True)
            torch.autograd.grad(y, [x, gamma, beta], g)
        return step


@case
class Softmax(Case):
    """Softmax of rows of 1,000."""
    name = "softmax_4096x1000"
    bytes = 4 * 4096 * 1000 * 2

    def symk(self):
        from symk import ops
        return symk_step(ops.softmax, [normal(4096, 1000)])

    def torch(self):
        import torch
        x = torch.from_numpy(normal(4096, 1000))
        return lambda: torch.softmax(x, -1)


@case
class Chain(Case):
    """sigmoid(a * b + c) * tanh(d) - a * e over 4M elements: one pass if fused."""
    name = "elementwise_chain_4M"
    bytes = 4 * (1 << 22) * 6

    def symk(self):
        from symk import ops
        return symk_step(lambda a, b, c, d, e: ops.sigmoid(a * b + c) * ops.tanh(d) - a * e,
                         [normal(1 << 22) for _ in range(5)])

    def torch(self):
        import torch
        a, b, c, d, e = [torch.from_numpy(normal(1 << 22)) for _ in range(5)]
        return lambda: torch.sigmoid(a * b + c) * torch.tanh(d) - a * e


@case
class Sum(Case):
    """Sums of (2048, 2048)."""
    sets = [((0,),), ((1,),), ((0, 1),)]
    bytes = 4 * 2048 * 2048

    def __init__(self, axes):
        self.name = "sum_2048x2048_axes_%s" % "".join(map(str, axes))
        self.axes = axes

    def symk(self):
        from symk import ops
        return symk_step(lambda x: ops.sum(x, self.axes), [normal(2048, 2048)])

    def torch(self):
        import torch
        x = torch.from_numpy(normal(2048, 2048))
        return lambda: torch.sum(x, self.axes)


@case
class Call(Case):
    """The cost of a call, array in, array out: x + 1 of one element, and 20 ops on one element."""
    sets = [("x_plus_1",), ("20_ops",)]

    def __init__(self, part):
        self.name, self.ops = "call_" + part, 1 if part == "x_plus_1" else 20

    def chain(self, x, tanh):
        """Ops that no rule can shorten."""
        if self.ops == 1:
            return x + 1
        for i in range(self.ops // 2):
            x = tanh(x * (0.5 + 0.1 * i))
        return x

    def symk(self):
        from symk import ops
        return symk_step(lambda x: self.chain(x, ops.tanh), [normal(1)])

    def torch(self):
        import torch
        x = normal(1)
        return lambda: self.chain(torch.from_numpy(x), torch.tanh).numpy()


@case
class Callers(Case):
    """Calls of one function, four small dense layers of 32 rows, by one and by two threads at once.

    Each thread makes `calls` calls. One caller has all cores, two share them.
    """
    sets = [(1,), (2,)]
    rows, units, depth, calls = 32, 256, 4, 20

    def __init__(self, callers):
        self.name = "calls_from_%d_threads" % callers
        self.callers = callers
        self.flops = 2 * self.rows * self.units ** 2 * self.depth * self.calls * callers

    def weights(self):
        return [normal(self.units, self.units) / 16 for _ in range(self.depth)]

    def by_callers(self, call):
        """A step in which each caller makes its calls."""
        pool = concurrent.futures.ThreadPoolExecutor(self.callers)

        def make_calls(_):
            for _ in range(self.calls):
                call()
        return lambda: list(pool.map(make_calls, range(self.callers)))

    def symk(self):
        from symk import backend as K
        x = y = K.placeholder((self.rows, self.units))
        for w in self.weights():
            y = K.tanh(K.dot(y, K.variable(w)))
        function, batch = K.function([x], [y]), [normal(self.rows, self.units)]
        return self.by_callers(lambda: function(batch))

    def torch(self):
        import torch
        weights = [torch.from_numpy(w) for w in self.weights()]
        batch = torch.from_numpy(normal(self.rows, self.units))

        def call():
            y = batch
            with torch.inference_mode():
                for w in weights:
                    y = torch.tanh(y @ w)
            return y
        return self.by_callers(call)


class Recurrence(Case):
    """All outputs of a recurrent layer, alone and with the gradients of input and weights."""
    gates, torch_name = 1, "RNN"
    sizes = [(32, 100, 128, 128), (64, 50, 512, 512)]

    def __init__(self, batch, time, inputs, units, gradient):
        self.name = "%s_b%d_t%d_i%d_h%d_%s" % (self.prefix, batch, time, inputs, units,
                                               "fwdbwd" if gradient else "fwd")
        self.x, self.units, self.gradient = (batch, time, inputs), units, gradient
        forward = 2 * batch * time * (inputs + units) * units * self.gates
        self.flops = 3 * forward if gradient else forward

    def arrays(self):
        batch, time, inputs = self.x
        wide = self.units * self.gates
        scale = 1 / np.sqrt(self.units)
        return [normal(*self.x), scale * normal(inputs, wide), scale * normal(self.units, wide),
                normal(wide), np.zeros((batch, self.units), "float32"),
                normal(batch, time, self.units)]

    def symk(self):
        from symk import autodiff, ops

        def build(x, weights, recurrent, bias, state, g):
            outputs = self.layer(x, weights, recurrent, bias, state)
            if not self.gradient:
                return outputs
            return [outputs] + autodiff.grad(ops.sum(outputs * g), [x, weights, recurrent, bias])
        return symk_step(build, [np.float32(a) for a in self.arrays()])

    def torch(self):
        import torch
        layer = getattr(torch.nn, self.torch_name)(self.x[2], self.units, batch_first=True)
        x, g = torch.from_numpy(normal(*self.x)), torch.from_numpy(normal(*self.x[:2], self.units))
        if not self.gradient:
            def step():
                with torch.inference_mode():
                    return layer(x)[0]
            return step
        x.requires_grad_()
        wanted = [x, *layer.parameters()]
        return lambda: torch.autograd.grad(layer(x)[0], wanted, g)


def recurrence_sets(sizes):
    return [size + (gradient,) for size in sizes for gradient in (False, True)]


@case
class Lstm(Recurrence):
    """An LSTM with sigmoid gates."""
    prefix, gates, torch_name = "lstm", 4, "LSTM"
    sets = recurrence_sets(Recurrence.sizes)

    def layer(self, x, weights, recurrent, bias, state):
        from symk import ops
        return ops.lstm_sequence(ops.matmul(x, weights) + bias, recurrent, state, state)[0]


@case
class Gru(Recurrence):
    """A GRU that resets after the product, as torch's does."""
    prefix, gates, torch_name = "gru", 3, "GRU"
    sets = recurrence_sets(Recurrence.sizes)

    def layer(self, x, weights, recurrent, bias, state):
        from symk import ops
        return ops.gru_sequence(ops.matmul(x, weights) + bias, recurrent, state, bias)[0]


@case
class UserRecurrence(Recurrence):
    """K.rnn with a step that a user writes, tanh(x w + h u + b), beside torch's own RNN."""
    prefix = "rnn_scan"
    sets = recurrence_sets(Recurrence.sizes[:1])

    def layer(self, x, weights, recurrent, bias, state):
        from symk import backend as K

        def step(x, states):
            h = K.tanh(K.dot(x, weights) + K.dot(states[0], recurrent) + bias)
            return h, [h]
        return K.rnn(step, x, [state])[1]


@case
class ConvLstm(Case):
    """All outputs of a convolutional LSTM with 3x3 windows, alone and with gradients."""
    sets = [(False,), (True,)]
    shape, filters = (8, 10, 20, 20, 20), 20

    def __init__(self, gradient):
        self.name = "conv_lstm_b8_t10_20x20x20_%s" % ("fwdbwd" if gradient else "fwd")
        self.gradient = gradient
        inside, outside = 9 * (self.shape[-1] + self.filters), 4 * self.filters
        forward = 2 * int(np.prod(self.shape[:-1])) * inside * outside
        self.flops = 3 * forward if gradient else forward

    def symk(self):
        from symk import backend as K
        from symk import layers
        x, g = K.placeholder(self.shape), K.placeholder(self.shape)
        layer = layers.ConvLSTM2D(self.filters, 3, padding="same", return_sequences=True,
                                  recurrent_activation="sigmoid")
        outputs = [layer(x)]
        if self.gradient:
            wanted = [x] + layer.trainable_weights
            outputs += K.gradients(K.sum(outputs[0] * g), wanted)
        step = K.function([x, g] if self.gradient else [x], outputs)
        arrays = [normal(*self.shape) for _ in range(2 if self.gradient else 1)]
        return lambda: step(arrays)

    def torch(self):
        import torch

        from .peers import torch_conv_lstm
        layer = torch_conv_lstm(torch, self.shape[-1], self.filters)
        x = torch.from_numpy(np.ascontiguousarray(np.moveaxis(normal(*self.shape), -1, 1)))
        if not self.gradient:
            def step():
                with torch.inference_mode():
                    return layer(x)
            return step
        wanted = [x.requires_grad_(), *layer.parameters()]
        return lambda: torch.autograd.grad(layer(x), wanted, x)

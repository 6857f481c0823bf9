"""What is timed on a GPU: each case made by symk and by PyTorch.

Operands are on the device unless a case says otherwise. With `tiny` every size is 16 at most, to
try the cases without a GPU. Sources of the shapes: He et al. 2015 (convolutions of ResNet-50,
batches of 1, 32 and 64), and the models of `models`.
"""
import contextlib
import functools
import importlib
import typing

import numpy as np

__all__ = ["Case", "cases", "torch_device"]


class _Ops:
    """`symk.ops`, imported when an op is called: the Python of PyTorch need not have symk."""

    def __getattr__(self, name):
        return lambda *args, **options: getattr(importlib.import_module("symk.ops"), name)(
            *args, **options)


ops = _Ops()


class Case(typing.NamedTuple):
    """A step by name: how each side makes it, and the work that it does."""

    name: str
    symk: typing.Callable    # (device) -> a function that runs one step and waits for it
    torch: typing.Callable   # (compiled: whether by torch.compile) -> the same
    flops: float = 0.0
    bytes: float = 0.0
    products: str = "float32"   # what the rate of its operations is compared with
    compiled: bool = False      # whether torch.compile is a peer too


def torch_device():
    """Where PyTorch runs: the GPU if there is one. float32 means float32 there as well, and cuDNN
    looks for its fastest kernels."""
    import torch
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    return "cuda" if torch.cuda.is_available() else "cpu"


def _wait():
    import torch
    if torch.cuda.is_available():
        torch.cuda.synchronize()


# --- how each side makes a step of ops ---

@contextlib.contextmanager
def _warp_groups(on):
    """The setting wgmma for what is compiled meanwhile; it stays on where the caller has set it."""
    from symk.config import settings
    before, settings.wgmma = settings.wgmma, on or settings.wgmma
    try:
        yield
    finally:
        settings.wgmma = before


def _symk_step(device, arrays, build, trained=(), products=None, wgmma=False):
    """build(*shared variables), of whose results one number each is kept: nothing moves in a call.

    `trained`: numbers of the arrays whose gradients, of the sum of the first result, are results
    too. `wgmma`: the setting of that name.
    """
    from symk import autodiff
    from symk.compile import function
    from symk.config import device as scope
    from symk.graph import Shared
    variables = [Shared(array) for array in arrays]
    outputs = build(*variables)
    outputs = list(outputs) if isinstance(outputs, tuple) else [outputs]
    if trained:
        outputs += autodiff.grad(ops.sum(outputs[0]), [variables[i] for i in trained])
    updates = [(Shared(np.zeros(1, output.dtype)), ops.reshape(output, (-1,))[:1])
               for output in outputs]
    # Variables that a function does not change would have what is made of them kept from step to
    # step. Being their own new values they count as changed, and nothing is copied.
    updates += zip(variables, variables)
    with scope(device), _warp_groups(wgmma):
        return functools.partial(function([], [], updates=updates, products=products).run, [])


def _torch_step(arrays, build, trained=(), dtype=None, compiled=False):
    import torch
    tensors = [torch.from_numpy(array).to(torch_device()) for array in arrays]
    if dtype is not None:
        tensors = [tensor.to(getattr(torch, dtype)) for tensor in tensors]
    for i in trained:
        tensors[i].requires_grad_(True)

    def forward(*given):
        return build(torch, *given)
    if compiled:
        forward = torch.compile(forward)

    def step():
        result = forward(*tensors)
        if trained:
            torch.autograd.grad(result.sum(), [tensors[i] for i in trained])
        _wait()

    def untracked():
        with torch.no_grad():
            step()
    return step if trained else untracked


def _arrays(*shapes):
    """A million random numbers for each, again and again: drawing them all would take seconds."""
    generator = np.random.default_rng(0)
    return [np.resize(generator.standard_normal(min(1 << 20, int(np.prod(shape))), "float32") * 0.1,
                      shape) for shape in shapes]


def _case(name, shapes, symk, torch, flops=0.0, moved=0, trained=(), **options):
    """A case over float32 arrays; `moved` elements are read or written."""
    return Case(name, lambda device: _symk_step(device, _arrays(*shapes), symk, trained),
                lambda compiled: _torch_step(_arrays(*shapes), torch, trained, compiled=compiled),
                flops, 4.0 * moved, **options)


def _rounded_case(name, shapes, symk, torch, flops, products, wgmma=False, bytes=0.0):
    """Operands rounded to TF32, bfloat16 or float16: beside torch's in the same precision. With
    `wgmma` by warp groups, and float32 too."""
    def torch_step(compiled):
        import torch as library
        dtype = products if products in ("bfloat16", "float16") else None
        step = _torch_step(_arrays(*shapes), torch, dtype=dtype, compiled=compiled)
        library.backends.cuda.matmul.allow_tf32 = products == "tf32"
        library.backends.cudnn.allow_tf32 = products == "tf32"
        return step
    return Case(name + "_wgmma" * wgmma,
                lambda device: _symk_step(device, _arrays(*shapes), symk, products=products,
                                          wgmma=wgmma),
                torch_step, flops, bytes, products)


# --- products ---

def _matmul(m, n, k):
    return _case("matmul_%dx%dx%d" % (m, n, k), [(m, k), (k, n)], ops.matmul,
                 lambda torch, a, b: a @ b, 2.0 * m * n * k, m * k + k * n + m * n)


def _batched_matmul(batch, n):
    return _case("matmul_%d_of_%d" % (batch, n), [(batch, n, n)] * 2, ops.matmul,
                 lambda torch, a, b: torch.bmm(a, b), 2.0 * batch * n ** 3, 3 * batch * n * n)


def _rounded_matmul(n, products, wgmma=False):
    return _rounded_case("matmul_%s_%d" % (products, n), [(n, n), (n, n)], ops.matmul,
                         lambda torch, a, b: a @ b, 2.0 * n ** 3, products, wgmma, 12.0 * n * n)


def _conv(batch, size, channels, filters, window, stride, gradient=False, products=None,
          wgmma=False):
    """A convolution of ResNet-50. Both sides get what they like best: channels last."""
    side = -(-size // stride)
    flops = 2.0 * batch * side * side * filters * channels * window * window
    shapes = [(batch, size, size, channels), (window, window, channels, filters)]
    name = _conv_name(*shapes, stride)

    def symk(x, w):
        return ops.conv(x, w, strides=(stride, stride), padding="same")

    def torch_conv(torch, x, w):
        x = x.permute(0, 3, 1, 2)               # a view: the memory stays channels last
        return torch.nn.functional.conv2d(x, w.permute(3, 2, 0, 1), stride=stride,
                                          padding=window // 2)
    if products is not None:
        return _rounded_case(name + "_" + products, shapes, symk, torch_conv, flops, products,
                             wgmma)
    return _case(name + "_gradients" * gradient, shapes, symk, torch_conv,
                 flops * (3 if gradient else 1), trained=(0, 1) if gradient else ())


def _conv_name(x, w, stride):
    return "conv_b%d_%dx%dx%d_%d_%dx%d_s%d" % (*x, w[3], w[0], w[1], stride)


def _input_gradient(batch, size, channels, filters, window, stride, products=None, wgmma=False):
    """The gradient of a convolution by its input alone. Only what counts is counted: of a strided
    one, a pixel is reached by one in stride^2 of the taps, or by none."""
    side, around = -(-size // stride), window // 2
    shapes = [(batch, size, size, channels), (window, window, channels, filters),
              (batch, side, side, filters)]

    def symk(x, w, g):
        y = ops.conv(x, w, strides=(stride, stride), padding="same")
        return importlib.import_module("symk.autodiff").grad(ops.sum(y * g), [x])[0]

    def torch(library, x, w, g):
        x, w, g = x.permute(0, 3, 1, 2), w.permute(3, 2, 0, 1), g.permute(0, 3, 1, 2)
        return library.ops.aten.convolution_backward(
            g, x, w, None, [stride, stride], [around, around], [1, 1], False, [0, 0], 1,
            [True, False, False])[0]
    name = _conv_name(*shapes[:2], stride) + "_grad_input"
    flops = 2.0 * batch * side * side * filters * channels * window * window
    if products is not None:
        return _rounded_case(name + "_" + products, shapes, symk, torch, flops, products, wgmma)
    return _case(name, shapes, symk, torch, flops)


# --- what moves memory ---

def _rows(name, shape, symk, torch, moved, **options):
    return _case("%s_%s" % (name, "x".join(map(str, shape))), [shape], symk, torch, moved=moved,
                 **options)


def _batch_norm(rows, channels, gradient):
    return _case("batch_norm_%dx%d%s" % (rows, channels, "_gradients" * gradient),
                 [(rows, channels), (channels,), (channels,)],
                 lambda x, g, b: ops.batch_norm(x, g, b)[0],
                 lambda torch, x, g, b: torch.nn.functional.batch_norm(x, None, None, g, b, True),
                 moved=(8 if gradient else 3) * rows * channels,
                 trained=(0, 1, 2) if gradient else ())


def _embedding(size, units, count, gradient):
    rows, there = np.random.default_rng(1).integers(0, size, count), []

    def torch_rows(torch, table):
        if not there:
            there.append(torch.from_numpy(rows).to(table.device))
        return torch.nn.functional.embedding(there[0], table)
    return _case("embedding_%dx%d_%d%s" % (size, units, count, "_gradients" * gradient),
                 [(size, units)], lambda table: ops.gather(table, ops.constant(rows)), torch_rows,
                 moved=2 * count * units + (size * units if gradient else 0),
                 trained=(0,) if gradient else ())


def _lstm(batch, time_steps, units, gradient):
    """A whole layer: beside torch.nn.LSTM, which is cuDNN's."""
    shapes = [(batch, time_steps, units), (units, 4 * units), (units, 4 * units), (4 * units,)]

    def symk(x, kernel, recurrent, bias):
        zeros = ops.constant(np.zeros((batch, units), "float32"))
        return ops.lstm_sequence(ops.matmul(x, kernel) + bias, recurrent, zeros, zeros)[0]
    return Case("lstm_b%d_t%d_h%d%s" % (batch, time_steps, units, "_gradients" * gradient),
                lambda device: _symk_step(device, _arrays(*shapes), symk,
                                          (0, 1, 2, 3) if gradient else ()),
                lambda compiled: _torch_layer("LSTM", batch, time_steps, units, gradient),
                (3 if gradient else 1) * 16.0 * batch * time_steps * units * units)


def _gru(batch, time_steps, units):
    shapes = [(batch, time_steps, units), (units, 3 * units), (units, 3 * units), (3 * units,)]

    def symk(x, kernel, recurrent, bias):
        zeros = ops.constant(np.zeros((batch, units), "float32"))
        return ops.gru_sequence(ops.matmul(x, kernel) + bias, recurrent, zeros)[0]
    return Case("gru_b%d_t%d_h%d" % (batch, time_steps, units),
                lambda device: _symk_step(device, _arrays(*shapes), symk),
                lambda compiled: _torch_layer("GRU", batch, time_steps, units, False),
                12.0 * batch * time_steps * units * units)


def _torch_layer(kind, batch, time_steps, units, gradient):
    import torch
    layer = getattr(torch.nn, kind)(units, units, batch_first=True).to(torch_device())
    x = torch.randn(batch, time_steps, units, device=torch_device(), requires_grad=gradient)

    def step():
        with torch.set_grad_enabled(gradient):
            y = layer(x)[0]
        if gradient:
            torch.autograd.grad(y.sum(), [x, *layer.parameters()])
        _wait()
    return step


# --- whole calls, arrays of the host in and out ---

def _call(size):
    """The least that a call costs: one small op, its operand and its result on the host."""
    array = np.ones(size, "float32")

    def symk(device):
        from symk.compile import function
        from symk.config import device as scope
        from symk.graph import Placeholder
        x = Placeholder("float32", (None,))
        with scope(device):
            run = function([x], [ops.tanh(x)])
        return lambda: run.run([array])

    def torch(compiled):
        import torch as library
        return lambda: library.tanh(library.from_numpy(array).to(torch_device())).cpu().numpy()
    return Case("call_of_%d_numbers" % size, symk, torch)


# Shapes and counts of the weights of ResNet-50, biases left out: those of its 3x3 and 1x1 kernels.
_PARAMETERS = (((3, 3, 64, 64), 3), ((3, 3, 128, 128), 4), ((3, 3, 256, 256), 6),
               ((3, 3, 512, 512), 3), ((1, 1, 256, 64), 6), ((1, 1, 512, 128), 8),
               ((1, 1, 1024, 256), 12), ((1, 1, 2048, 512), 6), ((256,), 53), ((512,), 53))


def _adam(most):
    """A step of Adam over many arrays, which torch does by its fused kernel."""
    shapes = [tuple(min(size, most) for size in shape)
              for shape, count in _PARAMETERS for _ in range(count)]
    moved = 7 * sum(int(np.prod(shape)) for shape in shapes)

    def symk(device):
        from symk.compile import function
        from symk.config import device as scope
        from symk.graph import Shared
        updates = []
        for array in _arrays(*shapes):
            slope, mean, square, weight = (Shared(array) for _ in range(4))
            new_mean = 0.9 * mean + 0.1 * slope
            new_square = 0.999 * square + 0.001 * ops.square(slope)
            slope_size = ops.sqrt(ops.abs(new_square)) + 1e-7
            updates += [(mean, new_mean), (square, new_square),
                        (weight, weight - 0.001 * new_mean / slope_size)]
        with scope(device):
            run = function([], [], updates=updates)
        return lambda: run.run([])

    def torch(compiled):
        import torch as library
        weights = [library.from_numpy(array).to(torch_device()).requires_grad_()
                   for array in _arrays(*shapes)]
        for weight in weights:
            weight.grad = weight.detach().clone()
        optimizer = library.optim.Adam(weights, fused=True)

        def step():
            optimizer.step()
            _wait()
        return step
    return Case("adam_of_%d_arrays" % len(shapes), symk, torch, bytes=4.0 * moved)


def _training(network, batch, optimizer, compiled=False, products=None, wgmma=False):
    """train_on_batch beside forward, backward, step; batches come from the host."""
    from .cases import in_bfloat16
    from .models import TrainingStep
    made = TrainingStep(network, batch, optimizer)
    made.products = products

    def symk(device):
        from symk.config import device as scope
        with scope(device), _warp_groups(wgmma):
            step = made.symk()
            step()              # what is compiled is so here, for the device
        return step

    def torch(as_compiled):
        step = made.torch(torch_device(), as_compiled)
        return in_bfloat16(step, "cuda") if products == "bfloat16" else step
    name = made.name if products is None else "%s_%s" % (made.name, products)
    return Case(name + "_wgmma" * wgmma, symk, torch, made.flops, products=products or "float32",
                compiled=compiled)


def cases(tiny=False):
    """All cases, those first that matter most, since the time may end."""
    def n(size):
        return min(size, 16) if tiny else size
    few = 2 if tiny else 128
    # 256 MB and more: beyond all caches, and long beside the launch and the wait for it.
    million = n(1 << 26)
    table, width = n(65536), n(1024)
    made = [_call(10), _call(n(1 << 20)),
            _rows("copy_scaled", (million,), lambda x: x * 2.0, lambda torch, x: x * 2.0,
                  2 * million)]
    made += [_matmul(n(size), n(size), n(size)) for size in (2048, 256, 512, 1024, 4096, 8192)]
    made += [_matmul(n(m), n(k), n(o)) for m, k, o in ((32, 4096, 1024), (4096, 32, 4096),
                                                       (64, 512, 8192))]
    rounded = ("tf32", "bfloat16", "float16")
    for products in rounded:
        made += [_rounded_matmul(n(size), products) for size in (2048, 1024, 4096, 8192)]
    for products in (*rounded, "float32"):
        made += [_rounded_matmul(n(size), products, wgmma=True) for size in (4096, 2048, 8192)]
    made += [_batched_matmul(n(64), n(256)), _batched_matmul(n(512), n(64))]
    made.append(_training("text_generation", few, "rmsprop"))
    if not tiny:        # minutes for a step where the threads of a GPU are loops
        made += [_training("mnist_cnn", few, "momentum", True), _training("imdb_lstm", 32, "adam"),
                 _training("cifar10_resnet20", few, "momentum", True),
                 _training("resnet50", 32, "momentum"),
                 _training("resnet50", 32, "momentum", products="bfloat16"),
                 _training("resnet50", 32, "momentum", products="bfloat16", wgmma=True)]
    made += _windows(tiny)
    made += [
        _rows("chain_of_six", (million,), lambda x: ops.tanh(x * 2.0 + 1.0) * ops.exp(-x) + x,
              lambda torch, x: torch.tanh(x * 2.0 + 1.0) * torch.exp(-x) + x, 2 * million,
              compiled=True),
        _adam(16 if tiny else 2048),
        _rows("sum_all", (million,), ops.sum, lambda torch, x: x.sum(), million),
        _rows("sum_rows", (table, width), lambda x: ops.sum(x, 1), lambda torch, x: x.sum(1),
              table * width),
        _rows("sum_columns", (table, width), lambda x: ops.sum(x, 0), lambda torch, x: x.sum(0),
              table * width),
        _rows("softmax", (table, width), ops.softmax, lambda torch, x: torch.softmax(x, 1),
              2 * table * width, compiled=True),
        _rows("transpose", (n(8192), n(8192)), lambda x: ops.transpose(x, (1, 0)),
              lambda torch, x: x.t().contiguous(), 2 * n(8192) ** 2),
        _batch_norm(n(32 * 56 * 56), n(64), False), _batch_norm(n(32 * 56 * 56), n(64), True),
        _lstm(n(64), n(50), n(512), False), _lstm(n(64), n(50), n(512), True),
        _lstm(n(32), n(80), n(128), False), _gru(n(64), n(50), n(512)),
        _embedding(n(32000), n(128), n(6400), False), _embedding(n(32000), n(128), n(6400), True)]
    made += _pools(n)
    # Where ResNet-50 halves its images: the reductions and shortcuts of He et al., and the 3x3
    # kernels of those who moved the stride there.
    for row in ((56, 256, 128, 1), (56, 256, 512, 1), (28, 512, 1024, 1), (14, 1024, 2048, 1),
                (56, 128, 128, 3), (28, 256, 256, 3)):
        size, channels, filters, window = (min(6, one) for one in row) if tiny else row
        made.append(_input_gradient(2 if tiny else 32, size, channels, filters, window, 2))
    for batch in (32, 1, 64):
        for row in ((56, 64, 64, 3, 1), (28, 128, 128, 3, 1), (14, 256, 256, 3, 1),
                    (7, 512, 512, 3, 1), (56, 256, 64, 1, 1), (14, 1024, 256, 1, 1),
                    (224, 3, 64, 7, 2)):
            size, channels, filters, window, stride = row
            shape = [batch, size, channels, filters, window, stride]
            if tiny:
                shape[:4] = [min(4, one) for one in shape[:4]]
            made.append(_conv(*shape, False))
            if batch == 32:
                made.append(_conv(*shape, True))
    return list({case.name: case for case in made}.values())


def _windows(tiny):
    """3x3 convolutions and gradients by the input, by warps and by warp groups. The float32 of the
    first is among the other convolutions."""
    made = []
    for shape in ((32, 56, 64, 64, 3, 1), (32, 14, 256, 256, 3, 1)):
        shape = [min(3, one) for one in shape[:5]] + [shape[5]] if tiny else shape
        made += [_conv(*shape, products=products, wgmma=wgmma)
                 for products in ("bfloat16", "tf32") for wgmma in (True, False)]
        made.append(_conv(*shape, products="float32", wgmma=True))
    for shape in ((32, 28, 128, 128, 3, 1), (32, 28, 256, 256, 3, 2)):
        shape = [min(3, one) for one in shape[:5]] + [shape[5]] if tiny else shape
        made += [_input_gradient(*shape, products="bfloat16", wgmma=wgmma)
                 for wgmma in (True, False)]
        made.append(_input_gradient(*shape, products="float32", wgmma=True))
    return made


def _pools(n):
    shape = (n(32), n(112), n(112), n(64))
    count = int(np.prod(shape))

    def torch_pool(kind, window, stride):
        def pool(torch, x):
            return getattr(torch.nn.functional, kind)(x.permute(0, 3, 1, 2), window, stride)
        return pool
    return [_rows("max_pool_2x2", shape, lambda x: ops.max_pool(x, 2),
                  torch_pool("max_pool2d", 2, 2), 1.25 * count),
            _rows("max_pool_2x2_gradients", shape, lambda x: ops.max_pool(x, 2),
                  torch_pool("max_pool2d", 2, 2), 3.5 * count, trained=(0,)),
            _rows("mean_pool_2x2", shape, lambda x: ops.average_pool(x, 2),
                  torch_pool("avg_pool2d", 2, 2), 1.25 * count)]

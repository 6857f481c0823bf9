"""symk beside PyTorch on one GPU: each case by both, interleaved, in one process per side.

    python -m bench.on_gpu [--torch PYTHON] [--seconds N] [--cases SUBSTRING] [--output FILE]

Operands lie on the device, so what is timed is the work and its launch, not copies. A row has the times of one
step, their ratio, and the fraction of what the device can do at best, measured in the same run: a copy for what
is bound by memory, the largest matrix product of float32 for what computes. A case that fails has the reason in its row.
"""
import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import time
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROUND_SECONDS, ROUNDS = 0.02, 7


class Case(typing.NamedTuple):
    """A step by name: how each side makes it, and the work that it does."""

    name: str
    symk: typing.Callable    # (device) -> a function that runs one step and waits for it
    torch: typing.Callable   # () -> the same
    flops: float = 0.0
    bytes: float = 0.0


# --- how each side makes a step ---

def _shared_step(device, arrays, build, trained=()):
    """The results of build(*shared variables) are kept on the device; nothing is copied in a call.

    `trained`: numbers of the arrays whose gradients, of the sum of the first result, are results too.
    """
    import numpy as np

    from symk import autodiff, ops
    from symk.compile import function
    from symk.config import device as scope
    from symk.graph import Shared
    variables = [Shared(array) for array in arrays]
    outputs = build(*variables)
    outputs = list(outputs) if isinstance(outputs, tuple) else [outputs]
    if trained:
        outputs += autodiff.grad(ops.sum(outputs[0]), [variables[i] for i in trained])
    kept = [Shared(np.zeros(output.shape, output.dtype)) for output in outputs]
    with scope(device):
        run = function([], [], updates=list(zip(kept, outputs)))
    return lambda: run.run([])


def _torch_step(arrays, build, trained=()):
    import torch
    tensors = [torch.from_numpy(array).cuda() for array in arrays]
    for i in trained:
        tensors[i].requires_grad_(True)

    def step():
        result = build(torch, *tensors)
        if trained:
            torch.autograd.grad(result.sum(), [tensors[i] for i in trained])
        torch.cuda.synchronize()

    def untracked():
        with torch.no_grad():
            step()
    return step if trained else untracked


def _arrays(*shapes):
    import numpy as np
    generator = np.random.default_rng(0)
    return [generator.standard_normal(shape).astype("float32") * 0.1 for shape in shapes]


def _case(name, shapes, symk, torch, flops=0.0, moved=0, trained=()):
    """A case over float32 arrays; `moved` elements are read or written."""
    return Case(name, lambda device: _shared_step(device, _arrays(*shapes), symk, trained),
                lambda: _torch_step(_arrays(*shapes), torch, trained), flops, 4.0 * moved)


def _matmul(m, n, k):
    from symk import ops
    return _case("matmul_%dx%dx%d" % (m, n, k), [(m, k), (k, n)], ops.matmul,
                 lambda torch, a, b: a @ b, 2.0 * m * n * k, m * k + k * n + m * n)


def _conv(batch, size, channels, filters, window, stride, gradient=False):
    """A convolution of ResNet-50. Both sides get what they like best: symk channels last, torch too."""
    from symk import ops
    side = size // stride
    flops = 2.0 * batch * side * side * filters * channels * window * window

    def torch_conv(torch, x, w):
        x = x.permute(0, 3, 1, 2)               # a view: the memory stays channels last
        return torch.nn.functional.conv2d(x, w.permute(3, 2, 0, 1), stride=stride,
                                          padding=window // 2)
    return _case("conv_b%d_%dx%dx%d_%d_%dx%d_s%d%s" % (batch, size, size, channels, filters, window,
                                                      window, stride, "_with_gradients" * gradient),
                 [(batch, size, size, channels), (window, window, channels, filters)],
                 lambda x, w: ops.conv(x, w, strides=(stride, stride), padding="same"), torch_conv,
                 flops * (3 if gradient else 1), trained=(0, 1) if gradient else ())


def _rows(name, shape, symk, torch, moved):
    return _case("%s_%s" % (name, "x".join(map(str, shape))), [shape], symk, torch,
                 moved=moved)


def cases():
    """All cases, those first that matter most, since the time may end."""
    from symk import ops
    made = [_matmul(n, n, n) for n in (256, 512, 1024, 2048, 4096, 8192)]
    made += [_matmul(32, 4096, 1024), _matmul(4096, 32, 4096)]
    for batch in (1, 32):
        for row in ((56, 64, 64, 3, 1), (28, 128, 128, 3, 1), (14, 256, 256, 3, 1),
                    (56, 256, 64, 1, 1), (14, 1024, 256, 1, 1), (224, 3, 64, 7, 2)):
            made += [_conv(batch, *row), _conv(batch, *row, gradient=True)]
    million = 1 << 24
    made += [
        _rows("copy_scaled", (million,), lambda x: x * 2.0, lambda torch, x: x * 2.0, 2 * million),
        _rows("chain_of_six", (million,), lambda x: ops.tanh(x * 2.0 + 1.0) * ops.exp(-x) + x,
              lambda torch, x: torch.tanh(x * 2.0 + 1.0) * torch.exp(-x) + x, 2 * million),
        _rows("sum_all", (million,), ops.sum, lambda torch, x: x.sum(), million),
        _rows("sum_rows", (16384, 1024), lambda x: ops.sum(x, 1), lambda torch, x: x.sum(1), million),
        _rows("sum_columns", (16384, 1024), lambda x: ops.sum(x, 0), lambda torch, x: x.sum(0),
              million),
        _rows("softmax", (16384, 1024), ops.softmax, lambda torch, x: torch.softmax(x, 1),
              2 * million),
        _rows("transpose", (4096, 4096), lambda x: ops.transpose(x, (1, 0)),
              lambda torch, x: x.t().contiguous(), 2 * million),
        _rows("max_pool_2x2", (32, 112, 112, 64), lambda x: ops.max_pool(x, 2),
              lambda torch, x: torch.nn.functional.max_pool2d(x.permute(0, 3, 1, 2), 2),
              32 * 112 * 112 * 64 * 1.25),
        _batch_norm(32 * 56 * 56, 64), _embedding(32000, 128, 6400), _lstm(64, 50, 512)]
    return made


def _batch_norm(rows, channels):
    from symk import ops
    return _case("batch_norm_%dx%d" % (rows, channels), [(rows, channels), (channels,), (channels,)],
                 lambda x, g, b: ops.batch_norm(x, g, b)[0],
                 lambda torch, x, g, b: torch.nn.functional.batch_norm(x, None, None, g, b, True),
                 moved=3 * rows * channels)


def _embedding(size, units, count):
    import numpy as np

    from symk import ops
    rows = np.random.default_rng(1).integers(0, size, count)

    def torch_rows(torch, table):
        return table[torch.from_numpy(rows).cuda()] if table.is_cuda else table[rows]
    return _case("embedding_gather_%dx%d_%d" % (size, units, count), [(size, units)],
                 lambda table: ops.gather(table, ops.constant(rows)), torch_rows,
                 moved=2 * count * units)


def _lstm(batch, time_steps, units):
    from symk import ops
    shapes = [(batch, time_steps, 4 * units), (units, 4 * units), (batch, units), (batch, units)]

    def torch_lstm(torch, x, weights, h, c):
        for step in range(time_steps):
            i, f, g, o = (x[:, step] + h @ weights).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return h
    return _case("lstm_b%d_t%d_h%d" % (batch, time_steps, units), shapes,
                 lambda x, w, h, c: ops.lstm_sequence(x, w, h, c)[1], torch_lstm,
                 8.0 * batch * time_steps * units * units)


# --- a side, in a process of its own ---

def serve(side, device):
    """Reads a case's name per line; answers with the seconds of its steps, one line of JSON."""
    by_name = {case.name: case for case in cases()}
    steps, counts = {}, {}
    for line in sys.stdin:
        name = line.strip()
        try:
            if name not in steps:
                steps.clear()      # the memory of the case before
                case = by_name[name]
                steps[name] = case.symk(device) if side == "symk" else case.torch()
                for _ in range(3):
                    steps[name]()
                counts[name] = max(1, int(ROUND_SECONDS / _seconds(steps[name], 1)))
            answer = {"seconds": _seconds(steps[name], counts[name])}
        except Exception as error:   # a case that fails is a row of the table
            steps.pop(name, None)
            answer = {"error": ("%s: %s" % (type(error).__name__, error)).splitlines()[0][:200]}
        print(json.dumps(answer), flush=True)


def _seconds(step, count):
    start = time.perf_counter()
    for _ in range(count):
        step()
    return max(1e-9, (time.perf_counter() - start) / count)


class Side:
    """The process of one side."""

    def __init__(self, python, side, device):
        self.process = subprocess.Popen(
            [python, "-m", "bench.on_gpu", "--serve", side, "--device", device], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, name):
        """The answer to a case; an error when the process has ended."""
        try:
            self.process.stdin.write(name + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except OSError:
            line = ""
        return json.loads(line) if line else {"error": "the process has ended"}


# --- the table ---

def measure(sides, chosen, deadline):
    """{case name: {side: seconds or error}}; rounds of the sides alternate."""
    results = {}
    for case in chosen:
        if time.time() > deadline:
            results[case.name] = {"symk": "not measured: the time was over"}
            continue
        rounds = {side: [] for side in sides}
        errors = {}
        for _ in range(ROUNDS):
            for side, process in sides.items():
                if side in errors:
                    continue
                answer = process.ask(case.name)
                if "error" in answer:
                    errors[side] = answer["error"]
                else:
                    rounds[side].append(answer["seconds"])
        results[case.name] = {side: errors.get(side) or statistics.median(rounds[side])
                              for side in sides}
        print("%s %s" % (case.name, results[case.name]), file=sys.stderr, flush=True)
    return results


def limits(results, chosen):
    """Bytes and operations per second of the best case of either side."""
    best = {"bytes": 0.0, "flops": 0.0}
    for case in chosen:
        wanted = {"bytes": case.name.startswith("copy"), "flops": case.name.startswith("matmul")}
        for seconds in results.get(case.name, {}).values():
            if isinstance(seconds, float):
                for what in best:
                    if wanted[what]:
                        best[what] = max(best[what], getattr(case, what) / seconds)
    return best


def table(results, chosen):
    """The results as lines of Markdown."""
    best = limits(results, chosen)
    lines = ["| case | symk | torch | torch / symk | of the limit |", "|---|---|---|---|---|"]
    for case in chosen:
        row = results.get(case.name, {})
        own, peer = row.get("symk"), row.get("torch")
        ratio = "%.2f" % (peer / own) if isinstance(own, float) and isinstance(peer, float) else ""
        fraction = ""
        if isinstance(own, float):
            what = "flops" if case.flops else "bytes"
            rate = getattr(case, what) / own
            fraction = "%.0f %%" % (100 * rate / best[what]) if best[what] else ""
        lines.append("| %s | %s | %s | %s | %s |" % (case.name, _time_text(own), _time_text(peer),
                                                    ratio, fraction))
    lines.append("")
    lines.append("Limits of this run: %.0f GB/s copied, %.1f TFLOP/s of float32 products."
                 % (best["bytes"] / 1e9, best["flops"] / 1e12))
    return lines


def _time_text(value):
    if value is None:
        return ""
    return "%.1f us" % (value * 1e6) if isinstance(value, float) else str(value).replace("|", "/")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", help="a Python that has torch")
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--cases", default="")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--output")
    parser.add_argument("--serve", choices=("symk", "torch"))
    given = parser.parse_args()
    if given.serve:
        return serve(given.serve, given.device)
    chosen = [case for case in cases() if given.cases in case.name]
    sides = {"symk": Side(sys.executable, "symk", given.device)}
    if given.torch:
        sides["torch"] = Side(given.torch, "torch", given.device)
    results = measure(sides, chosen, time.time() + given.seconds)
    lines = ["Measured %s on device %s." % (datetime.date.today(), given.device), ""]
    lines += table(results, chosen)
    if given.output:
        with open(given.output, "w", encoding="utf-8") as stream:
            stream.write("\n".join(lines) + "\n")
    print("\n".join(lines))
    for process in sides.values():
        process.process.stdin.close()


if __name__ == "__main__":
    main()

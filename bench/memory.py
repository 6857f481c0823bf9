"""The memory of training steps of ResNet-50 beside that of PyTorch: `python -m bench.memory`.

Both count what a step needs besides the parameters: activations, gradients, scratch and the state
of SGD with momentum. For symk it is the arena of the Plan and the momentum; for PyTorch the growth
of the process over two steps. The last row is the most that a process of either had in memory at
any time, with everything in it, while it made the model and ran two steps.
"""
import argparse
import resource
import subprocess
import sys

import numpy as np

MEGABYTE = 1e6


def peak_bytes():
    """The most memory that this process has had."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def symk_bytes(batch, recompute=False):
    """The arena of a step and the momentum, after two steps."""
    from .compile import resnet50
    from symk import optimizers
    model = resnet50()
    model.compile(optimizers.SGD(0.01, momentum=0.9), loss="categorical_crossentropy",
                  recompute=recompute)
    for _ in range(2):
        model.train_on_batch(np.zeros((batch, 224, 224, 3), "float32"),
                             np.zeros((batch, 1000), "float32"))
    weights = sum(4 * int(np.prod(w.shape)) for w in model.trainable_weights)
    return model.train_function.program.memory()["arena_bytes"] + weights


def torch_bytes(batch):
    """How far two steps raise the memory of this process."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        """A bottleneck of ResNet-50."""

        def __init__(self, inside, filters, stride, project):
            super().__init__()
            self.convolutions = nn.ModuleList([
                nn.Conv2d(inside, filters, 1, stride), nn.Conv2d(filters, filters, 3, 1, 1),
                nn.Conv2d(filters, 4 * filters, 1)])
            self.norms = nn.ModuleList(nn.BatchNorm2d(c.out_channels) for c in self.convolutions)
            self.project = (nn.Sequential(nn.Conv2d(inside, 4 * filters, 1, stride),
                                          nn.BatchNorm2d(4 * filters)) if project
                            else nn.Identity())

        def forward(self, x):
            y = x
            for number, (convolution, norm) in enumerate(zip(self.convolutions, self.norms)):
                y = norm(convolution(y))
                y = functional.relu_(y) if number < 2 else y
            y += self.project(x)
            return functional.relu_(y)

    blocks, inside = [], 64
    for stage, count in enumerate((3, 4, 6, 3)):
        for number in range(count):
            filters = 64 << stage
            blocks.append(Block(inside, filters, 2 if stage and not number else 1, not number))
            inside = 4 * filters
    model = nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(2048, 1000)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    x = torch.zeros(batch, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    before = peak_bytes()
    for _ in range(2):
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(model(x), torch.zeros(batch, dtype=torch.long)).backward()
        optimizer.step()
    return peak_bytes() - before


def main():
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m bench.memory",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch", default=sys.executable, help="an interpreter that has torch")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--side", choices=("symk", "recomputed", "torch"),
                        help="measure one side, in this process")
    arguments = parser.parse_args()
    if arguments.side:
        needed = (torch_bytes(arguments.batch) if arguments.side == "torch"
                  else symk_bytes(arguments.batch, recompute=arguments.side == "recomputed"))
        print(needed, peak_bytes())
        return
    found, peaks = {}, {}
    for side, python in (("symk", sys.executable), ("recomputed", sys.executable),
                         ("torch", arguments.torch)):
        command = [python, "-m", "bench.memory", "--side", side, "--batch", str(arguments.batch)]
        printed = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout
        found[side], peaks[side] = map(int, printed.split()[-2:])
    print("| ResNet-50, batch %d | symk | torch | torch / symk |\n|---|---|---|---|"
          % arguments.batch)
    for bytes_of, side, what in ((found, "symk", "step besides the parameters"),
                                 (found, "recomputed", "the same with `recompute=True`"),
                                 (peaks, "symk", "peak of a process that makes two steps"),
                                 (peaks, "recomputed", "the same with `recompute=True`")):
        print("| %s | %.0f MB | %.0f MB | %.2f |"
              % (what, bytes_of[side] / MEGABYTE, bytes_of["torch"] / MEGABYTE,
                 bytes_of["torch"] / bytes_of[side]))


if __name__ == "__main__":
    main()

"""The networks of `networks` as torch modules, and the layers that torch lacks."""
from . import networks

__all__ = ["TorchNet", "torch_conv_lstm"]


class TorchNet(networks.Counter):
    """Notes modules and what each reads; a value is its number, and has a shape."""

    def __init__(self, shape):
        import torch
        super().__init__()
        self.torch, self.nn = torch, torch.nn
        self.steps, self.shapes = [], [shape]

    def _step(self, module, shape, *inputs):
        self.steps.append((module, inputs))
        self.shapes.append(tuple(shape))
        return len(self.shapes) - 1

    def _kind(self, name, x):
        return getattr(self.nn, name + "%dd" % (len(self.shapes[x]) - 1))

    def conv(self, x, filters, window, stride=1, padding="same"):
        shape = self.shapes[x]
        module = self._kind("Conv", x)(shape[-1], filters, window, stride,
                                       window // 2 if padding == "same" else 0)
        return self._step(module, super().conv(shape, filters, window, stride, padding), x)

    def depthwise(self, x, window, stride):
        shape = self.shapes[x]
        module = self.nn.Conv2d(shape[-1], shape[-1], window, stride, window // 2, groups=shape[-1])
        return self._step(module, super().depthwise(shape, window, stride), x)

    def norm(self, x):
        shape = self.shapes[x]
        return self._step(self._kind("BatchNorm", x)(shape[-1], eps=1e-3), shape, x)

    def relu(self, x):
        return self._step(self.nn.ReLU(inplace=True), self.shapes[x], x)

    def max_pool(self, x, window, stride, padding="valid"):
        module = self.nn.MaxPool2d(window, stride, window // 2 if padding == "same" else 0)
        return self._step(module, super().max_pool(self.shapes[x], window, stride, padding), x)

    def mean(self, x):
        module = self.nn.Sequential(self.nn.AdaptiveAvgPool2d(1), self.nn.Flatten())
        return self._step(module, super().mean(self.shapes[x]), x)

    def add(self, x, y):
        return self._step(None, self.shapes[x], x, y)

    def flatten(self, x):
        return self._step(self.nn.Flatten(), super().flatten(self.shapes[x]), x)

    def dropout(self, x, rate):
        return self._step(self.nn.Dropout(rate), self.shapes[x], x)

    def dense(self, x, units, activation=None):
        shape = self.shapes[x]
        return self._step(self.nn.Linear(shape[-1], units), super().dense(shape, units), x)

    def embedding(self, x, size, units):
        return self._step(self.nn.Embedding(size, units), self.shapes[x] + (units,), x)

    def lstm(self, x, units, bidirectional=False):
        time, width = self.shapes[x]
        module = last_output(self.torch, width, units, bidirectional)
        return self._step(module, (units * (2 if bidirectional else 1),), x)

    def conv_lstm(self, x, filters):
        shape = self.shapes[x]
        return self._step(torch_conv_lstm(self.torch, shape[-1], filters),
                          super().conv_lstm(shape, filters), x)

    def model(self):
        """A module that runs the steps."""
        steps, nn = self.steps, self.nn

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.parts = nn.ModuleList(module for module, _ in steps if module is not None)

            def forward(self, x):
                values = [x]
                for module, inputs in steps:
                    given = [values[i] for i in inputs]
                    values.append(given[0] + given[1] if module is None else module(*given))
                return values[-1]
        return Model()


def last_output(torch, width, units, bidirectional):
    """A module: the last output of torch's LSTM."""
    class LastOutput(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = torch.nn.LSTM(width, units, batch_first=True, bidirectional=bidirectional)

        def forward(self, x):
            last = self.lstm(x)[1][0]
            return torch.cat([last[0], last[1]], 1) if bidirectional else last[0]
    return LastOutput()


def torch_conv_lstm(torch, channels, filters):
    """A module: (batch, channels, time, rows, columns) to all outputs; all inputs at once."""
    class ConvLSTM(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inputs = torch.nn.Conv2d(channels, 4 * filters, 3, padding=1)
            self.states = torch.nn.Conv2d(filters, 4 * filters, 3, padding=1, bias=False)

        def forward(self, x):
            batch, _, time, rows, columns = x.shape
            frames = x.transpose(1, 2).reshape(batch * time, channels, rows, columns)
            sums = self.inputs(frames).view(batch, time, 4 * filters, rows, columns)
            h = c = x.new_zeros(batch, filters, rows, columns)
            outputs = []
            for step in range(time):
                i, f, g, o = (sums[:, step] + self.states(h)).chunk(4, 1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
                outputs.append(h)
            return torch.stack(outputs, 2)
    return ConvLSTM()

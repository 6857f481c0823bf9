"""The networks that are timed, each written once: a function of a builder, and of its input.

A builder has the methods of `Counter`, which makes no model but says what one costs: the operations
of a sample, and the parameters. Each library has a builder that makes its own model.
"""
import numpy as np

__all__ = ["Counter", "count", "mlp", "mnist_cnn", "cifar_cnn", "cifar_resnet", "imdb_lstm",
           "imdb_bidirectional", "text_generation", "conv_lstm", "resnet50", "mobilenet", "vgg16"]


class Counter:
    """What a sample costs: a value is its shape without the batch, and the totals grow."""

    def __init__(self):
        self.flops = self.parameters = 0

    def _product(self, positions, inside, outside):
        self.flops += 2 * positions * inside * outside
        self.parameters += (inside + 1) * outside

    def conv(self, x, filters, window, stride=1, padding="same"):
        """A convolution with bias over the axes between the first and the last."""
        size = x[:-1] if padding == "same" else tuple(n - window + 1 for n in x[:-1])
        size = tuple(-(-n // stride) for n in size)
        self._product(int(np.prod(size)), window ** len(size) * x[-1], filters)
        return size + (filters,)

    def depthwise(self, x, window, stride):
        size = tuple(-(-n // stride) for n in x[:-1])
        self._product(int(np.prod(size)) * x[-1], window ** 2, 1)
        self.parameters += (window ** 2 + 1) * (x[-1] - 1)
        return size + x[-1:]

    def norm(self, x):
        """Batch normalisation."""
        self.parameters += 4 * x[-1]
        return x

    def relu(self, x):
        return x

    def max_pool(self, x, window, stride, padding="valid"):
        return tuple(-(-n // stride) if padding == "same" else n // stride for n in x[:-1]) + x[-1:]

    def mean(self, x):
        """Over the image."""
        return x[-1:]

    def add(self, x, y):
        return x

    def flatten(self, x):
        return (int(np.prod(x)),)

    def dropout(self, x, rate):
        return x

    def dense(self, x, units, activation=None):
        """`activation` may be "softmax" or "sigmoid", in the last layer; torch gives logits."""
        self._product(1, x[-1], units)
        return (units,)

    def embedding(self, x, size, units):
        self.parameters += size * units
        return x + (units,)

    def lstm(self, x, units, bidirectional=False):
        """The last output of an LSTM; of one for each direction, side by side."""
        directions = 2 if bidirectional else 1
        for _ in range(directions):
            self._product(x[0], x[1] + units, 4 * units)
        return (directions * units,)

    def conv_lstm(self, x, filters):
        """All outputs of a convolutional LSTM with 3x3 windows."""
        self._product(int(np.prod(x[:-1])), 9 * (x[-1] + filters), 4 * filters)
        return x[:-1] + (filters,)


def count(network, shape):
    """The operations for one sample, and the parameters."""
    counter = Counter()
    network(counter, shape)
    return counter.flops, counter.parameters


def mlp(net, x):
    """Keras's example mnist_mlp."""
    for _ in range(2):
        x = net.dropout(net.relu(net.dense(x, 512)), 0.2)
    return net.dense(x, 10, "softmax")


def mnist_cnn(net, x):
    """Keras's example mnist_cnn."""
    x = net.relu(net.conv(x, 32, 3, padding="valid"))
    x = net.relu(net.conv(x, 64, 3, padding="valid"))
    x = net.flatten(net.dropout(net.max_pool(x, 2, 2), 0.25))
    return net.dense(net.dropout(net.relu(net.dense(x, 128)), 0.5), 10, "softmax")


def cifar_cnn(net, x):
    """Keras's example cifar10_cnn."""
    for filters in (32, 64):
        x = net.relu(net.conv(x, filters, 3))
        x = net.relu(net.conv(x, filters, 3, padding="valid"))
        x = net.dropout(net.max_pool(x, 2, 2), 0.25)
    x = net.dropout(net.relu(net.dense(net.flatten(x), 512)), 0.5)
    return net.dense(x, 10, "softmax")


def cifar_resnet(net, x):
    """The network of 20 layers; the shortcut of a new size is a convolution.

    Source: He et al. 2015, section 4.2.
    """
    x = net.relu(net.norm(net.conv(x, 16, 3)))
    for stage in range(3):
        for block in range(3):
            stride = 2 if stage and not block else 1
            shortcut = x if stride == 1 else net.norm(net.conv(x, 16 << stage, 1, stride))
            x = net.relu(net.norm(net.conv(x, 16 << stage, 3, stride)))
            x = net.relu(net.add(net.norm(net.conv(x, 16 << stage, 3)), shortcut))
    return net.dense(net.mean(x), 10, "softmax")


def imdb_lstm(net, x):
    """Keras's example imdb_lstm, without dropout inside of the recurrence, which torch lacks."""
    return net.dense(net.lstm(net.embedding(x, 20000, 128), 128), 1, "sigmoid")


def imdb_bidirectional(net, x):
    """Keras's example imdb_bidirectional_lstm."""
    x = net.dropout(net.lstm(net.embedding(x, 20000, 128), 64, bidirectional=True), 0.5)
    return net.dense(x, 1, "sigmoid")


def text_generation(net, x):
    """Keras's example lstm_text_generation."""
    return net.dense(net.lstm(x, 128), 57, "softmax")


def conv_lstm(net, x):
    """Keras's example conv_lstm with two layers instead of four: frames to frames."""
    x = net.norm(net.conv_lstm(x, 20))
    return net.conv(net.norm(net.conv_lstm(x, 20)), 1, 3)


def resnet50(net, x):
    """Source: He et al. 2015, table 1."""
    def normalised(x, filters, window, stride=1):
        return net.norm(net.conv(x, filters, window, stride))

    x = net.max_pool(net.relu(normalised(x, 64, 7, 2)), 3, 2, "same")
    for stage, blocks in enumerate((3, 4, 6, 3)):
        filters = 64 << stage
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            shortcut = x if block else normalised(x, 4 * filters, 1, stride)
            x = net.relu(normalised(x, filters, 1, stride))
            x = net.relu(normalised(x, filters, 3))
            x = net.relu(net.add(normalised(x, 4 * filters, 1), shortcut))
    return net.dense(net.mean(x), 1000, "softmax")


def mobilenet(net, x):
    """Source: Howard et al. 2017, table 1."""
    x = net.relu(net.norm(net.conv(x, 32, 3, 2)))
    blocks = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + 5 * [(512, 1)] + [
        (1024, 2), (1024, 1)]
    for filters, stride in blocks:
        x = net.relu(net.norm(net.depthwise(x, 3, stride)))
        x = net.relu(net.norm(net.conv(x, filters, 1)))
    return net.dense(net.mean(x), 1000, "softmax")


def vgg16(net, x):
    """Source: Simonyan & Zisserman 2014, table 1, column D."""
    for filters, layers in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(layers):
            x = net.relu(net.conv(x, filters, 3))
        x = net.max_pool(x, 2, 2)
    x = net.flatten(x)
    for _ in range(2):
        x = net.relu(net.dense(x, 4096))
    return net.dense(x, 1000, "softmax")

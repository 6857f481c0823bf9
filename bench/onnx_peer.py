"""The networks of `networks` as ONNX models with random weights, channels first."""
import numpy as np

from . import networks

__all__ = ["session"]


class OnnxNet(networks.Counter):
    """Notes the nodes of a graph; a value is its name, and has a shape without the batch."""

    def __init__(self, name, shape):
        super().__init__()
        self.nodes, self.weights, self.shapes = [], [], {name: shape}
        self.random = np.random.RandomState(0)

    def _node(self, op, inputs, shape, **attributes):
        import onnx
        name = "value_%d" % len(self.shapes)
        outputs = ["", name] if op == "LSTM" else [name]
        self.nodes.append(onnx.helper.make_node(op, inputs, outputs, **attributes))
        self.shapes[name] = tuple(shape)
        return name

    def _array(self, array):
        """The name of an initial value."""
        import onnx
        name = "weight_%d" % len(self.weights)
        self.weights.append(onnx.numpy_helper.from_array(np.asarray(array), name))
        return name

    def _weight(self, *shape):
        scale = 1 / np.sqrt(max(1, np.prod(shape[1:])))
        return self._array((scale * self.random.standard_normal(shape)).astype("float32"))

    def _windows(self, window, stride, padding):
        around = window // 2 if padding == "same" else 0
        return {"kernel_shape": [window] * 2, "strides": [stride] * 2, "pads": [around] * 4}

    def conv(self, x, filters, window, stride=1, padding="same"):
        shape = self.shapes[x]
        weights = [self._weight(filters, shape[-1], window, window), self._weight(filters)]
        return self._node("Conv", [x, *weights],
                          super().conv(shape, filters, window, stride, padding),
                          **self._windows(window, stride, padding))

    def depthwise(self, x, window, stride):
        shape = self.shapes[x]
        weights = [self._weight(shape[-1], 1, window, window), self._weight(shape[-1])]
        return self._node("Conv", [x, *weights], super().depthwise(shape, window, stride),
                          group=shape[-1], **self._windows(window, stride, "same"))

    def norm(self, x):
        shape = self.shapes[x]
        ones = [self._array(np.ones(shape[-1], "float32")) for _ in range(4)]
        return self._node("BatchNormalization", [x, *ones], shape, epsilon=1e-3)

    def relu(self, x):
        return self._node("Relu", [x], self.shapes[x])

    def max_pool(self, x, window, stride, padding="valid"):
        shape = super().max_pool(self.shapes[x], window, stride, padding)
        return self._node("MaxPool", [x], shape, **self._windows(window, stride, padding))

    def mean(self, x):
        shape = self.shapes[x]
        return self.flatten(self._node("GlobalAveragePool", [x], (1, 1, shape[-1])))

    def add(self, x, y):
        return self._node("Add", [x, y], self.shapes[x])

    def flatten(self, x):
        return self._node("Flatten", [x], super().flatten(self.shapes[x]))

    def dense(self, x, units, activation=None):
        width = self.shapes[x][-1]
        y = self._node("Gemm", [x, self._weight(width, units), self._weight(units)], (units,))
        return y if activation is None else self._node(activation.capitalize(), [y], (units,))

    def embedding(self, x, size, units):
        return self._node("Gather", [self._weight(size, units), x], self.shapes[x] + (units,))

    def lstm(self, x, units, bidirectional=False):
        time, width = self.shapes[x]
        count = 2 if bidirectional else 1
        rows = self._node("Transpose", [x], (time, width), perm=[1, 0, 2])
        weights = [self._weight(count, 4 * units, width), self._weight(count, 4 * units, units),
                   self._weight(count, 8 * units)]
        last = self._node("LSTM", [rows, *weights], (units,), hidden_size=units,
                          direction="bidirectional" if bidirectional else "forward")
        swapped = self._node("Transpose", [last], (units,), perm=[1, 0, 2])
        return self._node("Flatten", [swapped], (count * units,))


def session(network, shape, batch, dtype, threads):
    """A session of ONNX Runtime that runs a network on `threads` threads; its input is "x"."""
    import onnx
    import onnxruntime
    net = OnnxNet("x", shape)
    result = network(net, "x")
    order = (shape[-1],) + shape[:-1] if len(shape) == 3 else shape
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = onnx.helper.make_graph(
        net.nodes, network.__name__,
        [onnx.helper.make_tensor_value_info("x", kind, (batch,) + order)],
        [onnx.helper.make_tensor_value_info(result, onnx.TensorProto.FLOAT, None)], net.weights)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)],
                                   ir_version=8)      # that of opset 17
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model.SerializeToString(), options,
                                        providers=["CPUExecutionProvider"])

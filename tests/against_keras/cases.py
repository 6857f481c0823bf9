"""Random layers with random arguments, as plain data that any Keras understands.

Runs on Python 3.6 and later, as it is imported beside real Keras too: nothing of symk in here.
"""
import random

__all__ = ["LayerCase", "optimizer", "pick"]

ACTIVATIONS = [None, "relu", "tanh", "sigmoid", "hard_sigmoid", "elu", "selu", "softplus",
               "softsign", "softmax", "linear", "exponential"]
REGULARIZERS = [None, None, {"class_name": "L1L2", "config": {"l1": 0.01, "l2": 0.02}}]
CONSTRAINTS = [
    None, None, {"class_name": "NonNeg", "config": {}},
    {"class_name": "MaxNorm", "config": {"max_value": 1.0, "axis": 0}},
    {"class_name": "UnitNorm", "config": {"axis": 0}},
    {"class_name": "MinMaxNorm",
     "config": {"min_value": 0.2, "max_value": 0.8, "rate": 0.5, "axis": 0}}]
RECURRENT = ["SimpleRNN", "GRU", "LSTM"]


def pick(draw, *values):
    return values[draw.randrange(len(values))]


class LayerCase:
    """What one seed stands for.

    Attributes: name, arguments: of the layer; an argument `layer` is a (name, arguments) pair.
                shapes: of its inputs, without the batch. labels: their bound, for whole numbers.
                masked: whether the inputs have steps that a Masking before the layer hides.
    """

    def __init__(self, seed):
        self._draw = random.Random(seed)
        self.labels, self.masked = None, False
        kind = pick(self._draw, "dense", "convolution", "convolution", "separable", "transposed",
                    "pooling", "recurrent", "recurrent", "bidirectional", "merge", "shape",
                    "resize", "normalization", "embedding", "activation", "local", "in_time",
                    "conv_lstm")
        self.name, self.arguments, self.shapes = getattr(self, "_" + kind)()

    # ---- parts

    def _number(self, least, most):
        return self._draw.randint(least, most)

    def _any(self, values):
        return pick(self._draw, *values)

    def _format(self):
        return self._any(["channels_last", "channels_last", "channels_first"])

    def _image(self, rank, data_format, least=5, most=9):
        sizes = [self._number(least, most) for _ in range(rank)]
        channels = [self._number(1, 4)]
        return sizes + channels if data_format == "channels_last" else channels + sizes

    def _sizes(self, least=1, most=3):
        return [self._number(2, 4) for _ in range(self._number(least, most))]

    # ---- kinds

    def _dense(self):
        return "Dense", {
            "units": self._number(1, 6), "activation": self._any(ACTIVATIONS),
            "use_bias": self._any([True, False]), "kernel_regularizer": self._any(REGULARIZERS),
            "kernel_constraint": self._any(CONSTRAINTS),
            "activity_regularizer": self._any(REGULARIZERS)}, [self._sizes()]

    def _convolution(self):
        rank, data_format = self._number(1, 3), self._format()
        arguments = {
            "filters": self._number(1, 5), "padding": self._any(["valid", "same"]),
            "kernel_size": [self._number(1, 3) for _ in range(rank)], "data_format": data_format,
            "activation": self._any([None, "relu", "tanh"]), "use_bias": self._any([True, False]),
            "kernel_regularizer": self._any(REGULARIZERS)}
        if self._draw.random() < 0.5:
            arguments["strides"] = [self._number(1, 3)] * rank
        elif data_format == "channels_last":
            arguments["dilation_rate"] = [self._number(1, 2)] * rank
        if rank == 1 and data_format == "channels_last" and self._draw.random() < 0.3:
            arguments["padding"] = "causal"
        return "Conv%dD" % rank, arguments, [self._image(rank, data_format, 6, 10)]

    def _separable(self):
        name, rank = self._any([("SeparableConv1D", 1), ("SeparableConv2D", 2),
                                ("DepthwiseConv2D", 2)])
        arguments = {"kernel_size": self._number(1, 3), "padding": self._any(["valid", "same"]),
                     "activation": self._any(ACTIVATIONS), "strides": self._number(1, 2),
                     "depth_multiplier": self._number(1, 3)}
        if name != "DepthwiseConv2D":
            arguments["filters"] = self._number(1, 5)
        return name, arguments, [self._image(rank, "channels_last", 6, 10)]

    def _transposed(self):
        rank = self._number(2, 3)
        stride = self._number(1, 3)
        arguments = {"filters": self._number(1, 4), "kernel_size": self._number(1, 4),
                     "strides": stride, "padding": self._any(["valid", "same"]),
                     "activation": self._any([None, "tanh"])}
        if stride > 1 and self._draw.random() < 0.3:
            arguments["output_padding"] = self._number(0, stride - 1)
        return "Conv%dDTranspose" % rank, arguments, [self._image(rank, "channels_last", 3, 5)]

    def _pooling(self):
        rank, data_format = self._number(1, 3), self._format()
        kind = self._any(["Max", "Average"])
        shapes = [self._image(rank, data_format, 5, 8)]
        if self._draw.random() < 0.3:
            return "Global%sPooling%dD" % (kind, rank), {"data_format": data_format}, shapes
        return "%sPooling%dD" % (kind, rank), {
            "pool_size": self._number(1, 3), "padding": self._any(["valid", "same"]),
            "strides": self._any([None, 1, 2, 3]), "data_format": data_format}, shapes

    def _recurrent(self):
        name = self._any(RECURRENT)
        arguments = {
            "units": self._number(1, 5), "activation": self._any(["tanh", "relu", "sigmoid"]),
            "return_sequences": self._any([True, False]),
            "return_state": self._any([False, False, True]),
            "go_backwards": self._any([False, True]), "unroll": self._any([False, False, True]),
            "use_bias": self._any([True, False])}
        if name != "SimpleRNN":
            arguments["recurrent_activation"] = self._any(["hard_sigmoid", "sigmoid"])
            arguments["implementation"] = self._number(1, 2)
        if name == "GRU":
            arguments["reset_after"] = self._any([True, False])
        self.masked = self._any([False, True])
        return name, arguments, [[self._number(1, 6), self._number(1, 4)]]

    def _bidirectional(self):
        name, arguments, shapes = self._recurrent()
        arguments["go_backwards"] = False
        return "Bidirectional", {"layer": (name, arguments), "merge_mode": self._any(
            ["concat", "sum", "mul", "ave", None])}, shapes

    def _merge(self):
        name = self._any(["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum",
                          "Concatenate", "Dot"])
        count = 2 if name in ("Subtract", "Dot") else self._number(2, 4)
        shape = self._sizes()
        if name == "Dot":
            size = self._number(2, 4)
            axes, shapes = self._any([(1, [[size], [size]]), ([2, 1], [[3, size], [size, 2]]),
                                      (-1, [[3, size], [2, size]])])
            return name, {"axes": axes, "normalize": self._any([True, False])}, shapes
        shapes = [list(shape) for _ in range(count)]
        if name != "Concatenate":
            return name, {}, shapes
        axis = self._number(1, len(shape))
        for one in shapes:
            one[axis - 1] = self._number(1, 4)
        return name, {"axis": self._any([axis, axis - len(shape) - 1])}, shapes

    def _shape(self):
        sizes = [self._number(1, 4) for _ in range(3)]
        return self._any([
            ("Flatten", {"data_format": self._format()}, [sizes]),
            ("Reshape", {"target_shape": [-1, sizes[2]]}, [sizes]),
            ("Permute", {"dims": self._draw.sample([1, 2, 3], 3)}, [sizes]),
            ("RepeatVector", {"n": self._number(1, 4)}, [sizes[:1]]),
            ("ActivityRegularization", {"l1": 0.1, "l2": 0.2}, [sizes])])

    def _resize(self):
        data_format = self._format()
        image, volume = (self._image(rank, data_format, 4, 5) for rank in (2, 3))
        pairs = self._any([1, [1, 2], [[1, 0], [2, 1]]])
        threes = self._any([1, [1, 0, 1], [[1, 0], [0, 1], [1, 1]]])
        return self._any([
            ("ZeroPadding1D", {"padding": self._any([1, [2, 1]])}, [[4, 2]]),
            ("ZeroPadding2D", {"padding": pairs, "data_format": data_format}, [image]),
            ("ZeroPadding3D", {"padding": threes, "data_format": data_format}, [volume]),
            ("Cropping1D", {"cropping": self._any([1, [2, 1]])}, [[6, 2]]),
            ("Cropping2D", {"cropping": [[1, 0], [2, 1]], "data_format": data_format}, [image]),
            ("Cropping3D", {"cropping": threes, "data_format": data_format}, [volume]),
            ("UpSampling1D", {"size": self._number(1, 3)}, [[3, 2]]),
            ("UpSampling2D", {"size": self._any([2, [1, 3]]), "data_format": data_format,
                              "interpolation": self._any(["nearest", "bilinear"])}, [image]),
            ("UpSampling3D", {"size": [1, 2, 3], "data_format": data_format}, [volume])])

    def _normalization(self):
        sizes = self._sizes()
        return "BatchNormalization", {
            "axis": self._any([-1, self._number(1, len(sizes))]),
            "momentum": self._any([0.99, 0.5]), "center": self._any([True, False]),
            "scale": self._any([True, False]),
            "epsilon": self._any([1e-3, 1e-2])}, [sizes]

    def _embedding(self):
        self.labels = 7
        return "Embedding", {"input_dim": 7, "output_dim": self._number(1, 4),
                             "mask_zero": self._any([True, False]),
                             "embeddings_regularizer": self._any(REGULARIZERS),
                             "embeddings_constraint": self._any(CONSTRAINTS)}, [
            [self._number(1, 5)]]

    def _activation(self):
        sizes = self._sizes()
        name, arguments = self._any([
            ("Activation", {"activation": self._any(ACTIVATIONS[1:])}), ("ELU", {"alpha": 0.5}),
            ("LeakyReLU", {"alpha": 0.25}), ("ThresholdedReLU", {"theta": 0.5}),
            ("PReLU", {"shared_axes": self._any([None, [1]])}),
            ("Softmax", {"axis": self._any([-1, 1])}), ("ReLU", {"max_value": 0.5})])
        return name, arguments, [sizes]

    def _local(self):
        if self._draw.random() < 0.5:
            return "LocallyConnected1D", {"filters": self._number(1, 3), "strides": 2,
                                          "kernel_size": self._number(1, 3)}, [
                [self._number(4, 7), self._number(1, 3)]]
        data_format = self._format()
        return "LocallyConnected2D", {
            "filters": self._number(1, 3), "kernel_size": [self._number(1, 3), 2],
            "strides": [1, self._number(1, 2)], "data_format": data_format}, [
            self._image(2, data_format, 4, 6)]

    def _in_time(self):
        name, arguments, shapes = self._any([self._dense, self._convolution, self._pooling])()
        arguments.pop("activity_regularizer", None)
        return "TimeDistributed", {"layer": (name, arguments)}, [[self._number(1, 4)] + shapes[0]]

    def _conv_lstm(self):
        return "ConvLSTM2D", {
            "filters": self._number(1, 3), "kernel_size": self._any([1, 2, [1, 3]]),
            "padding": self._any(["valid", "same"]), "strides": self._number(1, 2),
            "return_sequences": self._any([True, False]), "go_backwards": self._any([True, False]),
            "activation": self._any(["tanh", "relu"])}, [
            [self._number(1, 3)] + self._image(2, "channels_last", 4, 6)]


def optimizer(draw):
    """(class name, arguments) of one of those whose steps do not depend on their number.

    On TensorFlow 1 real Keras reads the number of steps beside its going up.
    """
    name, arguments = pick(draw, ("SGD", {"lr": 0.05, "momentum": pick(draw, 0.0, 0.9),
                                          "nesterov": pick(draw, True, False)}),
                           ("RMSprop", {}), ("Adagrad", {}), ("Adadelta", {}))
    return name, dict(arguments, **pick(draw, {}, {"clipnorm": 0.5}, {"clipvalue": 0.05}))

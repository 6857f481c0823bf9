"""Whole models: training steps and predictions; `networks` has each network once, for all sides."""
import os

import numpy as np

from . import networks
from .cases import Case, case, in_bfloat16, normal
from .peers import TorchNet

__all__ = ["symk_model", "torch_model"]

# network, shape of a sample, how many classes its input or its labels have
NETWORKS = {
    "mnist_mlp": (networks.mlp, (784,), 10),
    "mnist_cnn": (networks.mnist_cnn, (28, 28, 1), 10),
    "cifar10_cnn": (networks.cifar_cnn, (32, 32, 3), 10),
    "cifar10_resnet20": (networks.cifar_resnet, (32, 32, 3), 10),
    "imdb_lstm": (networks.imdb_lstm, (80,), 20000),
    "imdb_bidirectional": (networks.imdb_bidirectional, (100,), 20000),
    "text_generation": (networks.text_generation, (40, 57), 57),
    "conv_lstm": (networks.conv_lstm, (10, 20, 20, 1), None),
    "resnet50": (networks.resnet50, (224, 224, 3), 1000),
    "mobilenet": (networks.mobilenet, (224, 224, 3), 1000),
    "vgg16": (networks.vgg16, (224, 224, 3), 1000),
}


class SymkNet:
    """Builds with Keras layers; a value is a tensor."""

    def __init__(self):
        from symk import layers
        self.layers = layers

    def conv(self, x, filters, window, stride=1, padding="same"):
        make = self.layers.Conv3D if len(x.shape) == 5 else self.layers.Conv2D
        return make(filters, window, strides=stride, padding=padding)(x)

    def depthwise(self, x, window, stride):
        return self.layers.DepthwiseConv2D(window, strides=stride, padding="same")(x)

    def norm(self, x):
        return self.layers.BatchNormalization()(x)

    def relu(self, x):
        return self.layers.Activation("relu")(x)

    def max_pool(self, x, window, stride, padding="valid"):
        return self.layers.MaxPooling2D(window, stride, padding=padding)(x)

    def mean(self, x):
        return self.layers.GlobalAveragePooling2D()(x)

    def add(self, x, y):
        return self.layers.add([x, y])

    def flatten(self, x):
        return self.layers.Flatten()(x)

    def dropout(self, x, rate):
        return self.layers.Dropout(rate)(x)

    def dense(self, x, units, activation=None):
        return self.layers.Dense(units, activation=activation)(x)

    def embedding(self, x, size, units):
        return self.layers.Embedding(size, units)(x)

    def lstm(self, x, units, bidirectional=False):
        layer = self.layers.LSTM(units, recurrent_activation="sigmoid")
        return (self.layers.Bidirectional(layer) if bidirectional else layer)(x)

    def conv_lstm(self, x, filters):
        return self.layers.ConvLSTM2D(filters, 3, padding="same", return_sequences=True,
                                      recurrent_activation="sigmoid")(x)


def symk_model(name):
    """The Keras model of a network."""
    from symk import layers, models
    network, shape, _ = NETWORKS[name]
    inputs = layers.Input(shape)
    return models.Model(inputs, network(SymkNet(), inputs))


def torch_model(name):
    """The same as a torch module, images channels last in memory. The last layer gives logits."""
    import torch
    torch.manual_seed(0)
    network, shape, _ = NETWORKS[name]
    net = TorchNet(shape)
    network(net, 0)
    model = net.model()
    return model.to(memory_format=torch.channels_last) if len(shape) == 3 else model


class ModelCase(Case):
    """A network at a batch size."""

    def __init__(self, network, batch):
        self.network, self.batch = network, batch
        function, shape, self.classes = NETWORKS[network]
        self.shape = (batch,) + shape
        flops, self.parameters = networks.count(function, shape)
        self.forward_flops = batch * flops

    def x(self):
        if len(self.shape) == 2 and self.network.startswith("imdb"):
            return np.random.RandomState(3).randint(0, self.classes, self.shape).astype("int32")
        return normal(*self.shape)

    def torch_x(self):
        """The input in torch's order of axes, images channels last in memory."""
        import torch
        x = self.x()
        if x.ndim < 4:
            return torch.from_numpy(x)
        x = torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)))
        return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


@case
class TrainingStep(ModelCase):
    """train_on_batch beside forward, backward, step; optimizers as in Keras's examples."""
    sets = [("mnist_mlp", 128, "rmsprop"), ("mnist_cnn", 128, "adadelta"),
            ("mnist_cnn", 128, "momentum"), ("cifar10_cnn", 32, "rmsprop"),
            ("imdb_lstm", 32, "adam"), ("imdb_bidirectional", 32, "adam"),
            ("text_generation", 128, "rmsprop"), ("conv_lstm", 8, "adadelta"),
            ("resnet50", 8, "momentum")]
    products = None
    # Arrays besides the gradient that a step reads and writes, for each parameter.
    traffic = {"momentum": 4, "rmsprop": 4, "adam": 6, "adadelta": 6}

    def __init__(self, network, batch, optimizer):
        super().__init__(network, batch)
        self.optimizer = optimizer
        self.name = "train_%s_batch_%d_%s" % (network, batch, optimizer)
        if self.products:
            self.name += "_" + self.products
        self.flops = 3 * self.forward_flops
        self.bytes = 4 * self.parameters * (self.traffic[optimizer] + 2)

    def labels(self):
        """Classes, or values in [0, 1] of the result's shape."""
        draw = np.random.RandomState(2)
        if self.network.startswith("imdb"):
            return draw.randint(0, 2, (self.batch, 1)).astype("float32")
        if self.classes is None:
            return draw.uniform(size=self.shape[:-1] + (1,)).astype("float32")
        return draw.randint(0, self.classes, self.batch)

    def symk(self):
        from symk import optimizers
        made = {"momentum": lambda: optimizers.SGD(1e-3, momentum=0.9),
                "rmsprop": lambda: optimizers.RMSprop(1e-4), "adam": lambda: optimizers.Adam(1e-3),
                "adadelta": lambda: optimizers.Adadelta(1.0)}
        model, x, y = symk_model(self.network), self.x(), self.labels()
        losses = {"i": "categorical_crossentropy", "f": "mse" if self.classes is None else
                  "binary_crossentropy"}
        model.compile(made[self.optimizer](), loss=losses[y.dtype.kind], products=self.products)
        if y.dtype.kind == "i":
            y = np.eye(self.classes, dtype="float32")[y]
        return lambda: model.train_on_batch(x, y)

    def torch(self, device="cpu", compiled=False):
        """On a device the batch is taken there in each step; `compiled` by torch.compile."""
        import torch
        functional = torch.nn.functional
        made = {"momentum": lambda p: torch.optim.SGD(p, 1e-3, momentum=0.9),
                "rmsprop": lambda p: torch.optim.RMSprop(p, 1e-4, alpha=0.9),
                "adam": lambda p: torch.optim.Adam(p, 1e-3),
                "adadelta": lambda p: torch.optim.Adadelta(p, 1.0, rho=0.95)}
        model, x, y = torch_model(self.network), self.torch_x(), torch.from_numpy(self.labels())
        model = model.to(device)
        optimizer = made[self.optimizer](model.parameters())
        call = torch.compile(model) if compiled else model
        loss_of = functional.cross_entropy
        if self.classes is None:
            y, loss_of = y.movedim(-1, 1), functional.mse_loss
        elif y.is_floating_point():
            loss_of = functional.binary_cross_entropy_with_logits

        def step():
            optimizer.zero_grad()
            loss = loss_of(call(x.to(device)), y.to(device))
            loss.backward()
            optimizer.step()
            return loss.item()
        return step


@case
class Inference(ModelCase):
    """predict_on_batch beside a call under inference_mode."""
    sets = [("mnist_mlp", 1)] + [(network, batch) for network in (
        "mnist_cnn", "imdb_lstm", "mobilenet", "resnet50", "vgg16") for batch in (1, 32)]
    products = None

    def __init__(self, network, batch):
        super().__init__(network, batch)
        self.name = "infer_%s_batch_%d" % (network, batch)
        if self.products:
            self.name += "_" + self.products
        self.flops = self.forward_flops
        rows = 0 if not network.startswith("imdb") else self.classes - batch * self.shape[1]
        self.bytes = 4 * (self.parameters - 128 * max(0, rows))

    def symk(self):
        model, x = symk_model(self.network), self.x()
        model.compile("sgd", "mse", products=self.products)
        return lambda: model.predict_on_batch(x)

    def torch(self):
        import torch
        model, x = torch_model(self.network), self.torch_x()
        model.eval()

        def step():
            with torch.inference_mode():
                return model(x).float().numpy()
        return step

    def onnxruntime(self):
        from .onnx_peer import session
        network, shape, _ = NETWORKS[self.network]
        x = self.x()
        x = np.ascontiguousarray(np.moveaxis(x, -1, 1)) if x.ndim == 4 else x
        threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
        made = session(network, shape, self.batch, x.dtype, threads)
        return lambda: made.run(None, {"x": x})


@case
class WinogradInference(Inference):
    """With 3x3 convolutions by Winograd's algorithm, beside the same peers."""
    sets = [(network, batch) for network in ("resnet50", "vgg16") for batch in (1, 32)]
    products = "winograd"


@case
class BfloatInference(Inference):
    """With products of operands rounded to bfloat16, beside torch under autocast."""
    sets = [("resnet50", 1), ("resnet50", 32)]
    products = "bfloat16"

    def __init__(self, network, batch):
        super().__init__(network, batch)
        self.flops //= 2

    def torch(self):
        return in_bfloat16(super().torch())


@case
class BfloatTraining(TrainingStep):
    """With products of operands rounded to bfloat16, beside torch under autocast."""
    sets = [("resnet50", 8, "momentum")]
    products = "bfloat16"

    def __init__(self, network, batch, optimizer):
        super().__init__(network, batch, optimizer)
        self.flops //= 2

    def torch(self):
        return in_bfloat16(super().torch())

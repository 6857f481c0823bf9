"""Cases of what moves or draws numbers: transposes, copies, embeddings, ranks, optimizer steps."""
import numpy as np

from .cases import Case, case, normal, symk_step

__all__ = []


@case
class Transpose(Case):
    """Axes in another order."""
    sets = [("2048x2048", (2048, 2048), (1, 0)),
            ("nhwc_nchw_56x56x64", (32, 56, 56, 64), (0, 3, 1, 2)),
            ("nchw_nhwc_64x56x56", (32, 64, 56, 56), (0, 2, 3, 1)),
            ("time_first_32x100x128", (32, 100, 128), (1, 0, 2)),
            ("images_224x224x3", (8, 224, 224, 3), (0, 3, 1, 2))]

    def __init__(self, name, shape, order):
        self.name, self.shape, self.order = "transpose_" + name, shape, order
        self.bytes = 8 * int(np.prod(shape))

    def symk(self):
        from symk import ops
        return symk_step(lambda x: ops.transpose(x, self.order), [normal(*self.shape)])

    def torch(self):
        import torch
        x = torch.from_numpy(normal(*self.shape))
        return lambda: x.permute(self.order).contiguous()


@case
class Move(Case):
    """Ops that put elements elsewhere: each a kernel that copies."""
    sets = [("concat_last_3x4096x256",), ("concat_first_3x4096x256",), ("slice_rows_4096x1024",),
            ("slice_columns_4096x1024",), ("pad_32x56x56x64",), ("cast_float64_4M",),
            ("cast_int32_4M",)]

    def __init__(self, name):
        self.name = name
        self.kind = name.rsplit("_", 1)[0]
        megabytes = {"concat_last": 24, "concat_first": 24, "slice_rows": 16, "slice_columns": 16,
                     "cast_float64": 48, "cast_int32": 32}
        self.bytes = (4 * 32 * 64 * (56 ** 2 + 58 ** 2) if self.kind == "pad"
                      else megabytes[self.kind] << 20)

    def arrays(self):
        if self.kind.startswith("concat"):
            return [normal(4096, 256) for _ in range(3)]
        if self.kind.startswith("cast"):
            return [normal(1 << 22)]
        return [normal(32, 56, 56, 64) if self.kind == "pad" else normal(4096, 1024)]

    def symk(self):
        from symk import ops
        around = (0, 1, 1, 0)
        build = {"concat_last": lambda *xs: ops.concat(xs, 1),
                 "concat_first": lambda *xs: ops.concat(xs, 0),
                 "slice_rows": lambda x: x[::2],
                 "slice_columns": lambda x: x[:, 256:768],
                 "pad": lambda x: ops.pad(x, around, around),
                 "cast_float64": lambda x: ops.cast(x, "float64"),
                 "cast_int32": lambda x: ops.cast(x, "int32")}
        return symk_step(build[self.kind], self.arrays())

    def torch(self):
        import torch
        xs = [torch.from_numpy(a) for a in self.arrays()]
        x = xs[0]
        return {"concat_last": lambda: torch.cat(xs, 1),
                "concat_first": lambda: torch.cat(xs, 0),
                "slice_rows": lambda: x[::2].clone(),
                "slice_columns": lambda: x[:, 256:768].contiguous(),
                "pad": lambda: torch.nn.functional.pad(x, (0, 0, 1, 1, 1, 1)),
                "cast_float64": lambda: x.double(),
                "cast_int32": lambda: x.int()}[self.kind]


@case
class Embedding(Case):
    """2,560 rows of 128 out of 20,000: gathered, the table's gradient, and the table's SGD step."""
    sets = [("gather",), ("gradient",), ("update",)]
    table, count = (20000, 128), (32, 80)

    def __init__(self, part):
        self.name, self.part = "embedding_" + part, part
        rows = 4 * int(np.prod(self.count)) * self.table[1]
        self.bytes = {"gather": 2 * rows, "gradient": rows + 4 * int(np.prod(self.table)),
                      "update": 3 * rows}[part]

    def arrays(self):
        ids = np.random.RandomState(3).randint(0, self.table[0], self.count).astype("int32")
        return normal(*self.table), ids, normal(*self.count, self.table[1])

    def symk(self):
        from symk import autodiff, ops
        from symk import backend as K
        table, ids, g = self.arrays()
        if self.part == "gather":
            return symk_step(ops.gather, [table, ids])
        if self.part == "gradient":
            return symk_step(lambda x, i, g: autodiff.grad(ops.sum(ops.gather(x, i) * g), [x]),
                             [table, ids, g])
        x, slope = K.variable(table), K.placeholder(g.shape)
        i = K.placeholder(self.count, dtype="int32")
        gradient = K.gradients(K.sum(K.gather(x, i) * slope), [x])[0]
        step = K.function([i, slope], [], updates=[(x, x - 0.1 * gradient)])
        return lambda: step([ids, g])

    def torch(self):
        import torch
        table, ids, g = map(torch.from_numpy, self.arrays())
        ids = ids.long()
        if self.part == "gather":
            return lambda: torch.nn.functional.embedding(ids, table)
        if self.part == "gradient":
            return lambda: torch.ops.aten.embedding_dense_backward(g, ids, self.table[0], -1, False)
        flat, rows = ids.reshape(-1), g.reshape(-1, self.table[1])
        return lambda: table.index_add_(0, flat, rows, alpha=-0.1)


@case
class Ranking(Case):
    """Over rows of 1,000."""
    sets = [("argmax",), ("top_5",)]
    bytes = 4 * 4096 * 1000

    def __init__(self, part):
        self.name, self.part = part + "_4096x1000", part

    def symk(self):
        from symk import ops
        build = {"argmax": lambda x: ops.argmax(x, 1), "top_5": lambda x: ops.top_k(x, 5)}
        return symk_step(build[self.part], [normal(4096, 1000)])

    def torch(self):
        import torch
        x = torch.from_numpy(normal(4096, 1000))
        return {"argmax": lambda: torch.argmax(x, 1), "top_5": lambda: torch.topk(x, 5)}[self.part]


@case
class Random(Case):
    """A million numbers."""
    sets = [("uniform",), ("normal",), ("bernoulli",)]
    bytes = 4 << 20

    def __init__(self, part):
        self.name, self.part = "random_%s_1M" % part, part

    def symk(self):
        from symk import backend as K
        shape = (1 << 20,)
        draw = {"uniform": K.random_uniform, "normal": K.random_normal,
                "bernoulli": lambda shape: K.random_binomial(shape, 0.5)}
        step = K.function([], [draw[self.part](shape)])
        return lambda: step([])

    def torch(self):
        import torch
        x = torch.empty(1 << 20)
        return {"uniform": lambda: torch.rand(1 << 20), "normal": lambda: torch.randn(1 << 20),
                "bernoulli": lambda: torch.empty_like(x).bernoulli_(0.5)}[self.part]


@case
class OptimizerStep(Case):
    """One step over the parameters of a small CNN, 10 arrays: gradients in, nothing out."""
    sets = [("sgd",), ("momentum",), ("rmsprop",), ("adam",)]
    shapes = [(3, 3, 3, 32), (32,), (3, 3, 32, 64), (64,), (3136, 512), (512,), (512, 512), (512,),
              (512, 10), (10,)]

    def __init__(self, kind):
        self.name, self.kind = "optimizer_" + kind, kind
        parameters = sum(int(np.prod(shape)) for shape in self.shapes)
        self.bytes = 4 * parameters * {"sgd": 3, "momentum": 5, "rmsprop": 5, "adam": 7}[kind]

    def symk(self):
        from symk import backend as K
        from symk import optimizers
        parameters = [K.variable(normal(*shape)) for shape in self.shapes]
        slopes = [K.placeholder(shape) for shape in self.shapes]
        optimizer = {"sgd": lambda: optimizers.SGD(0.01),
                     "momentum": lambda: optimizers.SGD(0.01, momentum=0.9),
                     "rmsprop": lambda: optimizers.RMSprop(1e-3),
                     "adam": lambda: optimizers.Adam(1e-3)}[self.kind]()
        loss = sum(K.sum(p * g) for p, g in zip(parameters, slopes))
        step = K.function(slopes, [], updates=optimizer.get_updates(loss, parameters))
        arrays = [normal(*shape) for shape in self.shapes]
        return lambda: step(arrays)

    def torch(self):
        import torch
        parameters = [torch.from_numpy(normal(*shape)).requires_grad_() for shape in self.shapes]
        for parameter in parameters:
            parameter.grad = torch.from_numpy(normal(*parameter.shape))
        optimizer = {"sgd": lambda: torch.optim.SGD(parameters, 0.01),
                     "momentum": lambda: torch.optim.SGD(parameters, 0.01, momentum=0.9),
                     "rmsprop": lambda: torch.optim.RMSprop(parameters, 1e-3, alpha=0.9),
                     "adam": lambda: torch.optim.Adam(parameters, 1e-3)}[self.kind]()
        return optimizer.step

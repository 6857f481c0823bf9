"""Feeds damaged Plans to both doors: python hostile_plans.py SEED COUNT.

A program of its own, since what it looks for is a crash of the process. Most of the Plans have
their checksums put right again, those of the Plans within them too, so that the damage reaches the
reader, the binding and the kernels.
Prints how many Plans were refused and how many ran; anything else is a failure.
"""
import os
import random
import resource
import struct
import sys
import tempfile
import zlib

import numpy as np
from conftest import Builder

from symk import _core as core
from symk import ops
from symk.autodiff import grad
from symk.compile import function
from symk.compile.plan import VERSION, encode
from symk.deploy import export
from symk.deploy.exporter import exported as exported_parts
from symk.deploy.loader import load
from symk.graph import Placeholder, Shared

# What a refusal may be: the errors of a Plan, and those of a Plan that is sound but asks too much.
REFUSALS = (ValueError, TypeError, IndexError, MemoryError, RuntimeError)
HEADER_BYTES = 32
MARK = b"SYMKPLAN"
FILE_HEADER_BYTES, FILE_MARK = 64, b"SYMKFILE"
MEMORY_LIMIT = 3 << 30  # bytes; a damaged size may ask for any amount


def networks():
    """(function, arrays) that together use most families of kernels."""
    generator = np.random.RandomState(0)

    def weights(*shape):
        return Shared(generator.standard_normal(shape).astype("float32"))

    image = Placeholder("float32", (None, 8, 8, 3), name="image")
    hidden = ops.exp(ops.conv(image, weights(3, 3, 3, 4), padding="same") * 0.1)
    hidden = ops.max_pool(hidden, (2, 2), (2, 2), "valid")
    flat = ops.reshape(hidden, (ops.size_of(hidden.shape[0]), 64))
    probabilities = ops.softmax(ops.matmul(flat, weights(64, 5)))
    images = generator.standard_normal((3, 8, 8, 3)).astype("float32")
    yield function([image], [probabilities, ops.sum(flat, axes=(1,))], mode="native"), [images]

    table, index = weights(6, 4), Placeholder("int64", (None,), name="index")
    rows = ops.gather(table, index)
    parts = ops.concat([rows, ops.transpose(ops.transpose(rows)) * 2.0], 1)
    padded = ops.pad(parts, (1, 0), (0, 2))
    yield (function([index], [padded, ops.argmax(parts, 1), ops.one_hot(index, 4, "float32"),
                              ops.cast(parts, "int32")[1:, ::2]], mode="native"),
           [np.array([0, 5, 2, 2])])

    logits = ops.matmul(flat, weights(64, 5))
    labels = Placeholder("int64", (image.shape[0],), name="labels")
    normal, mean, variance = ops.batch_norm(logits, weights(5), weights(5), 1e-3)
    key = ops.random_key(7)
    kept = ops.where(ops.random_uniform(key, logits.shape) < 0.5, normal, logits)
    loss = ops.mean(ops.sparse_softmax_cross_entropy(kept, labels)) + ops.sum(mean * variance)
    filters = weights(3, 3, 3, 4)
    pooled = ops.average_pool(ops.conv(image, filters, strides=(2, 2)), (2, 2), (1, 1), "same")
    loss = loss + ops.logsumexp(ops.reshape(pooled, (-1,)))
    gradient, = grad(loss, [filters])
    yield (function([image, labels], [loss, gradient], updates=[(filters, filters - gradient)],
                    mode="native"), [images, np.array([0, 4, 2])])


def rounded():
    """(function, how its weights are stored, arrays): products of bfloat16, and weights in less."""
    generator = np.random.RandomState(1)

    def weights(*shape):
        return Shared(generator.standard_normal(shape).astype("float32"))

    image = Placeholder("float32", (None, 6, 7, 3), name="image")
    hidden = ops.relu(ops.conv(image, weights(3, 3, 3, 12), padding="same", strides=(2, 2)))
    wider = ops.conv_transpose(hidden, weights(2, 2, 9, 12), (image.shape[0], 6, 8, 9), strides=2)
    y = ops.matmul(ops.reshape(wider, (-1, 6 * 8 * 9)), weights(6 * 8 * 9, 5)) + weights(5)
    states = ops.matmul(ops.reshape(y, (-1, 5)), weights(5, 64))
    states, *_ = ops.lstm_sequence(ops.reshape(states, (-1, 1, 64)), weights(16, 64),
                                   ops.matmul(y, weights(5, 16)), ops.matmul(y, weights(5, 16)))
    rows = ops.gather(weights(40, 16), ops.cast(y, "int32") * 0)
    images = generator.standard_normal((3, 6, 7, 3)).astype("float32")
    for stored in ("float16", "int8"):
        for products in ("float32", "bfloat16"):
            yield (function([image], [y, states, rows], mode="native", products=products), stored,
                   [images])
    filters = weights(3, 3, 3, 12)
    gradients = grad(ops.sum(ops.square(ops.conv(image, filters))), [image, filters])
    yield function([image], gradients, mode="native", products="bfloat16"), "float32", [images]


def loop():
    """(bytes, arrays) of a loop with a product, a loop and a branch in its body."""
    side, other = Builder(), Builder()
    value = side.input("h", (None, 6))
    side.output(side.apply("tanh", value))
    other.output(other.input("h", (None, 6)))
    inner = Builder()
    x, state = inner.input("x", (6,)), inner.input("s", (6,))
    total = inner.apply("add", x, state)
    inner.output(total)
    inner.output(total)
    body = Builder()
    x, h, w = body.input("x", (None, 6)), body.input("h", (None, 6)), body.input("w", (6, 6))
    product = body.temporary(h)
    body.step("matmul", (h, w), (product,))
    start = body.constant(np.zeros(6))
    _, rows = body.scan(inner, [body.apply("add", x, product)], [start], rows=[body.shape(x)])
    answer = body.buffer("bool", "temporary", ())
    truth = body.apply("not_equal", x, x, out=body.buffer("bool", "temporary", body.shape(x)))
    body.step("any", (truth,), (answer,), axes=(0, 1), keepdims=0)
    new, = body.cond(answer, side, other, [rows], [body.temporary(h)])
    body.output(new)
    body.output(new)
    b = Builder()
    xs, h, w = b.input("x", (None, None, 6)), b.input("h", (None, 6)), b.input("w", (6, 6))
    for result in b.scan(body, [xs], [h], [w], rows=[b.shape(xs)], reverse=1):
        b.output(result)
    arrays = [np.linspace(-1, 1, size, dtype="float32").reshape(shape)
              for size, shape in ((72, (4, 3, 6)), (18, (3, 6)), (36, (6, 6)))]
    core.Program(b.encode(), []).run(arrays)
    return b.encode(), arrays


def damaged(data, generator):
    """The Plan with one to four changes: bytes set, numbers replaced, pieces cut or doubled."""
    data = bytearray(data)
    for _ in range(generator.randint(1, 4)):
        place = generator.randrange(len(data))
        kind = generator.randrange(6)
        if kind == 0:
            data[place] = generator.randrange(256)
        elif kind == 1:
            data[place] ^= 1 << generator.randrange(8)
        elif kind == 2:
            place -= place % 4
            number = generator.choice([0, 1, 2, 3, 7, 255, 2**31, 2**32 - 1])
            data[place:place + 4] = struct.pack("<I", number)
        elif kind == 3:
            number = generator.choice([0, 1, -1, 2**31, 2**62, -2**63, 2**63 - 1])
            data[place:place + 8] = struct.pack("<q", number)
        elif kind == 4:
            del data[place:place + generator.randint(1, 64)]
        else:
            data[place:place] = data[place:place + generator.randint(1, 16)]
    return data


def with_headers(data):
    """The bytes with length and checksum put right, those of inner Plans first."""
    data = bytearray(data)
    place = data.rfind(MARK)
    while place > 0:
        count, = struct.unpack_from("<Q", data, place + 16) if place + 24 <= len(data) else (0,)
        if HEADER_BYTES < count <= len(data) - place:
            write_header(data, place, count)
        place = data.rfind(MARK, 0, place)
    if data[:8] == FILE_MARK and len(data) >= FILE_HEADER_BYTES:
        write_file_header(data)
    elif len(data) > HEADER_BYTES:
        write_header(data, 0, len(data))
    return bytes(data)


def write_file_header(data):
    """Of a model file; the checksums of its values stay, as what is damaged there is no size."""
    end, = struct.unpack_from("<Q", data, 24)
    if FILE_HEADER_BYTES <= end <= len(data):
        struct.pack_into("<Q", data, 16, len(data))
        struct.pack_into("<I", data, 32, zlib.crc32(data[FILE_HEADER_BYTES:end]))


def write_header(data, place, count):
    checksum = zlib.crc32(data[place + HEADER_BYTES:place + count])
    struct.pack_into("<8sIIQII", data, place, MARK, VERSION, 0, count, checksum, 0)


def survives(attempt):
    """Whether the attempt ran; False when it was refused as it should be."""
    try:
        attempt()
    except REFUSALS:
        return False
    return True


def through_python(data, tensors, arrays):
    core.Program(data, tensors).run(arrays)


def through_c(data, path, arrays):
    with open(path, "wb") as file:
        file.write(data)
    load(path).run(arrays)


def main(seed, count):
    if "asan" not in os.environ.get("LD_PRELOAD", ""):  # which maps terabytes for itself
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    generator = random.Random(seed)
    handle, path = tempfile.mkstemp()
    os.close(handle)
    cases = []
    for f, arrays in networks():
        exported = None
        if not f.request.updates:
            export(f, path)
            with open(path, "rb") as file:
                exported = file.read()
        tensors = [core.Tensor(shared.get_value()) for shared in f.program.shared]
        cases.append((encode(f.program.plan), exported, tensors, arrays))
    for f, stored, arrays in rounded():
        export(f, path, weights=stored)
        with open(path, "rb") as file:
            data = file.read()
        (inner,), values, _ = exported_parts(f, weights=stored)
        tensors = [core.Tensor(np.asarray(values[number].array)) for number in inner.values]
        cases.append((encode(inner.plan), data, tensors, arrays))
        through_python(encode(inner.plan), tensors, arrays)
    plan, arrays = loop()
    cases += 2 * [(plan, plan, [], arrays)]
    ran = 0
    for _ in range(count):
        plan, exported, tensors, arrays = generator.choice(cases)
        repair = with_headers if generator.random() < 0.9 else bytes
        if exported is None or generator.random() < 0.7:
            data = repair(damaged(plan, generator))
            ran += survives(lambda: through_python(data, tensors, arrays))  # noqa: B023
        else:
            data = repair(damaged(exported, generator))
            ran += survives(lambda: through_c(data, path, arrays))  # noqa: B023
    os.unlink(path)
    print("%d refused, %d ran" % (count - ran, ran))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

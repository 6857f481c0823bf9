"""Weights in the form that kernels read: once for all shapes, threads and programs."""
import threading

import numpy as np
import pytest

from symk import ops
from symk.compile import function
from symk.graph import Placeholder, Shared

RANDOM = np.random.RandomState(0)


def values(*shape):
    return RANDOM.uniform(-1, 1, shape).astype("float32")


def packed_bytes(program):
    return program.program.memory()["packed_bytes"]


def a_product(weight):
    x = Placeholder("float32", (None, weight.shape[0]))
    return function([x], [ops.matmul(x, weight)])


def test_every_batch_size_reads_one_copy_of_weights_and_constants():
    shared, constant = Shared(values(256, 192)), ops.constant(values(256, 192))
    kernel = Shared(values(3, 3, 32, 64))
    x, images = Placeholder("float32", (None, 256)), Placeholder("float32", (None, 8, 8, 32))
    f = function([x, images], [ops.matmul(x, shared), ops.matmul(x, constant),
                               ops.conv(images, kernel, (1, 1), "same")])
    seen = set()
    for batch in (32, 33, 64, 100, 128):
        rows, pictures = values(batch, 256), values(batch, 8, 8, 32)
        products = f.run([rows, pictures])[:2]
        for product, weight in zip(products, (shared.get_value(), constant.value)):
            np.testing.assert_allclose(product, rows @ weight, rtol=1e-4, atol=1e-4)
        seen.add(packed_bytes(f))
    items = 2 * shared.get_value().size + kernel.get_value().size
    assert len(seen) == 1 and 4 * items <= seen.pop() < 1.2 * 4 * items


def test_programs_share_what_is_packed_of_a_variable():
    weight = Shared(values(256, 128))
    first, second = a_product(weight), a_product(weight)
    first.run([values(40, 256)])
    alone = packed_bytes(first)
    second.run([values(50, 256)])
    assert packed_bytes(first) == packed_bytes(second) == alone >= 4 * 256 * 128


def test_a_new_value_is_packed_anew_in_all_programs():
    weight = Shared(values(64, 128))
    programs = [a_product(weight), a_product(weight)]
    x = values(100, 64)
    for scale in (1, 2, 3):
        weight.set_value(np.full((64, 128), scale, "float32"))
        for program in programs:
            np.testing.assert_allclose(program.run([x])[0][:, 5], scale * x.sum(1), rtol=1e-4,
                                       atol=1e-5)


def test_it_goes_with_the_last_program_that_reads_it():
    weight = Shared(values(256, 128))
    kept = a_product(ops.transpose(weight))   # read in another way: a form of its own
    kept.run([values(40, 128)])
    before = packed_bytes(kept)
    other = a_product(weight)
    other.run([values(40, 256)])
    assert packed_bytes(kept) > before
    del other
    assert packed_bytes(kept) == before


def test_a_sequence_packs_its_weights_once():
    weights = Shared(values(32, 128))
    x, h = Placeholder("float32", (None, None, 128)), Placeholder("float32", (None, 32))
    f = function([x, h], [ops.lstm_sequence(x, weights, h, h)[0]])
    sizes = set()
    for batch, time in ((2, 3), (16, 5), (64, 4)):
        f.run([values(batch, time, 128), values(batch, 32)])
        sizes.add(packed_bytes(f))
    assert len(sizes) == 1 and sizes.pop() >= 4 * 32 * 128


@pytest.fixture
def scaled(plans):
    """scaled(scales, weights=None): a Plan with a product of x (None, 4) per scale, with the same
    weights of int8, which are a constant or else a shared value."""
    def make(scales, weights=None):
        b = plans.Builder()
        x = b.input("x", (None, 4))
        w = b.shared("w", (4, 6), "int8") if weights is None else b.constant(weights, "int8")
        for scale in scales:
            y = b.buffer("float32", "temporary", (b.shape(x)[0], 6))
            b.step("matmul", (x, w, b.constant(np.full(6, scale))), (y,), transpose_a=0,
                   transpose_b=0, epilogue=(), activation="")
            b.output(y)
        return b
    return make


@pytest.mark.parametrize("rows", [1, 2, 32, 200])
def test_the_same_bytes_with_other_scales_are_other_weights(plans, scaled, rows):
    """Products of a vector, of a few rows, and of as many as are worth packing for."""
    x, bytes_ = np.full((rows, 4), 2, "float32"), np.full((4, 6), 5, "int8")
    in_one = scaled((1, 2, 1), bytes_).program()
    for _ in range(2):
        for result, wanted in zip(in_one.run([x]), (40, 80, 40)):
            np.testing.assert_array_equal(result, np.full((rows, 6), wanted))
    shared = plans.core.Tensor(bytes_)
    alone = [scaled((scale,)).program(shared) for scale in (1, 2)]
    for _ in range(2):
        for program, wanted in zip(alone, (40, 80)):
            np.testing.assert_array_equal(program.run([x])[0], np.full((rows, 6), wanted))


def test_bytes_and_their_scale_are_packed_once_for_all_batch_sizes(scaled):
    program = scaled((1,), np.full((4, 6), 5, "int8")).program()
    seen = set()
    for rows in (32, 33, 64, 200):
        program.run([np.ones((rows, 4), "float32")])
        seen.add(program.memory()["packed_bytes"])
    assert len(seen) == 1 and seen.pop() > 0


def test_many_threads_pack_once_and_read_the_same():
    weight = Shared(values(256, 256))
    f = a_product(weight)
    inputs = [values(batch, 256) for batch in (30, 40, 50, 60)]
    wrong = []

    def work(x):
        for _ in range(20):
            if not np.allclose(f.run([x])[0], x @ weight.get_value(), rtol=1e-4, atol=1e-4):
                wrong.append(len(x))

    threads = [threading.Thread(target=work, args=(x,)) for x in inputs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and packed_bytes(f) < 1.2 * 4 * 256 * 256

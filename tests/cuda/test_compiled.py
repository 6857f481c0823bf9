"""Elementwise programs that are compiled while symk runs: the interpreter's bits, or that one.

On the stand-in a compiler of C++ takes the place of NVRTC. Where libnvrtc is found (SYMK_TEST_NVRTC
names it, or the system knows it), it makes machine code of the same texts for the architectures
that symk is built for.
"""

import ctypes
import os
import shutil

import numpy as np
import pytest

from symk import layers, ops
from symk.compile import function
from symk.config import settings
from symk.graph import Placeholder, Shared
from symk.models import Sequential

COMPILER = shutil.which("c++") or shutil.which("g++")
ARCHITECTURES = (75, 80, 86, 89, 90)
ENOUGH = 1 << 16  # elements, of any program


@pytest.fixture
def compiled(stand_in):
    """Programs are compiled; without a compiler the tests are left out."""
    if COMPILER is None:
        pytest.skip("a compiler of C++ is needed in place of NVRTC")
    stand_in.use_host_compiler(COMPILER)
    yield stand_in
    stand_in.use_host_compiler("")


@pytest.fixture
def nvrtc(stand_in):
    """The path of libnvrtc; without it the tests are left out."""
    for path in (
        os.environ.get("SYMK_TEST_NVRTC"),
        "libnvrtc.so.13",
        "libnvrtc.so.12",
        "libnvrtc.so",
        "/usr/local/cuda/lib64/libnvrtc.so",
    ):
        try:
            if path is not None:
                ctypes.CDLL(path)
                return path
        except OSError:
            continue
    pytest.skip("libnvrtc was not found")


def results(build, arrays, monkeypatch, nvrtc_setting):
    monkeypatch.setattr(settings, "nvrtc", nvrtc_setting)
    inputs = [Placeholder(array.dtype.name, array.shape) for array in arrays]
    f = function(inputs, build(*inputs))
    return f(*arrays), f.show("device")


def same_bits(build, arrays, monkeypatch):
    """Compares what is compiled with what is interpreted."""
    made, how = results(build, arrays, monkeypatch, "1")
    expected, other = results(build, arrays, monkeypatch, "0")
    assert "elementwise, compiled" in how, how
    assert "interpreted: the setting nvrtc is 0" in other
    for value, wanted in zip(made, expected):
        assert value.dtype == wanted.dtype
        assert without_signs_of_nan(value) == without_signs_of_nan(wanted)


def without_signs_of_nan(array):
    """The bits of an array. The sign of a NaN says nothing: x86 takes that of either operand."""
    return (
        np.where(np.isnan(array), np.nan, array) if array.dtype.kind == "f" else array
    ).tobytes()


def numbers(dtype, shape, seed=0):
    generator = np.random.default_rng(seed)
    values = generator.standard_normal(shape) * 3
    values.flat[:8] = [0, -0.0, 1, -1, 0.5, 80, -80, 3]
    if dtype.startswith("float"):
        values.flat[8:11] = [np.nan, np.inf, -np.inf]
    if dtype == "uint8":
        values = np.abs(values)
    return values.astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_of_floats(compiled, monkeypatch, dtype):
    def build(x, y):
        return [
            ops.tanh(x) * ops.exp(y) + ops.sigmoid(x - y),
            ops.where(x > y, ops.log1p(ops.abs(x)), ops.sqrt(y)),
            ops.maximum(x, y) / (ops.square(y) + 1.0),
            ops.erf(x) - ops.sin(y) * ops.floor(x),
        ]

    same_bits(
        build,
        [numbers(dtype, (ENOUGH // 64 + 1, 64)), numbers(dtype, (ENOUGH // 64 + 1, 64), 1)],
        monkeypatch,
    )


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8"])
def test_integers_wrap_as_they_do_in_the_interpreter(compiled, monkeypatch, dtype):
    def build(x, y):
        return [
            x * y + x,
            ops.minimum(x, y) - y,
            ops.cast(x, "float32") * 0.5,
            ops.equal(x, y),
            ops.square(x * x),
        ]

    same_bits(build, [numbers(dtype, (ENOUGH + 3,)), numbers(dtype, (ENOUGH + 3,), 1)], monkeypatch)


def test_float16_and_bool(compiled, monkeypatch):
    def build(x, mask):
        return [
            ops.tanh(x) * x + 1.0,
            ops.where(mask, x, -x),
            ops.logical_xor(mask, x > 0.5),
            ops.cast(x, "int32"),
            ops.cast(mask, "float16"),
        ]

    same_bits(
        build, [numbers("float16", (ENOUGH,)), numbers("float32", (ENOUGH,), 1) > 0], monkeypatch
    )


def test_operands_that_repeat(compiled, monkeypatch):
    def build(x, row, column, one):
        return [ops.tanh(x * row + column) * one, x - row * column]

    arrays = [
        numbers("float32", shape, k)
        for k, shape in enumerate([(37, 5, 400), (400,), (37, 1, 1), (1, 1, 1)])
        if shape != (37, 1, 1) and shape != (1, 1, 1)
    ]
    arrays += [
        np.linspace(-1, 1, 37, dtype="float32").reshape(37, 1, 1),
        np.full((1, 1, 1), 0.5, "float32"),
    ]
    same_bits(build, arrays, monkeypatch)


def test_more_operands_than_a_thread_holds_at_once(compiled, monkeypatch):
    arrays = [numbers("float32", (8192,), k) for k in range(20)]
    same_bits(lambda *xs: [sum(xs[1:], xs[0]) * xs[3]], arrays, monkeypatch)


@pytest.mark.parametrize(
    "size", [ENOUGH - 1, ENOUGH, ENOUGH + 1, ENOUGH + 1023, ENOUGH + 1024, ENOUGH + 1025]
)
def test_around_the_end_of_a_tile(compiled, monkeypatch, size):
    same_bits(lambda x: [ops.exp(x) * x + 1.0], [numbers("float32", (size,))], monkeypatch)


def test_updates_of_many_variables_at_once(compiled, monkeypatch):
    def run(setting):
        monkeypatch.setattr(settings, "nvrtc", setting)
        variables = [
            Shared(numbers("float32", shape, k), name="v%d" % k)
            for k, shape in enumerate(
                [(300, 100), (100,), (1025,), (41, 3, 7), (65536,)] + [(11,)] * 150
            )
        ]
        x = Placeholder("float32", ())
        f = function([x], [x + 1.0], updates=[(v, v - ops.tanh(v) * x) for v in variables])
        for turn in range(4):  # the last two from a recording
            f(np.float32(0.125 * turn))
        return [v.get_value() for v in variables], f.show("device")

    made, how = run("1")
    expected, _ = run("0")
    assert "155 steps of one program at once, compiled" in how
    for value, wanted in zip(made, expected):
        assert value.tobytes() == wanted.tobytes()


def test_a_program_is_compiled_once(compiled, monkeypatch):
    for _ in range(3):
        f = function([x := Placeholder("float32", (None,))], [ops.exp(x) * 3.25 - 1.0])
        for size in (ENOUGH, 2 * ENOUGH):
            f(np.zeros(size, "float32"))
    assert len(compiled.texts()) <= 1  # none if another test had it before


def test_small_programs_are_interpreted(compiled):
    x = Placeholder("float32", (9,))
    f = function([x], [ops.exp(x) * 3.5 - 2.0])
    f(np.zeros(9, "float32"))
    assert "interpreted: too little work to compile it" in f.show("device")


def test_what_cannot_be_compiled_is_interpreted_and_says_why(stand_in, monkeypatch):
    x = Placeholder("float32", (ENOUGH,))
    array = numbers("float32", (ENOUGH,))
    reasons = []
    for command in ("", "false"):
        stand_in.use_host_compiler(command)
        monkeypatch.setattr(
            settings, "nvrtc", "/nowhere/libnvrtc.so.%d" % len(reasons)
        )  # no outcome is remembered
        f = function([x], [ops.exp(x) * 5.0 - 4.0])
        np.testing.assert_allclose(f(array)[0], np.exp(array) * 5 - 4, rtol=1e-5, atol=1e-5)
        reasons.append(f.show("device"))
    stand_in.use_host_compiler("")
    assert "interpreted: libnvrtc was not found" in reasons[0]
    assert "interpreted: the compiler refuses the program" in reasons[1]


@pytest.mark.slow
def test_a_training_step_is_the_same(compiled, monkeypatch):
    def train(setting):
        monkeypatch.setattr(settings, "nvrtc", setting)
        np.random.seed(4)
        model = Sequential(
            [
                layers.Dense(300, activation="tanh", input_shape=(100,)),
                layers.BatchNormalization(),
                layers.Dropout(0.25),
                layers.Dense(10, activation="softmax"),
            ]
        )
        model.compile("adam", "categorical_crossentropy")
        generator = np.random.default_rng(1)
        x, y = (
            generator.standard_normal((256, 100)).astype("float32"),
            np.eye(10)[generator.integers(0, 10, 256)],
        )
        losses = [model.train_on_batch(x, y) for _ in range(4)]
        return losses + model.get_weights(), model.train_function.show("device")

    made, how = train("1")
    expected, _ = train("0")
    assert "compiled" in how
    for value, wanted in zip(made, expected):
        assert np.asarray(value).tobytes() == np.asarray(wanted).tobytes()


# ---- by libnvrtc

EVERY_OP = {
    "float32": lambda x, y: [
        ops.tanh(x),
        ops.exp(x) + ops.expm1(y),
        ops.log(x) * ops.log1p(y),
        ops.sqrt(x) / y,
        x**y,
        ops.sin(x) + ops.cos(y) + ops.tan(x),
        ops.erf(x),
        ops.floor(x) + ops.round(y),
        ops.where(x > y, x, y),
        ops.clip(x, -1.0, 1.0),
        ops.atan2(x, y),
        x % y,
        x // y,
        ops.cast(x, "int8"),
        ops.cast(x, "float16"),
        ops.logical_and(x > 0, y > 0),
    ],
    "float64": lambda x, y: [
        ops.tanh(x),
        ops.erf(x) * ops.erfinv(y),
        x**y,
        ops.sin(x) - ops.asin(y),
        x % y,
        ops.cast(x, "float16"),
        ops.cast(x, "uint8"),
        ops.sign(x) * ops.ceil(y),
    ],
    "int32": lambda x, y: [
        x * y,
        x // y,
        x % y,
        ops.abs(x) - ops.maximum(x, y),
        ops.cast(x, "float64"),
        x**y,
    ],
}


@pytest.mark.parametrize("dtype", sorted(EVERY_OP))
def test_nvrtc_takes_the_texts(compiled, nvrtc, monkeypatch, dtype):
    monkeypatch.setattr(
        settings, "nvrtc", "/any/libnvrtc.so." + dtype
    )  # nothing is remembered from other tests
    arrays = [np.abs(numbers(dtype, (ENOUGH,), seed)) + 1 for seed in (0, 1)]
    results(
        EVERY_OP[dtype],
        [np.nan_to_num(array).astype(dtype) for array in arrays],
        monkeypatch,
        settings.nvrtc,
    )
    texts = compiled.texts()
    assert texts
    for text in texts:
        for architecture in ARCHITECTURES if dtype == "int32" else (75, 90):
            size, message = compiled.nvrtc(nvrtc, text, architecture)
            assert size > 1000, (architecture, message)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nvrtc_takes_a_text_with_sums_of_rows(compiled, nvrtc, monkeypatch, dtype):
    monkeypatch.setattr(settings, "nvrtc", "/any/libnvrtc.so." + dtype)
    ids, rows, x = (Placeholder("int32", (70,)), Placeholder(dtype, (70, 128)),
                    Placeholder(dtype, (600, 128)))
    f = function([ids, rows, x], [ops.square(ops.scatter_add(rows, ids, 0, 600) * x) + x])
    f(np.zeros(70, "int32"), np.ones((70, 128), dtype), np.ones((600, 128), dtype))
    assert "fused_scatter, compiled" in f.show("device")
    for architecture in ARCHITECTURES:
        size, message = compiled.nvrtc(nvrtc, compiled.texts()[-1], architecture)
        assert size > 1000, (architecture, message)


def test_nvrtc_says_what_it_refuses(stand_in, nvrtc):
    size, message = stand_in.nvrtc(nvrtc, "no program", 90)
    assert size == -1 and message.startswith("libnvrtc refuses the program: program.cu(1)")
    size, message = stand_in.nvrtc(nvrtc, 'extern "C" __global__ void one() {}', 12)
    assert size == -1 and message


def test_a_library_that_is_none_is_refused(stand_in):
    size, message = stand_in.nvrtc("/nowhere/libnvrtc.so", "", 90)
    assert size == -1 and message == "/nowhere/libnvrtc.so cannot be opened"

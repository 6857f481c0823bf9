"""Results that last until a variable changes: made once, and again after every way to change it."""
import os
import pickle
import threading
import time

import numpy as np
import pytest

from symk import backend as K
from symk import layers, models, ops
from symk.compile import function
from symk.graph import NotFiniteError, Placeholder, Shared
from symk.graph.errors import OutOfRangeError

RANDOM = np.random.RandomState(0)


def values(*shape):
    return RANDOM.uniform(0.5, 1.5, shape).astype("float32")


def kept_bytes(f):
    return f.program.memory()["kept_bytes"]


def scaled_product(w, scale):
    """x (w * scale): the weights are multiplied before the product."""
    x = Placeholder("float32", (None, w.shape[0]))
    return function([x], ops.matmul(x, ops.mul(w, scale)), profile=True)


def runs_of(f, call):
    """How many steps take time during a call."""
    before = [time for _, _, time in f.program.times()]
    call()
    return sum(after != old for (_, _, after), old in zip(f.program.times(), before))


# --- made once ---

def test_who_asks_for_the_memory_does_not_wait_until_it_is_filled():
    """All of Python would wait with it."""
    weight = Shared(values(700, 700))
    product = weight
    for _ in range(12):
        product = ops.matmul(product, weight) * 1e-3
    x = Placeholder("float32", (None, 700))
    f = function([x], ops.matmul(x, product))
    data = values(1, 700)
    f(data)
    took = []

    def call():
        start = time.perf_counter()
        f(data)
        took.append(time.perf_counter() - start)

    weight.set_value(values(700, 700))
    call()
    weight.set_value(values(700, 700))
    thread = threading.Thread(target=call)
    thread.start()
    time.sleep(took[0] / 4)
    start = time.perf_counter()
    assert kept_bytes(f) >= 4 * 700 * 700
    waited = time.perf_counter() - start
    thread.join()
    assert waited < min(took) / 4

def test_a_step_that_reads_variables_alone_runs_once_for_all_batch_sizes():
    w, scale = Shared(values(8, 5)), Shared(values(5))
    f = scaled_product(w, scale)
    assert kept_bytes(f) == 0
    assert runs_of(f, lambda: f(values(3, 8))) == 2
    for rows in (3, 4, 100, 3):
        assert runs_of(f, lambda rows=rows: f(values(rows, 8))) == 1
    assert kept_bytes(f) == 192   # 8 * 5 * 4, whole cache lines


def test_only_what_a_changed_variable_goes_into_is_made_again():
    a, b = Shared(values(6)), Shared(values(6))
    x = Placeholder("float32", (None, 6))
    products = [ops.matmul(ops.reshape(ops.exp(v), (1, 6)), ops.transpose(x)) for v in (a, b)]
    f = function([x], products, profile=True)
    data = values(4, 6)
    every = runs_of(f, lambda: f(data))
    steady = runs_of(f, lambda: f(data))
    a.set_value(values(6))
    assert (every, steady, runs_of(f, lambda: f(data))) == (steady + 2, steady, steady + 1)


def test_fixed_statistics_cost_no_step():
    model = models.Sequential([layers.Conv2D(4, 3, use_bias=False, input_shape=(6, 6, 2)),
                               layers.BatchNormalization(), layers.Activation("relu")])
    model.predict(values(2, 6, 6, 2))
    f = model.predict_function
    f.profile()
    assert runs_of(f, lambda: model.predict(values(2, 6, 6, 2))) == len(f.program.plan.steps) - 1
    assert 0 < kept_bytes(f) <= 128


# --- the same bits ---

def expressions(x, w, v):
    """Products of x with what is made of w (6, 6) and v (6) alone."""
    yield ops.matmul(x, ops.mul(w, v))
    yield ops.matmul(x, ops.transpose(ops.matmul(w, ops.exp(w))))
    yield ops.mul(x, ops.sum(ops.square(w), 0))
    yield ops.add(x, ops.cast(ops.cast(v, "float64") / 3.0, "float32"))
    yield ops.matmul(ops.softmax(x), ops.concat([ops.tanh(w), ops.transpose(w)], 1))


@pytest.mark.parametrize("number", range(5))
def test_kept_and_computed_at_each_call_are_the_same_bits(number):
    x = Placeholder("float32", (None, 6))
    fed = [Placeholder("float32", (6, 6)), Placeholder("float32", (6,))]
    own = [Shared(values(6, 6)), Shared(values(6))]
    f = function([x], list(expressions(x, *own))[number])
    every = function([x, *fed], list(expressions(x, *fed))[number])
    for rows in (1, 7, 64, 7):
        for variable in own:
            variable.set_value(values(*variable.shape))
            data = values(rows, 6)
            expected = every(data, *(v.get_value() for v in own))
            assert f(data).tobytes() == expected.tobytes() == f(data).tobytes()
    assert kept_bytes(f) > 0 == kept_bytes(every)


def test_large_products_of_weights_are_packed_once_and_the_same_bits():
    w, scale = Shared(values(256, 192)), Shared(values(192))
    f, x = scaled_product(w, scale), values(100, 256)
    first = f(x)
    np.testing.assert_allclose(first, x @ (w.get_value() * scale.get_value()), rtol=1e-4)
    packed = f.program.memory()["packed_bytes"]
    assert packed >= 4 * 256 * 192 and f(x).tobytes() == first.tobytes()
    scale.set_value(2 * scale.get_value())
    assert f(x).tobytes() == (2 * first).tobytes()
    assert f.program.memory()["packed_bytes"] == packed


# --- every way to change a variable ---

def changes():
    """(name, function of a variable and an array that makes it the value)"""
    def by_update(w, value):
        x = Placeholder("float32", value.shape)
        function([x], [], updates=[(w, x)])(value)

    def by_addition(w, value):
        x = Placeholder("float32", value.shape)
        K.function([x], [], updates=[K.update_add(w, ops.sub(x, w))])([value])

    def by_written_step(w, value):   # an elementwise step that writes into the variable
        x = Placeholder("float32", value.shape)
        function([x], [], updates=[(w, ops.add(ops.mul(w, 0.0), x))])(value)

    def by_exchange(w, value):
        other = Shared(value)
        function([], [], updates=[(w, other), (other, w)])()

    def by_moving_average(w, value):
        x = Placeholder("float32", value.shape)
        K.function([x], [], updates=[K.moving_average_update(w, x, 0.0)])([value])

    return [("set_value", lambda w, value: w.set_value(value)),
            ("K.set_value", K.set_value),
            ("K.batch_set_value", lambda w, value: K.batch_set_value([(w, value)])),
            ("update", by_update), ("update_add", by_addition), ("step", by_written_step),
            ("exchange", by_exchange), ("moving average", by_moving_average)]


@pytest.mark.parametrize("number", range(8))
def test_every_change_of_a_variable_is_seen(number):
    name, change = changes()[number]
    w, scale = K.variable(values(8, 5)), K.variable(values(5))
    f, x = scaled_product(w, scale), values(3, 8)
    for _ in range(3):
        np.testing.assert_allclose(f(x), x @ (w.get_value() * scale.get_value()), rtol=1e-5)
        new = values(8, 5)
        change(w, new)
        np.testing.assert_allclose(w.get_value(), new, rtol=1e-6, err_msg=name)
        np.testing.assert_allclose(f(x), x @ (new * scale.get_value()), rtol=1e-5, err_msg=name)


def test_what_get_value_gives_is_a_copy():
    w, scale = Shared(values(8, 5)), Shared(values(5))
    f, x = scaled_product(w, scale), values(3, 8)
    before = f(x)
    w.get_value()[...] = 0
    assert f(x).tobytes() == before.tobytes() and before.any()


def test_the_view_of_a_value_follows_it_and_cannot_change_it():
    w, scale = Shared(values(8, 5)), Shared(values(5))
    f, x = scaled_product(w, scale), values(3, 8)
    f(x)
    view = w.storage.tensor.array()
    with pytest.raises(ValueError):
        view[...] = 0
    with pytest.raises(ValueError):
        view.flags.writeable = True
    w.set_value(values(8, 5))
    np.testing.assert_allclose(f(x), x @ (view * scale.get_value()), rtol=1e-5)


def a_model():
    model = models.Sequential([
        layers.Conv2D(4, 3, use_bias=False, input_shape=(6, 6, 2)), layers.BatchNormalization(),
        layers.Flatten(), layers.Dense(3, activation="softmax")])
    model.compile("sgd", "mse")
    return model


def scrambled(model):
    return [values(*w.shape) for w in model.get_weights()]


def fresh_result(model, x):
    """What a new model of the same weights predicts."""
    other = a_model()
    other.set_weights(model.get_weights())
    return other.predict(x)


def test_predict_follows_set_weights_load_weights_and_training(tmp_path):
    model, x, y = a_model(), values(5, 6, 6, 2), values(5, 3)
    model.predict(x)
    seen = set()

    def look():
        result = model.predict(x)
        assert result.tobytes() == fresh_result(model, x).tobytes()
        seen.add(result.tobytes())

    model.set_weights(scrambled(model))
    look()
    model.save_weights(str(tmp_path / "w.h5"))
    model.layers[1].set_weights(scrambled(model.layers[1]))
    look()
    model.load_weights(str(tmp_path / "w.h5"))
    look()
    model.train_on_batch(x, y)   # moves the statistics, too
    look()
    model.fit(x, y, epochs=2, batch_size=2, verbose=0)
    look()
    assert len(seen) == 4 and kept_bytes(model.predict_function) > 0


def a_frozen_model():
    """Statistics that training neither reads from the batch nor moves."""
    x = layers.Input((6, 6, 2))
    frozen = [layers.Conv2D(4, 3, use_bias=False), layers.BatchNormalization()]
    for layer in frozen:
        layer.trainable = False
    y = layers.Flatten()(frozen[1](frozen[0](x), training=False))
    model = models.Model(x, layers.Dense(3, activation="softmax")(y))
    model.compile("sgd", "mse")
    return model


def test_frozen_layers_in_training_follow_changes_from_outside():
    model = a_frozen_model()
    x, y = values(5, 6, 6, 2), values(5, 3)
    model.train_on_batch(x, y)
    assert kept_bytes(model.train_function) > 0
    for _ in range(3):
        model.set_weights(scrambled(model))
        twin = a_frozen_model()
        twin.set_weights(model.get_weights())
        for _ in range(2):
            assert model.train_on_batch(x, y) == twin.train_on_batch(x, y)
        for one, other in zip(model.get_weights(), twin.get_weights()):
            assert one.tobytes() == other.tobytes()


def test_a_pickled_variable_has_results_of_its_own():
    w, scale = Shared(values(8, 5)), Shared(values(5))
    f, x = scaled_product(w, scale), values(3, 8)
    before = f(x)
    twin = pickle.loads(pickle.dumps(w))
    g = scaled_product(twin, scale)
    assert g(x).tobytes() == before.tobytes()
    twin.set_value(values(8, 5))
    assert f(x).tobytes() == before.tobytes() != g(x).tobytes()


# --- what is not kept ---

def test_a_variable_that_the_function_updates_is_read_at_each_call(plans):
    b = plans.Builder()
    x, w = b.input("x", (4,)), b.shared("w", (4,))
    double = b.apply("add", w, w)
    b.output(b.apply("mul", x, double))
    b.update(w, b.apply("add", w, x))
    tensor = plans.core.Tensor(np.ones(4, "float32"))
    program = b.program(tensor)
    for call in range(1, 4):
        assert (program.run([np.ones(4, "float32")])[0] == 2 * call).all()
    assert program.memory()["kept_bytes"] == 0


def test_what_only_the_caller_reads_takes_no_memory():
    w = Shared(values(300, 300))
    f = function([], ops.mul(w, 2.0))
    np.testing.assert_array_equal(f(), 2 * w.get_value())
    assert kept_bytes(f) == 0


def test_results_larger_than_what_they_are_made_of_take_no_memory():
    w = Shared(values(200))
    x = Placeholder("float32", (None, 200))
    table = ops.matmul(ops.reshape(ops.exp(w), (200, 1)), ops.reshape(w, (1, 200)))
    f = function([x], ops.matmul(x, table))
    f(values(2, 200))
    assert kept_bytes(f) == 832   # exp(w) alone


def test_draws_are_new_at_each_call():
    x = Placeholder("float32", (None, 4))
    f = function([x], ops.add(x, K.random_uniform((4,))))
    first = f(np.zeros((1, 4)))
    assert (f(np.zeros((1, 4))) != first).any()


def test_printing_and_custom_ops_happen_at_each_call(capfd):
    w = K.variable(values(2))
    x = Placeholder("float32", (None, 2))
    f = function([x], ops.add(x, ops.exp(K.print_tensor(w, "w is"))))
    for _ in range(3):
        f(values(1, 2))
    assert capfd.readouterr().out.count("w is") == 3


def test_printing_inside_of_a_loop_over_weights_happens_at_each_call(capfd):
    w = K.variable(values(3, 2))
    last, _, _ = K.rnn(lambda row, states: (K.print_tensor(row, "row"), states),
                       K.expand_dims(w, 0), [])
    x = Placeholder("float32", (1, 2))
    f = function([x], ops.mul(x, last))
    f(values(1, 2))
    assert capfd.readouterr().out.count("row") == 3
    f(values(1, 2))
    assert capfd.readouterr().out.count("row") == 3


# --- errors ---

def test_a_failing_step_fails_at_each_call_until_the_variable_is_right():
    table, place = Shared(values(4, 3)), Shared(np.array([7]), "int64")
    x = Placeholder("float32", (None, 3))
    f = function([x], ops.mul(x, ops.exp(ops.gather(table, place))))
    for _ in range(2):
        with pytest.raises(OutOfRangeError, match="7 was given"):
            f(values(2, 3))
    place.set_value(np.array([2]))
    data = values(2, 3)
    np.testing.assert_allclose(f(data), data * np.exp(table.get_value()[2]), rtol=1e-5)


def test_a_kept_nan_is_found_at_each_call_also_when_asked_for_later():
    w = Shared(-values(5))
    x = Placeholder("float32", (None, 5))
    f = function([x], ops.matmul(x, ops.reshape(ops.log(w), (5, 1))), check_nan=True)
    for _ in range(2):
        with pytest.raises(NotFiniteError, match="log"):
            f(values(2, 5))
    f.program._program.check_finite(False)
    assert np.isnan(f(values(2, 5))).all()
    f.program._program.check_finite(True)
    with pytest.raises(NotFiniteError, match="log"):
        f(values(2, 5))
    w.set_value(values(5))
    assert np.isfinite(f(values(2, 5))).all()


# --- many at once ---

def test_calls_of_many_threads_see_one_value_or_the_other_never_both():
    w, scale = Shared(np.ones((32, 48), "float32")), Shared(np.ones(48, "float32"))
    f = scaled_product(w, scale)
    wrong, stop = [], threading.Event()

    def call(rows):
        x, latest = np.ones((rows, 32), "float32"), 0
        while not stop.is_set():
            result = f(x)
            if result.min() != result.max() or result[0, 0] < latest:
                wrong.append((rows, result.min(), result.max()))
            latest = result[0, 0]

    threads = [threading.Thread(target=call, args=(rows,)) for rows in (1, 2, 17, 40)]
    for thread in threads:
        thread.start()
    for number in range(2, 200):   # sums of 32 equal small integers are exact
        w.set_value(np.full((32, 48), number, "float32"))
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong and (f(np.ones((3, 32))) == 32 * 199).all()


def test_programs_of_the_same_variables_do_not_disturb_each_other():
    w, scale = Shared(values(8, 5)), Shared(values(5))
    programs, x = [scaled_product(w, scale), scaled_product(scale=scale, w=w)], values(3, 8)
    for _ in range(3):
        first, second = (f(x) for f in programs)
        assert first.tobytes() == second.tobytes()
        scale.set_value(values(5))
        assert programs[0](x).tobytes() != first.tobytes()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_process_keeps_and_makes_its_own():
    w, scale = Shared(values(8, 5)), Shared(values(5))
    f, x = scaled_product(w, scale), values(3, 8)
    before = f(x)
    child = os.fork()
    if child == 0:
        same = f(x).tobytes() == before.tobytes()
        scale.set_value(2 * scale.get_value())
        os._exit(0 if same and f(x).tobytes() == (2 * before).tobytes() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert f(x).tobytes() == before.tobytes()

"""Optimizers against their rules written in NumPy; state, clipping, constraints and configs."""
import numpy as np
import pytest

from symk import backend as K
from symk import constraints, optimizers

START = np.array([1.0, -2.0, 3.0])
TARGET = np.array([0.5, 0.5, -1.0])
STEPS = 6


def problem(start=START, constraint=None):
    """A parameter and a loss with the gradient 4 * (x - target)^3 + (x - target)."""
    x = K.variable(start, name="x", constraint=constraint)
    difference = x - TARGET
    return x, K.sum(K.pow(difference, 4) + 0.5 * K.square(difference))


def slope(x):
    return 4 * (x - TARGET) ** 3 + (x - TARGET)


def trained(optimizer, steps=STEPS, constraint=None):
    """Where an optimizer comes from START in some steps."""
    x, loss = problem(constraint=constraint)
    step = K.function([], [loss], updates=optimizer.get_updates(loss, [x]))
    for _ in range(steps):
        step([])
    return K.get_value(x)


def follow(rule, count):
    """The same by a rule in NumPy: rule(x, g, t, state) -> x, with a list of `count` states."""
    x, state = START.copy(), [np.zeros(3) for _ in range(count)]
    for t in range(1, STEPS + 1):
        x = rule(x, slope(x), t, state)
    return x


def sgd(rate=0.01, momentum=0.9, nesterov=False, decay=0.0):
    def rule(x, g, t, state):
        now = rate / (1 + decay * (t - 1))
        state[0] = momentum * state[0] - now * g
        return x + (momentum * state[0] - now * g if nesterov else state[0])
    return rule


def rmsprop(x, g, t, state):
    state[0] = 0.8 * state[0] + 0.2 * g ** 2
    return x - 0.02 * g / (np.sqrt(state[0]) + 1e-7)


def adagrad(x, g, t, state):
    state[0] = state[0] + g ** 2
    return x - 0.05 * g / (np.sqrt(state[0]) + 1e-7)


def adadelta(x, g, t, state):
    state[0] = 0.9 * state[0] + 0.1 * g ** 2
    delta = g * np.sqrt(state[1] + 1e-7) / np.sqrt(state[0] + 1e-7)
    state[1] = 0.9 * state[1] + 0.1 * delta ** 2
    return x - delta


def adam(amsgrad):
    def rule(x, g, t, state):
        state[0] = 0.9 * state[0] + 0.1 * g
        state[1] = 0.99 * state[1] + 0.01 * g ** 2
        state[2] = np.maximum(state[2], state[1])
        rate = 0.05 * np.sqrt(1 - 0.99 ** t) / (1 - 0.9 ** t)
        return x - rate * state[0] / (np.sqrt(state[2 if amsgrad else 1]) + 1e-7)
    return rule


def adamax(x, g, t, state):
    state[0] = 0.9 * state[0] + 0.1 * g
    state[1] = np.maximum(0.999 * state[1], np.abs(g))
    return x - 0.05 / (1 - 0.9 ** t) * state[0] / (state[1] + 1e-7)


def nadam(x, g, t, state):
    def momentum(step):
        return 0.9 * (1 - 0.5 * 0.96 ** (step * 0.004))
    now = np.prod([momentum(step) for step in range(1, t + 1)])
    state[0] = 0.9 * state[0] + 0.1 * g
    state[1] = 0.999 * state[1] + 0.001 * g ** 2
    ahead = ((1 - momentum(t)) * g / (1 - now)
             + momentum(t + 1) * state[0] / (1 - now * momentum(t + 1)))
    return x - 0.05 * ahead / (np.sqrt(state[1] / (1 - 0.999 ** t)) + 1e-7)


RULES = [
    (lambda: optimizers.SGD(0.01, momentum=0.9), sgd(), 1),
    (lambda: optimizers.SGD(0.01, momentum=0.9, nesterov=True), sgd(nesterov=True), 1),
    (lambda: optimizers.SGD(0.01, momentum=0.0, decay=0.5), sgd(momentum=0.0, decay=0.5), 1),
    (lambda: optimizers.RMSprop(0.02, rho=0.8), rmsprop, 1),
    (lambda: optimizers.Adagrad(0.05), adagrad, 1),
    (lambda: optimizers.Adadelta(rho=0.9), adadelta, 2),
    (lambda: optimizers.Adam(0.05, beta_2=0.99), adam(False), 3),
    (lambda: optimizers.Adam(0.05, beta_2=0.99, amsgrad=True), adam(True), 3),
    (lambda: optimizers.Adamax(0.05), adamax, 2),
    (lambda: optimizers.Nadam(0.05), nadam, 2)]


@pytest.mark.parametrize("make, rule, count", RULES)
def test_rules(make, rule, count):
    np.testing.assert_allclose(trained(make()), follow(rule, count), rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("make", [row[0] for row in RULES])
def test_state_goes_on_where_it_stopped(make):
    whole = trained(make(), 2 * STEPS)
    first, second = make(), make()
    x, loss = problem()
    step = K.function([], [], updates=first.get_updates(loss, [x]))
    for _ in range(STEPS):
        step([])
    state = first.get_weights()
    assert state[0] == STEPS
    second_step = K.function([], [], updates=second.get_updates(loss, [x]))
    second.set_weights(state)
    for _ in range(STEPS):
        second_step([])
    np.testing.assert_array_equal(K.get_value(x), whole)


@pytest.mark.parametrize("make, place", [(optimizers.RMSprop, 0), (optimizers.Adagrad, 0),
                                         (optimizers.Adadelta, 0), (optimizers.Nadam, 1)])
def test_state_from_before_keras_2_3_is_taken(make, place):
    optimizer = make()
    x, loss = problem()
    optimizer.get_updates(loss, [x])
    state = [value + 3 for value in optimizer.get_weights()]
    optimizer.set_weights(state[:place] + state[place + 1:])
    restored = optimizer.get_weights()
    assert restored[place] == place
    for index, value in enumerate(state):
        if index != place:
            np.testing.assert_array_equal(restored[index], value)


def test_clipping():
    x, loss = problem()
    gradient = slope(START)
    clipped = optimizers.SGD(clipvalue=2.0).get_gradients(loss, [x])[0]
    np.testing.assert_allclose(K.eval(clipped), np.clip(gradient, -2, 2), rtol=1e-5)
    clipped = optimizers.SGD(clipnorm=1.0).get_gradients(loss, [x])[0]
    np.testing.assert_allclose(K.eval(clipped), gradient / np.linalg.norm(gradient), rtol=1e-5)
    kept = optimizers.SGD(clipnorm=1e6).get_gradients(loss, [x])[0]
    np.testing.assert_allclose(K.eval(kept), gradient, rtol=1e-5)


def test_the_norm_is_that_of_all_gradients():
    a, b = K.variable([3.0]), K.variable([4.0])
    grads = optimizers.SGD(clipnorm=1.0).get_gradients(K.sum(K.square(a) + K.square(b)), [a, b])
    np.testing.assert_allclose([K.eval(g)[0] for g in grads], [0.6, 0.8], rtol=1e-6)


@pytest.mark.parametrize("make", [optimizers.SGD, optimizers.RMSprop, optimizers.Adagrad,
                                  optimizers.Adadelta, optimizers.Adam, optimizers.Adamax,
                                  optimizers.Nadam])
def test_the_order_of_keras_1(make):
    results = []
    for old in (False, True):
        optimizer, (x, loss) = make(), problem()
        updates = (optimizer.get_updates([x], [], loss) if old
                   else optimizer.get_updates(loss, [x]))
        step = K.function([], [], updates=updates)
        for _ in range(STEPS):
            step([])
        results.append(K.get_value(x))
    np.testing.assert_array_equal(*results)
    x, loss = problem()
    with pytest.warns(UserWarning, match="constraints"):
        make().get_updates([x], {x: constraints.NonNeg()}, loss=loss)
    assert isinstance(x.constraint, constraints.NonNeg)
    with pytest.raises(TypeError, match="loss"):
        make().get_updates([x], {}, loss, loss=loss)


def test_constraints_hold_after_each_step():
    result = trained(optimizers.SGD(0.02), constraint=constraints.NonNeg())
    assert (result >= 0).all()
    free = trained(optimizers.SGD(0.02))
    assert (free < 0).any()


def test_the_rate_may_change_between_steps():
    optimizer = optimizers.SGD(0.01)
    x, loss = problem()
    step = K.function([], [], updates=optimizer.get_updates(loss, [x]))
    K.set_value(optimizer.lr, 0.0)
    step([])
    np.testing.assert_allclose(K.get_value(x), START)
    K.set_value(optimizer.learning_rate, 0.001)
    step([])
    np.testing.assert_allclose(K.get_value(x), START - 0.001 * slope(START), rtol=1e-5)


def test_a_parameter_without_gradient_is_named():
    x, loss = problem()
    other = K.variable(1.0, name="unused")
    with pytest.raises(ValueError, match="no gradient for unused:0"):
        optimizers.Adam().get_updates(loss, [x, other])


ALL = [optimizers.SGD(0.1, 0.8, True, decay=0.1), optimizers.RMSprop(0.1, 0.8, clipnorm=1.0),
       optimizers.Adagrad(0.1, decay=0.2), optimizers.Adadelta(0.1, 0.8, epsilon=1e-3),
       optimizers.Adam(0.1, 0.8, 0.9, True), optimizers.Adamax(0.1, 0.8, 0.9, clipvalue=0.5),
       optimizers.Nadam(0.1, 0.8, 0.9, schedule_decay=0.01)]


@pytest.mark.parametrize("optimizer", ALL, ids=lambda one: type(one).__name__)
def test_configs_make_the_same_again(optimizer):
    again = optimizers.deserialize(optimizers.serialize(optimizer))
    assert type(again) is type(optimizer) and again.get_config() == optimizer.get_config()


def test_names_in_any_case_and_older_arguments():
    for name in ("sgd", "SGD", "Sgd"):
        assert isinstance(optimizers.get(name), optimizers.SGD)
    made = optimizers.get({"class_name": "Adam", "config": {"lr": 0.25}})
    assert made.get_config()["learning_rate"] == 0.25
    assert optimizers.get(made) is made


@pytest.mark.parametrize("make, error, message", [
    (lambda: optimizers.SGD(nonsense=1.0), TypeError, "'nonsense' was given"),
    (lambda: optimizers.Nadam(decay=0.1), TypeError, "'decay' was given"),
    (lambda: optimizers.get("nope"), ValueError, "known optimizer is required"),
    (lambda: optimizers.get(3), ValueError, "a name, a config or an optimizer is required"),
    (lambda: optimizers.Adam().set_weights([np.zeros(3)]), ValueError,
     "requires 0 arrays; 1 were given")])
def test_mistakes_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_an_optimizer_of_ones_own():
    class Signs(optimizers.Optimizer):
        def get_updates(self, loss, params):
            grads = self.get_gradients(loss, params)
            return [K.update(p, p - 0.1 * K.sign(g)) for p, g in zip(params, grads)]
    np.testing.assert_allclose(trained(Signs(), 1), START - 0.1 * np.sign(slope(START)), rtol=1e-6)


TF_KERAS = {"name": "Adam", "weight_decay": None, "clipnorm": None, "global_clipnorm": None,
            "clipvalue": None, "use_ema": False, "ema_momentum": 0.99,
            "ema_overwrite_frequency": None, "jit_compile": False, "is_legacy_optimizer": False,
            "learning_rate": 0.25, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 1e-5, "amsgrad": True}


def test_configs_of_tf_keras_are_read():
    made = optimizers.deserialize({"class_name": "Custom>Adam", "config": TF_KERAS})
    assert made.get_config() == {"learning_rate": 0.25, "beta_1": 0.5, "beta_2": 0.75,
                                 "epsilon": 1e-5, "amsgrad": True, "decay": 0.0}
    made = optimizers.deserialize({"class_name": "Adam",
                                   "config": dict(TF_KERAS, global_clipnorm=2.0)})
    assert made.clipnorm == 2.0
    made = optimizers.deserialize({"class_name": "Nadam", "config": {"name": "Nadam",
                                                                    "decay": 0.004}})
    assert made.schedule_decay == 0.004


@pytest.mark.parametrize("name, key, value", [
    ("Adam", "weight_decay", 0.1), ("Adam", "use_ema", True), ("Adam", "clipnorm", 1.0),
    ("RMSprop", "momentum", 0.5), ("RMSprop", "centered", True),
    ("Adagrad", "initial_accumulator_value", 0.1)])
def test_what_only_tf_keras_has_is_refused(name, key, value):
    message = "%s of tf.keras can be read with %s=" % (name.lower(), key)
    with pytest.raises(ValueError, match=message):
        optimizers.deserialize({"class_name": name, "config": {"name": name, key: value}})


def test_custom_optimizers_win_over_names_in_other_case():
    class ADAM(optimizers.SGD):
        pass
    made = optimizers.deserialize({"class_name": "ADAM", "config": {}}, {"ADAM": ADAM})
    assert type(made) is ADAM

"""Mixed precision: the policy, and losses scaled so that small gradients survive."""
import numpy as np
import pytest

from symk import backend as K
from symk import mixed_precision, optimizers
from symk.config import settings
from symk.graph import Placeholder
from symk.layers import Conv2D, Dense, Flatten
from symk.mixed_precision import LossScaleOptimizer, Policy
from symk.models import Sequential, load_model


@pytest.fixture
def policy():
    """Sets the policy of a test, and the usual one after it."""
    yield mixed_precision.set_global_policy
    mixed_precision.set_global_policy("float32")


def test_a_policy_says_what_is_what(policy):
    assert mixed_precision.global_policy() == Policy("float32")
    policy("mixed_bfloat16")
    found = mixed_precision.global_policy()
    assert (found.name, found.compute_dtype, found.variable_dtype) == (
        "mixed_bfloat16", "bfloat16", "float32")
    assert settings.products == "bfloat16"
    assert Policy.from_config(found.get_config()) == found and len({found, Policy(found.name)}) == 1
    policy(Policy("float32"))
    assert settings.products == "float32"


def test_a_policy_of_float32_brings_back_the_products_of_before(policy, monkeypatch):
    monkeypatch.setattr(settings, "products", "winograd")
    policy("float32")
    assert settings.products == "winograd"
    policy("mixed_float16")
    policy("mixed_bfloat16")
    policy("float32")
    assert settings.products == "winograd"


def test_other_policies_are_refused(policy):
    with pytest.raises(ValueError, match="call K.set_floatx"):
        policy("float64")


def network():
    model = Sequential([Conv2D(8, 3, activation="relu", input_shape=(8, 8, 8)), Flatten(),
                        Dense(3)])
    generator = np.random.default_rng(1)
    model.set_weights([generator.standard_normal(w.shape) * 0.1 for w in model.get_weights()])
    return model


def data():
    generator = np.random.default_rng(2)
    return (generator.standard_normal((24, 8, 8, 8)).astype("float32"),
            generator.standard_normal((24, 3)).astype("float32"))


def losses(**compiled):
    model = network()
    model.compile("sgd", "mse", **compiled)
    return model.fit(*data(), epochs=5, verbose=0, shuffle=False).history["loss"], model


@pytest.mark.parametrize("name", ["mixed_float16", "mixed_bfloat16"])
def test_a_model_trains_near_float32(policy, name):
    plain, _ = losses()
    policy(name)
    mixed, model = losses()
    policy("float32")
    # Operands are rounded by 2 ** -9 at most, in the same directions in each of the steps.
    np.testing.assert_allclose(mixed, plain, rtol=5 * 2 ** -9)
    assert mixed != plain
    assert all(weight.dtype == "float32" for weight in model.weights)
    assert isinstance(model.optimizer, LossScaleOptimizer) == (name == "mixed_float16")
    products = [step.attributes.get("products") for step in model.train_function.program.plan.steps]
    assert ("bfloat16" in products) == (name == "mixed_bfloat16")


def test_what_is_given_to_compile_counts(policy):
    policy("mixed_float16")
    _, model = losses(products="float32")
    assert type(model.optimizer) is optimizers.SGD
    own = LossScaleOptimizer(optimizers.SGD(), dynamic=False, initial_scale=8)
    model.compile(own, "mse")
    assert model.optimizer is own


def stepper(optimizer, start=(1.0, 2.0)):
    """A function that makes a step for the loss sum(w * x), the weight, and the optimizer."""
    weight = K.variable(np.array(start), "float32")
    x = Placeholder("float32", (2,))
    updates = optimizer.get_updates(K.sum(weight * x), [weight])
    return K.function([x], [weight * 1.0], updates=updates), weight


@pytest.mark.parametrize("inner", ["sgd", "adam", "rmsprop", "nadam"])
def test_sound_steps_are_those_of_the_inner_optimizer(inner):
    scaled, plain = LossScaleOptimizer(optimizers.get(inner)), optimizers.get(inner)
    (step, weight), (wanted_step, wanted) = stepper(scaled), stepper(plain)
    for turn in range(4):
        x = np.float32([0.5, -turn])
        step([x])
        wanted_step([x])
    np.testing.assert_array_equal(K.get_value(weight), K.get_value(wanted))
    assert K.get_value(scaled.iterations) == 4 and K.get_value(scaled.dynamic_counter) == 4
    assert K.get_value(scaled.loss_scale) == 2.0 ** 15


@pytest.mark.parametrize("bad", [np.inf, np.nan, -np.inf, 3e38])
def test_a_step_that_overflows_changes_nothing_but_the_scale(bad):
    optimizer = LossScaleOptimizer(optimizers.Adam())
    step, weight = stepper(optimizer)
    step([np.float32([1, 1])])
    before = [weight] + optimizer.inner_optimizer.weights
    values = K.batch_get_value(before)
    step([np.float32([1, bad])])
    for value, kept in zip(K.batch_get_value(before), values):
        np.testing.assert_array_equal(value, kept)
    assert K.get_value(optimizer.loss_scale) == 2.0 ** 14
    assert K.get_value(optimizer.dynamic_counter) == 0
    step([np.float32([1, 1])])
    assert K.get_value(optimizer.iterations) == 2


def test_the_scale_grows_after_sound_steps_and_has_a_least_value():
    optimizer = LossScaleOptimizer(optimizers.SGD(), initial_scale=2, dynamic_growth_steps=3)
    step, _ = stepper(optimizer)
    seen = []
    for x in [1, 1, 1, 1, np.inf, 1, np.inf, np.inf, np.inf, 1, 1, 1]:
        step([np.float32([x, 1])])
        seen.append((float(K.get_value(optimizer.loss_scale)),
                     int(K.get_value(optimizer.dynamic_counter))))
    assert seen == [(2, 1), (2, 2), (4, 0), (4, 1), (2, 0), (2, 1), (1, 0), (1, 0), (1, 0), (1, 1),
                    (1, 2), (2, 0)]


def test_a_scale_does_not_grow_to_infinity():
    optimizer = LossScaleOptimizer(optimizers.SGD(), initial_scale=2.0 ** 127,
                                   dynamic_growth_steps=1)
    step, _ = stepper(optimizer)
    step([np.float32([0, 0])])
    assert K.get_value(optimizer.loss_scale) == np.float32(2.0 ** 127)


def test_a_fixed_scale_takes_every_step():
    optimizer = LossScaleOptimizer(optimizers.SGD(0.5), dynamic=False, initial_scale=4)
    step, weight = stepper(optimizer)
    step([np.float32([2, np.inf])])
    np.testing.assert_array_equal(K.get_value(weight), [0, -np.inf])
    assert K.get_value(optimizer.loss_scale) == 4


def test_scaled_losses_keep_small_gradients(policy):
    """A gradient of 2^-26 is 0 in float16: without a scale the weight before it does not move."""
    def moved(scale):
        model = Sequential([Dense(8, use_bias=False, input_shape=(8,)), Dense(8, use_bias=False)])
        model.set_weights([np.eye(8), np.eye(8)])
        model.compile(LossScaleOptimizer(optimizers.SGD(1.0), dynamic=False, initial_scale=scale),
                      lambda y, p: K.sum(p, -1) * 2.0 ** -26)
        model.train_on_batch(np.ones((1, 8), "float32"), np.zeros((1, 8), "float32"))
        return np.any(model.get_weights()[1] != np.eye(8))
    policy("mixed_float16")
    assert moved(2.0 ** 10) and not moved(1)


def test_clipping_sees_gradients_without_the_scale():
    plain, scaled = optimizers.SGD(0.1, clipnorm=1.0), optimizers.SGD(0.1, clipnorm=1.0)
    (step, weight), (wanted_step, wanted) = stepper(LossScaleOptimizer(scaled)), stepper(plain)
    step([np.float32([3, 4])])
    wanted_step([np.float32([3, 4])])
    np.testing.assert_allclose(K.get_value(weight), K.get_value(wanted), rtol=1e-6)


def test_a_model_is_saved_and_goes_on(policy, tmp_path):
    policy("mixed_float16")
    x, y = data()
    _, model = losses()
    model.optimizer.learning_rate = model.optimizer.lr    # callbacks read and set the inner one's
    model.save(str(tmp_path / "model.h5"))
    again = load_model(str(tmp_path / "model.h5"))
    found = again.optimizer
    assert isinstance(found, LossScaleOptimizer) and type(found.inner_optimizer) is optimizers.SGD
    for value, wanted in zip(found.get_weights(), model.optimizer.get_weights()):
        np.testing.assert_array_equal(value, wanted)
    assert K.get_value(found.dynamic_counter) == 5
    assert again.train_on_batch(x, y) == model.train_on_batch(x, y)
    for value, wanted in zip(again.get_weights(), model.get_weights()):
        np.testing.assert_array_equal(value, wanted)


def test_a_config_of_tf_keras_is_read():
    made = optimizers.deserialize({"class_name": "LossScaleOptimizer", "config": {
        "name": "LossScaleOptimizer", "inner_optimizer": {
            "class_name": "Adam", "config": {"name": "Adam", "learning_rate": 0.25}},
        "dynamic": True, "initial_scale": 1024.0, "dynamic_growth_steps": 10}})
    assert made.initial_scale == 1024 and made.dynamic_growth_steps == 10
    assert K.get_value(made.learning_rate) == 0.25
    config = made.get_config()
    assert LossScaleOptimizer.from_config(config).get_config() == config


@pytest.mark.parametrize("arguments, message", [
    ((optimizers.SGD(), False), "a fixed scale requires initial_scale"),
    (("sgd",), "inner_optimizer must be an optimizer"),
    ((LossScaleOptimizer(optimizers.SGD()),), "inner_optimizer must be an optimizer"),
    ((optimizers.SGD(), True, 0.5), "of at least 1"),
    ((optimizers.SGD(), True, 2.0 ** 200), "must be a float32"),
    ((optimizers.SGD(), True, np.nan), "finite"),
    ((optimizers.SGD(), True, np.inf), "finite"),
    ((optimizers.SGD(), True, None, 2.7), "dynamic_growth_steps must be an integer"),
    ((optimizers.SGD(), True, None, np.inf), "dynamic_growth_steps must be an integer"),
    ((optimizers.SGD(), True, None, 0), "of at least 1"),
    ((optimizers.SGD(), "no"), "dynamic must be True or False"),
])
def test_arguments_that_do_not_go_together_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LossScaleOptimizer(*arguments)


def test_configs_that_say_something_else_are_refused():
    inner = {"class_name": "SGD", "config": {}}
    with pytest.raises(ValueError, match="inner_optimizer is required"):
        optimizers.deserialize({"class_name": "LossScaleOptimizer", "config": {
            "optimizer": inner, "loss_scale": {}}})
    with pytest.raises((TypeError, ValueError), match="clipnorm"):
        optimizers.deserialize({"class_name": "LossScaleOptimizer", "config": {
            "inner_optimizer": inner, "clipnorm": 1.0}})


def test_a_later_name_of_tf_keras_is_read():
    made = optimizers.deserialize({"class_name": "LossScaleOptimizerV3", "config": {
        "name": "loss_scale_optimizer", "inner_optimizer": {"class_name": "SGD", "config": {}}}})
    assert type(made) is LossScaleOptimizer


def test_hyperparameters_are_those_of_the_inner_optimizer():
    made = LossScaleOptimizer(optimizers.Adam(beta_1=0.5, decay=0.25))
    assert K.get_value(made.beta_1) == 0.5 and made.initial_decay == 0.25
    with pytest.raises(AttributeError, match="momentum"):
        made.momentum


def test_a_model_without_trainable_weights_makes_steps():
    model = Sequential([Dense(2, input_shape=(3,), trainable=False)])
    model.compile(LossScaleOptimizer(optimizers.SGD()), "mse")
    before = model.get_weights()
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    for one, other in zip(before, model.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_a_state_that_was_saved_in_float32_goes_on(policy, tmp_path):
    model = network()
    model.compile("adam", "mse")
    model.fit(*data(), epochs=2, verbose=0)
    model.save(tmp_path / "m.h5")
    policy("mixed_float16")
    loaded = load_model(tmp_path / "m.h5")
    assert isinstance(loaded.optimizer, LossScaleOptimizer)
    for one, other in zip(model.optimizer.get_weights(),
                          loaded.optimizer.inner_optimizer.get_weights()):
        np.testing.assert_array_equal(one, other)
    assert K.get_value(loaded.optimizer.iterations) == 2


def test_an_optimizer_that_takes_gradients_its_own_way_is_refused():
    class Own(optimizers.Optimizer):
        def get_updates(self, loss, params):
            return [(param, param - grad) for param, grad in zip(params, K.gradients(loss, params))]
    with pytest.raises(ValueError, match="must ask get_gradients"):
        stepper(LossScaleOptimizer(Own()))

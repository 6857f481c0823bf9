"""How many steps models, losses and metrics become: what users write with K is fused like what is
built in.
"""
import numpy as np
import pytest

from symk import backend as K
from symk import layers, losses, models
from symk.compile import function
from symk.graph import Placeholder


def kernels(compiled_function):
    """The names of a function's kernels, in order."""
    return [step.kernel for step in compiled_function.plan.steps]


def compiled(build, *shapes):
    """The kernels of an expression of inputs that share one unknown batch size, as in training."""
    batch = Placeholder("float32", (None,)).shape[0]
    inputs = [Placeholder("float32", [batch if size is None else size for size in shape])
              for shape in shapes]
    outputs = build(*inputs)
    return kernels(function(inputs, outputs))


# --- losses ---

def focal_loss(y, p, gamma=2.0, alpha=0.25):
    p = K.clip(p, K.epsilon(), 1 - K.epsilon())
    right = K.switch(K.equal(y, 1), p, 1 - p)
    weight = K.switch(K.equal(y, 1), alpha * K.ones_like(p), (1 - alpha) * K.ones_like(p))
    return K.mean(-weight * K.pow(1 - right, gamma) * K.log(right), axis=-1)


def f_beta(y, p, beta=2):
    hits = K.sum(K.round(K.clip(y * p, 0, 1)))
    wanted = K.sum(K.round(K.clip(y, 0, 1)))
    given = K.sum(K.round(K.clip(p, 0, 1)))
    precision, recall = hits / (given + K.epsilon()), hits / (wanted + K.epsilon())
    return (1 + beta ** 2) * precision * recall / (beta ** 2 * precision + recall + K.epsilon())


def vae_loss(x, y, mean, log_variance):
    reconstruction = 784 * K.mean(K.binary_crossentropy(x, y), axis=-1)
    divergence = -0.5 * K.sum(1 + log_variance - K.square(mean) - K.exp(log_variance), axis=-1)
    return K.mean(reconstruction + divergence)


def dice(y, p):
    return (2 * K.sum(y * p, axis=-1) + 1) / (K.sum(y, axis=-1) + K.sum(p, axis=-1) + 1)


BOTH = ((None, 10), (None, 10))


@pytest.mark.parametrize("name", ["mean_squared_error", "binary_crossentropy", "hinge", "logcosh",
                                  "mean_absolute_percentage_error", "poisson", "squared_hinge"])
def test_a_loss_of_keras_is_one_pass(name):
    steps = compiled(getattr(losses, name), *BOTH)
    assert steps.count("fused_reduce") >= 1
    assert len(steps) <= (2 if "hinge" not in name else 4)   # hinge looks at all targets first


@pytest.mark.parametrize("build, shapes, steps", [
    (focal_loss, BOTH, ["fused_reduce"]),
    (f_beta, BOTH, ["fused_reduce", "elementwise"]),
    (dice, BOTH, ["fused_reduce", "elementwise"]),
    (vae_loss, ((None, 784), (None, 784), (None, 2), (None, 2)),
     ["fused_reduce", "fused_reduce", "fused_reduce"]),
])
def test_what_users_write_is_fused_like_what_is_built_in(build, shapes, steps):
    assert compiled(build, *shapes) == steps


def test_a_loss_and_its_gradient():
    def both(y, p):
        loss = K.mean(focal_loss(y, p))
        return [loss] + K.gradients(loss, [p])
    assert len(compiled(both, *BOTH)) <= 5


# --- models ---

def predict_kernels(build, shape):
    image = layers.Input(shape)
    model = models.Model(image, build(image))
    model.predict(np.zeros((1,) + shape))
    return kernels(model.predict_function)


def test_normalisation_after_a_convolution_costs_one_program_of_its_columns():
    def build(x):
        x = layers.Conv2D(8, 3)(x)
        return layers.Activation("relu")(layers.BatchNormalization()(x))
    assert predict_kernels(build, (9, 9, 3)) == ["elementwise", "conv"]


def test_a_residual_block_is_its_convolutions():
    def build(x):
        y = layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
        y = layers.Activation("relu")(layers.BatchNormalization()(y))
        y = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(y))
        return layers.Activation("relu")(layers.add([y, x]))
    steps = predict_kernels(build, (9, 9, 4))
    assert sorted(steps) == ["conv", "conv", "elementwise", "elementwise"]


def test_normalisation_after_a_dense_layer_goes_into_it():
    def build(x):
        return layers.BatchNormalization()(layers.Dense(5, use_bias=False)(x))
    assert predict_kernels(build, (9,)) == ["elementwise", "matmul"]


def test_dropout_is_a_factor_of_the_layer_before():
    trained = compiled(lambda x: K.dropout(K.tanh(K.dot(x, K.ones((9, 5)))), 0.5), (None, 9))
    assert trained == ["random_bernoulli", "matmul", "elementwise"]   # the last advances the key


def test_transposes_cancel():
    def build(x):
        return K.permute_dimensions(K.permute_dimensions(x, (2, 0, 1)), (1, 2, 0)) * 2
    assert compiled(build, (None, 3, 4)) == ["elementwise"]
    assert compiled(lambda x: K.reshape(K.reshape(x, (-1, 12)), (-1, 3, 4)) + 1,
                    (None, 3, 4)) == ["elementwise"]


def test_a_profile_names_what_a_fused_step_does():
    x = Placeholder("float32", (None, 10))
    profiled = function([x], [K.sum(K.square(x), axis=1)], profile=True)
    profiled.run([np.ones((3, 10), "float32")])
    assert "square sum" in profiled.show("profile")

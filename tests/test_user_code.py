"""Code as people wrote it for Keras 2: optimizers, callbacks, metrics, losses of their own."""
import functools
import warnings

import numpy as np
import pytest

from symk import backend as K
from symk import callbacks, constraints, initializers, losses, metrics, optimizers, regularizers
from symk.layers import Dense, Dropout, Input, Lambda, Layer, concatenate
from symk.layers.merge import _Merge
from symk.legacy import interfaces
from symk.models import Model, Sequential, load_model
from symk.utils import get_custom_objects


def data(count=40, features=4):
    random = np.random.RandomState(0)
    x = random.normal(size=(count, features))
    return x, x @ random.normal(size=(features, 1))


def regression(optimizer="sgd", loss="mse", **options):
    model = Sequential([Dense(1, input_shape=(4,), kernel_initializer="zeros")])
    model.compile(optimizer, loss, **options)
    return model


# ---- optimizers

class PlainMomentum(optimizers.Optimizer):
    """Gradient descent with momentum, written as optimizers of Keras 2 are."""

    def __init__(self, lr=0.01, momentum=0., decay=0., **kwargs):
        super(PlainMomentum, self).__init__(**kwargs)
        with K.name_scope(self.__class__.__name__):
            self.iterations = K.variable(0, dtype='int64', name='iterations')
            self.lr = K.variable(lr, name='lr')
            self.momentum = K.variable(momentum, name='momentum')
            self.decay = K.variable(decay, name='decay')
        self.initial_decay = decay

    def get_updates(self, loss, params):
        grads = self.get_gradients(loss, params)
        self.updates = [K.update_add(self.iterations, 1)]
        lr = self.lr
        if self.initial_decay > 0:
            lr = lr * (1. / (1. + self.decay * K.cast(self.iterations, K.dtype(self.decay))))
        shapes = [K.int_shape(p) for p in params]
        moments = [K.zeros(shape) for shape in shapes]
        self.weights = [self.iterations] + moments
        for p, g, m in zip(params, grads, moments):
            v = self.momentum * m - lr * g
            self.updates.append(K.update(m, v))
            new_p = p + v
            if getattr(p, 'constraint', None) is not None:
                new_p = p.constraint(new_p)
            self.updates.append(K.update(p, new_p))
        return self.updates

    def get_config(self):
        config = {'lr': float(K.get_value(self.lr)),
                  'momentum': float(K.get_value(self.momentum)),
                  'decay': float(K.get_value(self.decay))}
        base_config = super(PlainMomentum, self).get_config()
        return dict(list(base_config.items()) + list(config.items()))


def test_an_optimizer_of_the_user_does_as_the_own_one():
    x, y = data()
    mine = regression(PlainMomentum(lr=0.1, momentum=0.9, decay=0.01))
    own = regression(optimizers.SGD(lr=0.1, momentum=0.9, decay=0.01))
    for model in (mine, own):
        model.fit(x, y, epochs=3, verbose=0, shuffle=False)
    np.testing.assert_allclose(mine.get_weights()[0], own.get_weights()[0], rtol=1e-5)
    for one, other in zip(mine.optimizer.get_weights(), own.optimizer.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_an_optimizer_of_the_user_is_saved_with_its_state(tmp_path):
    x, y = data()
    model = regression(PlainMomentum(lr=0.1, momentum=0.9))
    model.fit(x, y, verbose=0, shuffle=False)
    model.save(str(tmp_path / "model.h5"))
    again = load_model(str(tmp_path / "model.h5"), {"PlainMomentum": PlainMomentum})
    for one in (model, again):
        one.fit(x, y, verbose=0, shuffle=False)
    np.testing.assert_array_equal(model.get_weights()[0], again.get_weights()[0])


def test_its_state_is_one_for_steps_with_and_without_weights():
    x, y = data(8)
    model, own = (regression(optimizer) for optimizer in (
        PlainMomentum(lr=0.1, momentum=0.9), optimizers.SGD(lr=0.1, momentum=0.9)))
    for one in (model, own):
        one.train_on_batch(x, y)
        one.train_on_batch(x, y, sample_weight=np.arange(8.0))
        one.train_on_batch(x, y)
    np.testing.assert_allclose(model.get_weights()[0], own.get_weights()[0], rtol=1e-5)


class Accumulated(optimizers.Adam):
    """Adam that takes a step in every second batch, by what it inherits."""

    def get_updates(self, loss, params):
        self.updates = super(Accumulated, self).get_updates(loss, params)
        slow = self.iterations - K.cast(K.equal(self.iterations % 2, 0), 'int64')
        self.updates[0] = K.update(self.iterations, slow + 2)
        return self.updates


def test_an_optimizer_may_change_the_updates_that_it_inherits():
    x, y = data(8)
    model = regression(Accumulated())
    model.train_on_batch(x, y)
    assert K.get_value(model.optimizer.iterations) == 1


# ---- callbacks

class WarmUp(callbacks.Callback):
    """Raises the learning rate batch by batch."""

    def __init__(self, target, batches):
        super(WarmUp, self).__init__()
        self.target, self.batches, self.seen, self.rates = target, batches, 0, []

    def on_batch_begin(self, batch, logs=None):
        self.seen += 1
        lr = self.target * min(1., self.seen / float(self.batches))
        K.set_value(self.model.optimizer.lr, lr)

    def on_batch_end(self, batch, logs={}):
        self.rates.append(float(K.get_value(self.model.optimizer.lr)))
        assert logs.get('size') and logs.get('batch') == batch and 'loss' in logs


def test_a_callback_sets_the_learning_rate_of_each_batch():
    x, y = data()
    model, callback = regression(), WarmUp(0.1, 4)
    model.fit(x, y, batch_size=10, verbose=0, callbacks=[callback])
    np.testing.assert_allclose(callback.rates, [0.025, 0.05, 0.075, 0.1], rtol=1e-6)


class AucOfValidation(callbacks.Callback):
    """Predicts the validation data that `fit` has given to it."""

    def on_epoch_end(self, epoch, logs={}):
        prediction = self.model.predict(self.validation_data[0])
        error = np.mean(np.square(prediction - self.validation_data[1]))
        logs['val_error'] = error
        assert self.validation_data[2].shape == (len(prediction),)


def test_callbacks_see_the_validation_data_and_add_to_the_logs():
    x, y = data()
    history = regression().fit(x, y, validation_split=0.25, verbose=0,
                               callbacks=[AucOfValidation()]).history
    np.testing.assert_allclose(history["val_error"], history["val_loss"], rtol=1e-5)


def test_a_callback_without_a_constructor_of_keras():
    class Losses(callbacks.Callback):
        def on_train_begin(self, logs={}):
            self.losses = []

        def on_batch_end(self, batch, logs={}):
            self.losses.append(logs.get('loss'))
    x, y = data()
    history = Losses()
    regression().fit(x, y, batch_size=8, verbose=0, callbacks=[history])
    assert len(history.losses) == 5


def test_a_callback_snapshots_weights_and_stops():
    class Best(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.weights = self.model.get_weights()
            if epoch == 1:
                self.model.stop_training = True
    x, y = data()
    model, best = regression(), Best()
    model.fit(x, y, epochs=9, verbose=0, callbacks=[best])
    assert model.history.epoch == [0, 1]
    np.testing.assert_array_equal(best.weights[0], model.get_weights()[0])


def test_gradients_of_the_compiled_loss():
    """The way to look at gradients in Keras 2: by total_loss, targets and sample_weights."""
    x, y = data(8)
    a, b = Input(shape=(2,)), Input(shape=(2,))
    model = Model([a, b], Dense(1, kernel_initializer="ones")(
        Lambda(lambda pair: pair[0] + pair[1])([a, b])))
    model.compile("sgd", "mse")
    grads = model.optimizer.get_gradients(model.total_loss, model.trainable_weights)
    function = K.function(model.inputs + model.targets + model.sample_weights, grads)
    kernel, bias = function([x[:, :2], x[:, 2:], y, np.ones(8)])
    total = x[:, :2] + x[:, 2:]
    error = 2 * (total.sum(axis=1, keepdims=True) - y) / 8
    np.testing.assert_allclose(kernel, total.T @ error, rtol=1e-4)
    np.testing.assert_allclose(bias, error.sum(axis=0), rtol=1e-4)


def test_gradients_by_the_feeds_of_a_model_of_several_inputs():
    a, b = Input((3,)), Input((2,))
    model = Model([a, b], Dense(1)(concatenate([Dense(4)(a), b])))
    model.compile("sgd", "mse")
    gradients = model.optimizer.get_gradients(model.total_loss, model.trainable_weights)
    function = K.function(model._feed_inputs + model._feed_targets + model._feed_sample_weights,
                          gradients)
    x, y = [np.random.rand(5, 3), np.random.rand(5, 2)], np.random.rand(5, 1)
    found = function(x + [y, np.ones(5)])
    error = 2 * (model.predict(x) - y) / 5
    np.testing.assert_allclose(found[-1], error.sum(axis=0), rtol=1e-4)


def test_functions_may_be_made_before_they_are_used():
    model = regression()
    assert model._make_predict_function() is model.predict_function
    assert model._make_test_function() is model.test_function
    assert model._make_train_function() is model.train_function


# ---- metrics and losses

class CountOfTruePositives(metrics.Metric):
    def __init__(self, name='true_positives', **kwargs):
        super(CountOfTruePositives, self).__init__(name=name, **kwargs)
        self.true_positives = self.add_weight(name='tp', initializer='zeros')

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = K.cast(y_true, 'bool')
        y_pred = K.cast(y_pred > 0.5, 'bool')
        hits = K.cast(y_true, self.dtype) * K.cast(y_pred, self.dtype)
        if sample_weight is not None:
            hits = hits * K.reshape(K.cast(sample_weight, self.dtype), (-1, 1))
        return K.update_add(self.true_positives, K.sum(hits))

    def result(self):
        return K.identity(self.true_positives)

    def reset_states(self):
        K.set_value(self.true_positives, 0.)


def test_a_metric_of_the_user_counts_over_batches_and_begins_anew():
    x = np.array([[1.0], [0.0], [1.0], [1.0]])
    model = Sequential([Dense(1, input_shape=(1,), kernel_initializer="ones", trainable=False)])
    model.compile("sgd", "mse", metrics=[CountOfTruePositives()],
                  weighted_metrics=[CountOfTruePositives(name="weighted")])
    assert model.metrics_names == ["loss", "true_positives", "weighted"]
    for _ in range(2):
        assert model.evaluate(x, x, batch_size=2, verbose=0)[1:] == [3.0, 3.0]
    weighted = model.evaluate(x, x, sample_weight=np.array([1.0, 1.0, 0.5, 0.0]), verbose=0)
    assert weighted[1:] == [3.0, 1.5]


def test_update_state_must_return_its_updates():
    class Silent(CountOfTruePositives):
        def update_state(self, y_true, y_pred, sample_weight=None):
            K.update_add(self.true_positives, K.sum(y_pred))
    with pytest.raises(TypeError, match="update_state must return its updates"):
        regression(metrics=[Silent()]).train_on_batch(*data())


def test_functions_as_losses_and_metrics(tmp_path):
    def r2(y_true, y_pred):
        residual = K.sum(K.square(y_true - y_pred))
        total = K.sum(K.square(y_true - K.mean(y_true)))
        return 1 - residual / (total + K.epsilon())

    def pinball(q):
        def loss(y_true, y_pred):
            error = y_true - y_pred
            return K.mean(K.maximum(q * error, (q - 1) * error), axis=-1)
        return loss
    x, y = data()
    model = regression(loss=pinball(0.9), metrics=[r2, 'mae'])
    history = model.fit(x, y, epochs=2, verbose=0, validation_data=(x, y)).history
    assert set(history) == {"loss", "r2", "mae", "val_loss", "val_r2", "val_mae"}
    model.save(str(tmp_path / "m.h5"))
    with pytest.raises(ValueError, match="'loss' was given"):
        load_model(str(tmp_path / "m.h5"))
    again = load_model(str(tmp_path / "m.h5"), {"loss": pinball(0.9), "r2": r2})
    np.testing.assert_allclose(again.evaluate(x, y, verbose=0), model.evaluate(x, y, verbose=0))


def test_a_loss_class_of_the_user():
    class Scaled(losses.Loss):
        def __init__(self, scale=2., **kwargs):
            super(Scaled, self).__init__(**kwargs)
            self.scale = scale

        def call(self, y_true, y_pred):
            return self.scale * K.mean(K.abs(y_pred - y_true), axis=-1)
    x, y = data()
    assert regression(loss=Scaled()).test_on_batch(x, y) == pytest.approx(
        2 * regression(loss="mae").test_on_batch(x, y), rel=1e-6)


# ---- the small parts

class Between(constraints.Constraint):
    def __init__(self, low, high):
        self.low, self.high = low, high

    def __call__(self, w):
        return K.clip(w, self.low, self.high)

    def get_config(self):
        return {'low': self.low, 'high': self.high}


class Ramp(initializers.Initializer):
    def __call__(self, shape, dtype=None):
        return K.constant(np.arange(np.prod(shape)).reshape(shape), dtype=dtype)


class Entropy(regularizers.Regularizer):
    def __init__(self, weight=0.1):
        self.weight = weight

    def __call__(self, x):
        return self.weight * K.sum(K.abs(x))

    def get_config(self):
        return {'weight': self.weight}


def test_initializer_regularizer_and_constraint_of_the_user(tmp_path):
    x, y = data()
    model = Sequential([Dense(1, input_shape=(4,), kernel_initializer=Ramp(),
                              kernel_regularizer=Entropy(0.5),
                              kernel_constraint=Between(-0.5, 1.5),
                              activation=lambda t: 2 * t if False else K.tanh(t))])
    model.layers[0].activation = K.tanh
    np.testing.assert_array_equal(model.get_weights()[0].ravel(), [0, 1, 2, 3])
    model.compile("sgd", "mse")
    plain = Sequential([Dense(1, input_shape=(4,), activation="tanh")])
    plain.compile("sgd", "mse")
    plain.set_weights(model.get_weights())
    assert model.test_on_batch(x, y) == pytest.approx(plain.test_on_batch(x, y) + 0.5 * 6, rel=1e-5)
    model.train_on_batch(x, y)
    assert model.get_weights()[0].max() <= 1.5


def test_registered_names_need_no_custom_objects(tmp_path):
    def swish(t):
        return t * K.sigmoid(t)
    get_custom_objects().update({"swish_of_the_user": swish, "Between": Between})
    swish.__name__ = "swish_of_the_user"
    try:
        model = Sequential([Dense(2, input_shape=(3,), activation="swish_of_the_user",
                                  kernel_constraint=Between(-1, 1))])
        model.compile("sgd", "mse")
        model.save(str(tmp_path / "m.h5"))
        x = np.ones((2, 3))
        np.testing.assert_array_equal(load_model(str(tmp_path / "m.h5")).predict(x),
                                      model.predict(x))
    finally:
        get_custom_objects().clear()


# ---- models

def test_a_gan_trains_its_two_sides_in_turn():
    generator = Sequential([Dense(4, input_shape=(2,))], name="generator")
    discriminator = Sequential([Dense(1, activation="sigmoid", input_shape=(4,))],
                               name="discriminator")
    discriminator.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    discriminator.trainable = False
    noise = Input(shape=(2,))
    combined = Model(noise, discriminator(generator(noise)))
    combined.compile("sgd", "binary_crossentropy")
    x, before = np.ones((8, 4)), discriminator.get_weights()[0].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")     # trainable was switched after compile, as it should be
        discriminator.train_on_batch(x, np.ones((8, 1)))
    middle = discriminator.get_weights()[0].copy()
    generated = generator.get_weights()[0].copy()
    combined.train_on_batch(np.ones((8, 2)), np.ones((8, 1)))
    assert not np.array_equal(before, middle)
    np.testing.assert_array_equal(discriminator.get_weights()[0], middle)
    assert not np.array_equal(generator.get_weights()[0], generated)


def test_a_wasserstein_critic_has_a_penalty_on_gradients():
    class Between(_Merge):
        def _merge_function(self, inputs):
            share = K.random_uniform((K.shape(inputs[0])[0], 1))
            return share * inputs[0] + (1 - share) * inputs[1]

    def wasserstein(y_true, y_pred):
        return K.mean(y_true * y_pred)
    critic = Sequential([Dense(1, input_shape=(3,), use_bias=False, name="critic")])
    generator = Sequential([Dense(3, input_shape=(2,))])
    generator.trainable = False
    real, noise = Input((3,)), Input((2,))
    fake = generator(noise)
    between = Between()([real, fake])

    def penalty(y_true, y_pred, samples):
        gradients, = K.gradients(y_pred, samples)
        squares = K.sum(K.square(gradients), axis=np.arange(1, len(gradients.shape)))
        return K.mean(K.square(1 - K.sqrt(squares)))
    penalty = functools.partial(penalty, samples=between)
    penalty.__name__ = "penalty"
    model = Model([real, noise], [critic(real), critic(fake), critic(between)])
    model.compile("sgd", [wasserstein, wasserstein, penalty], loss_weights=[1, 1, 10])
    kernel, = critic.get_weights()
    x, z, ones = np.random.rand(6, 3), np.random.rand(6, 2), np.ones((6, 1))
    total, on_real, on_fake, on_gradient = model.test_on_batch([x, z], [ones, -ones, 0 * ones])
    size = np.sqrt(np.square(kernel).sum())     # the gradient of the critic is its kernel
    assert on_real == pytest.approx((x @ kernel).mean(), rel=1e-4)
    assert on_gradient == pytest.approx((1 - size) ** 2, rel=1e-4)
    assert total == pytest.approx(on_real + on_fake + 10 * on_gradient, rel=1e-4)
    for _ in range(200):
        last = model.train_on_batch([0 * x, 0 * z], [ones, -ones, 0 * ones])
    assert last[3] < 1e-3


def test_a_variational_autoencoder_adds_its_loss():
    x = Input(shape=(4,))
    mean, spread = Dense(2)(x), Dense(2)(x)

    def sampling(args):
        mean, spread = args
        noise = K.random_normal(shape=(K.shape(mean)[0], 2))
        return mean + K.exp(0.5 * spread) * noise
    z = Lambda(sampling, output_shape=(2,))([mean, spread])
    decoded = Dense(4)(z)
    vae = Model(x, decoded)
    reconstruction = losses.mse(x, decoded) * 4
    kl = -0.5 * K.sum(1 + spread - K.square(mean) - K.exp(spread), axis=-1)
    vae.add_loss(K.mean(reconstruction + kl))
    vae.add_metric(K.mean(kl), name="kl")
    vae.compile(optimizer="adam")
    history = vae.fit(data()[0], epochs=2, batch_size=10, verbose=0).history
    assert set(history) == {"loss", "kl"} and np.isfinite(history["loss"]).all()


class Centre(Layer):
    """A layer with a loss, an update and a metric of its own."""

    def build(self, input_shape):
        self.mean = self.add_weight(name='mean', shape=(input_shape[-1],), initializer='zeros',
                                    trainable=False)
        super(Centre, self).build(input_shape)

    def call(self, x):
        batch = K.mean(x, axis=0)
        self.add_update(K.moving_average_update(self.mean, batch, 0.5), x)
        self.add_loss(0.1 * K.sum(K.square(batch)), x)
        self.add_metric(K.max(x), name='highest')
        return x - self.mean

    def compute_output_shape(self, input_shape):
        return input_shape


def test_losses_updates_and_metrics_of_a_layer_of_the_user():
    x, y = data(8)
    model = Sequential([Centre(input_shape=(4,)), Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    assert model.metrics_names == ["loss", "mae", "highest"]
    loss, _, highest = model.test_on_batch(x, y)
    assert highest == pytest.approx(x.max(), rel=1e-6)
    error = np.mean(np.square(model.predict(x) - y))
    assert loss == pytest.approx(error + 0.1 * np.square(x.mean(axis=0)).sum(), rel=1e-4)
    model.train_on_batch(x, y)
    np.testing.assert_allclose(K.get_value(model.layers[0].mean), 0.5 * x.mean(axis=0), rtol=1e-5)


def test_monte_carlo_dropout_by_a_function_of_k():
    model = Sequential([Dropout(0.5, input_shape=(50,)), Dense(1, kernel_initializer="ones")])
    function = K.function([model.layers[0].input, K.learning_phase()], [model.layers[-1].output])
    x = np.ones((1, 50))
    assert function([x, 0])[0] == pytest.approx(50)
    assert len({float(function([x, 1])[0][0, 0]) for _ in range(5)}) > 1


# ---- decorators that copied code of Keras has

def test_the_decorators_of_keras_2_for_the_arguments_of_keras_1():
    class Decorated(PlainMomentum):
        @interfaces.legacy_get_updates_support
        def get_updates(self, loss, params):
            return super(Decorated, self).get_updates(loss, params)
    x, y = data(8)
    model, own = regression(Decorated(lr=0.1)), regression(optimizers.SGD(lr=0.1))
    for one in (model, own):
        one.train_on_batch(x, y)
    np.testing.assert_allclose(model.get_weights()[0], own.get_weights()[0], rtol=1e-5)
    weight = K.variable(np.ones(3))
    old_style = Decorated(lr=0.1).get_updates([weight], {}, K.sum(weight))
    assert any(variable is weight for variable, _ in old_style)

    class Scaled(Dense):
        @interfaces.legacy_dense_support
        def __init__(self, units, factor=2, **kwargs):
            super(Scaled, self).__init__(units, **kwargs)
            self.factor = factor
    with pytest.warns(UserWarning, match="output_dim .*of Keras 1"):
        layer = Scaled(output_dim=3, factor=5)
    assert (layer.units, layer.factor) == (3, 5)

    class Own(Layer):
        @interfaces.legacy_add_weight_support
        def add_weight(self, *args, **kwargs):
            return super(Own, self).add_weight(*args, **kwargs)
    assert Own().add_weight((2, 3), "kernel").shape == (2, 3)

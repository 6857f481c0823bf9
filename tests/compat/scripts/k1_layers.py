"""Layers, initializers, penalties and constraints that users wrote for Keras 1."""
import numpy as np
from keras import backend as K
from keras import constraints, initializations, regularizers
from keras.constraints import maxnorm
from keras.engine.topology import Layer
from keras.layers import (BatchNormalization, Dense, Highway, Lambda, MaxoutDense,
                          ParametricSoftplus, SimpleRNN, SReLU, TimeDistributedDense)
from keras.models import Sequential
from keras.optimizers import Optimizer
from keras.regularizers import activity_l2, l2
from keras.utils.layer_utils import layer_from_config


class MyLayer(Layer):
    def __init__(self, output_dim, **kwargs):
        self.output_dim = output_dim
        super(MyLayer, self).__init__(**kwargs)

    def build(self, input_shape):
        self.W = K.variable(np.random.random((input_shape[1], self.output_dim)))
        self.trainable_weights = [self.W]
        super(MyLayer, self).build(input_shape)

    def call(self, x, mask=None):
        return K.dot(x, self.W)

    def get_output_shape_for(self, input_shape):
        return (input_shape[0], self.output_dim)


class Old(Layer):
    def __init__(self, **kwargs):
        self.W_regularizer = regularizers.get("l2")
        self.W_constraint = constraints.get("nonneg")
        super(Old, self).__init__(**kwargs)

    def build(self, input_shape):
        init = initializations.get("glorot_uniform")
        self.W = init((input_shape[1], 3), name="{}_W".format(self.name))
        self.b = self.add_weight((3,), initializer="zero", name="{}_b".format(self.name))
        self.trainable_weights = [self.W, self.b]
        self.regularizers = []
        self.W_regularizer.set_param(self.W)
        self.regularizers.append(self.W_regularizer)
        self.constraints = {self.W: self.W_constraint}

    def call(self, x, mask=None):
        return K.dot(x, self.W) + self.b

    def get_output_shape_for(self, input_shape):
        return (input_shape[0], 3)


class Descent(Optimizer):
    def __init__(self, lr=0.1, **kwargs):
        super(Descent, self).__init__(**kwargs)
        self.lr = K.variable(lr)

    def get_updates(self, params, constraints, loss):
        self.updates = []
        for p, g in zip(params, self.get_gradients(loss, params)):
            new = p - self.lr * g
            if p in constraints:
                new = constraints[p](new)
            self.updates.append(K.update(p, new))
        return self.updates


def my_init(shape, name=None):
    return K.variable(np.random.random(shape), name=name)


def small(shape, name=None):
    return initializations.normal(shape, scale=0.01, name=name)


model = Sequential()
model.add(Dense(8, input_dim=6, init=my_init, W_regularizer=l2(0.01),
                activity_regularizer=activity_l2(0.01)))
model.add(Dense(8, init=small, W_constraint=maxnorm(2)))
model.add(MyLayer(5))
model.add(Old())
model.compile(Descent(), "mse")
x = np.random.random((8, 6))
model.fit(x, np.zeros((8, 3)), nb_epoch=2, verbose=0)
old = model.layers[-1]
assert len(old.losses) == 1 and K.get_value(old.W).min() >= 0
assert len(model.trainable_weights) == 7

for layer in (MaxoutDense(4, nb_feature=3), Highway(activation="tanh"), SReLU(),
              ParametricSoftplus(), BatchNormalization(mode=1), BatchNormalization(mode=2),
              Lambda(lambda v: v ** 2, output_shape=(6,))):
    chain = Sequential()
    chain.add(Dense(6, input_dim=6))
    chain.add(layer)
    assert chain.predict(x).shape[0] == 8, layer
irnn = Sequential()
irnn.add(SimpleRNN(output_dim=4, init=lambda shape, name: initializations.normal(
    shape, scale=0.001, name=name), inner_init=lambda shape, name: initializations.identity(
        shape, scale=1.0, name=name), activation="relu", input_shape=(5, 1)))
assert (irnn.get_weights()[1] == np.eye(4)).all()
steps = Sequential([TimeDistributedDense(4, input_dim=3, input_length=5, init="uniform")])
assert steps.output_shape == (None, 5, 4)
copy = layer_from_config({"class_name": "Dense", "config": Dense(3, name="d").get_config()})
assert copy.name == "d"

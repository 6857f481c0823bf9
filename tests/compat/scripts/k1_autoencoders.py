"""Autoencoders in Keras 1: sparse, deep, variational."""
import numpy as np
from keras import backend as K
from keras import objectives, regularizers
from keras.layers import Dense, Input, Lambda
from keras.models import Model

x = np.random.random((40, 16))
image = Input(shape=(16,))
encoded = Dense(4, activation="relu",
                activity_regularizer=regularizers.activity_l1(10e-5))(image)
decoded = Dense(16, activation="sigmoid")(encoded)
autoencoder = Model(input=image, output=decoded)
encoder = Model(input=image, output=encoded)
code = Input(shape=(4,))
decoder = Model(input=code, output=autoencoder.layers[-1](code))
autoencoder.compile(optimizer="adadelta", loss="binary_crossentropy")
autoencoder.fit(x, x, nb_epoch=2, batch_size=10, shuffle=True, validation_data=(x, x), verbose=0)
assert decoder.predict(encoder.predict(x)).shape == (40, 16)

batch = 10
inputs = Input(batch_shape=(batch, 16))
h = Dense(8, activation="relu")(inputs)
z_mean, z_log_sigma = Dense(2)(h), Dense(2)(h)


def sampling(args):
    mean, log_sigma = args
    epsilon = K.random_normal(shape=(batch, 2), mean=0.0, std=1.0)
    return mean + K.exp(log_sigma) * epsilon


z = Lambda(sampling, output_shape=(2,))([z_mean, z_log_sigma])
x_mean = Dense(16, activation="sigmoid")(Dense(8, activation="relu")(z))


def vae_loss(target, output):
    xent = objectives.binary_crossentropy(target, output)
    kl = -0.5 * K.mean(1 + z_log_sigma - K.square(z_mean) - K.exp(z_log_sigma), axis=-1)
    return xent + kl


vae = Model(inputs, x_mean)
vae.compile(optimizer="rmsprop", loss=vae_loss)
vae.fit(x, x, shuffle=True, nb_epoch=1, batch_size=batch, validation_data=(x, x), verbose=0)
assert Model(inputs, z_mean).predict(x, batch_size=batch).shape == (40, 2)

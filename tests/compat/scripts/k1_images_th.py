"""Convolutions of Keras 1 with the channels first: a classifier, autoencoders, filters as images."""
import numpy as np
from keras import backend as K
from keras.callbacks import TensorBoard
from keras.layers import (Activation, Convolution2D, Dense, Dropout, Flatten, Input, MaxPooling2D,
                          UpSampling2D, ZeroPadding2D, merge)
from keras.models import Model, Sequential
from keras.optimizers import SGD
import os
import tempfile

assert K.image_dim_ordering() == "th"
model = Sequential()
model.add(Convolution2D(4, 3, 3, border_mode="valid", input_shape=(3, 20, 20)))
model.add(Activation("relu"))
model.add(Convolution2D(4, 3, 3))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(16))
model.add(Activation("relu"))
model.add(Dense(10))
model.add(Activation("softmax"))
model.compile(loss="categorical_crossentropy",
              optimizer=SGD(lr=0.1, decay=1e-6, momentum=0.9, nesterov=True))
model.fit(np.random.random((8, 3, 20, 20)), np.eye(10)[:8], batch_size=4, nb_epoch=1, verbose=0)
assert model.layers[3].output_shape == (None, 4, 8, 8)

# inception and residual blocks
image = Input(shape=(3, 16, 16))
tower_1 = Convolution2D(4, 1, 1, border_mode="same", activation="relu")(image)
tower_1 = Convolution2D(4, 3, 3, border_mode="same", activation="relu")(tower_1)
tower_2 = MaxPooling2D((3, 3), strides=(1, 1), border_mode="same")(image)
tower_2 = Convolution2D(4, 1, 1, border_mode="same", activation="relu")(tower_2)
joined = merge([tower_1, tower_2], mode="concat", concat_axis=1)
assert K.int_shape(joined) == (None, 8, 16, 16)
residual = merge([Convolution2D(3, 3, 3, border_mode="same")(image), image], mode="sum")
assert K.int_shape(residual) == (None, 3, 16, 16)
shared = Convolution2D(4, 3, 3, border_mode="same")
shared(image)
assert shared.input_shape == (None, 3, 16, 16)
shared(Input(shape=(3, 32, 32)))
assert shared.get_input_shape_at(0) == (None, 3, 16, 16)
assert shared.get_input_shape_at(1) == (None, 3, 32, 32)

# an autoencoder of images
picture = Input(shape=(1, 28, 28))
x = Convolution2D(4, 3, 3, activation="relu", border_mode="same")(picture)
x = MaxPooling2D((2, 2), border_mode="same")(x)
x = Convolution2D(4, 3, 3, activation="relu", border_mode="same")(x)
encoded = MaxPooling2D((2, 2), border_mode="same")(x)
x = UpSampling2D((2, 2))(encoded)
x = UpSampling2D((2, 2))(x)
decoded = Convolution2D(1, 3, 3, activation="sigmoid", border_mode="same")(x)
autoencoder = Model(picture, decoded)
autoencoder.compile(optimizer="adadelta", loss="binary_crossentropy")
pixels = np.random.random((8, 1, 28, 28))
folder = tempfile.mkdtemp()
autoencoder.fit(pixels, pixels, nb_epoch=1, batch_size=4, shuffle=True, verbose=0,
                validation_data=(pixels, pixels),
                callbacks=[TensorBoard(log_dir=folder, histogram_freq=0, write_graph=False)])
assert os.listdir(folder)

# what a filter looks for, by gradient ascent
vgg = Sequential()
vgg.add(ZeroPadding2D((1, 1), batch_input_shape=(1, 3, 16, 16)))
start = vgg.layers[-1].input
vgg.add(Convolution2D(4, 3, 3, activation="relu", name="conv1_1"))
vgg.add(ZeroPadding2D((1, 1)))
vgg.add(Convolution2D(4, 3, 3, activation="relu", name="conv1_2"))
vgg.add(MaxPooling2D((2, 2), strides=(2, 2)))
layers = dict([(layer.name, layer) for layer in vgg.layers])
loss = K.mean(layers["conv1_2"].output[:, 0, :, :])
grads = K.gradients(loss, start)[0]
grads /= (K.sqrt(K.mean(K.square(grads))) + 1e-5)
iterate = K.function([start], [loss, grads])
data = np.random.random((1, 3, 16, 16)) * 20 + 128.0
first, _ = iterate([data])
for _ in range(5):
    value, slope = iterate([data])
    data += slope
assert value >= first

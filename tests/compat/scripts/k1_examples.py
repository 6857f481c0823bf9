"""What the example programs of Keras 1 do beside training a model: memories, switches, generators."""
import numpy as np
from keras import backend as K
from keras import objectives
from keras.callbacks import Callback
from keras.initializations import identity, normal
from keras.layers import (GRU, LSTM, Activation, BatchNormalization, Convolution1D, Convolution2D,
                          Convolution3D, Deconvolution2D, Dense, Dropout, Flatten,
                          GlobalMaxPooling1D, Input, Lambda, MaxPooling1D, MaxPooling2D, Merge,
                          Permute, Reshape, SimpleRNN, TimeDistributed, UpSampling2D, merge)
from keras.layers.convolutional_recurrent import ConvLSTM2D
from keras.layers.embeddings import Embedding
from keras.models import Model, Sequential
from keras.optimizers import SGD, RMSprop
from keras.preprocessing.image import ImageDataGenerator
from keras.utils import np_utils

rng = np.random.RandomState(0)

# ---- a network with a memory: chains that are joined more than once
story, query = Sequential(), Sequential()
story.add(Embedding(input_dim=11, output_dim=6, input_length=7))
story.add(Dropout(0.3))
query.add(Embedding(input_dim=11, output_dim=6, input_length=3))
match = Sequential()
match.add(Merge([story, query], mode="dot", dot_axes=[2, 2]))
match.add(Activation("softmax"))
content = Sequential()
content.add(Embedding(input_dim=11, output_dim=3, input_length=7))
response = Sequential()
response.add(Merge([match, content], mode="sum"))
response.add(Permute((2, 1)))
answer = Sequential()
answer.add(Merge([response, query], mode="concat", concat_axis=-1))
answer.add(LSTM(4))
answer.add(Dense(11))
answer.add(Activation("softmax"))
answer.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
stories, queries = rng.randint(1, 11, (12, 7)), rng.randint(1, 11, (12, 3))
targets = np_utils.to_categorical(rng.randint(0, 11, 12), 11)
history = answer.fit([stories, queries, stories], targets, batch_size=6, nb_epoch=2, verbose=0,
                     validation_data=([stories, queries, stories], targets))
assert "val_acc" in history.history

# ---- where pooling found the largest, by a function as the mode of merge


def where(pair):
    return K.gradients(K.sum(pair[1]), pair[0])


image = Input(shape=(8, 8, 1))
before = Convolution2D(2, 3, 3, border_mode="same")(image)
before = merge([before, Activation("relu")(BatchNormalization(mode=0, axis=-1)(before))],
               mode="sum")
after = MaxPooling2D(pool_size=(2, 2))(before)
switches = merge([before, after], mode=where, output_shape=lambda shapes: shapes[0])
back = merge([UpSampling2D(size=(2, 2))(after), switches], mode="mul")
model = Model(image, Activation("hard_sigmoid")(Convolution2D(1, 3, 3, border_mode="same")(back)))
model.compile("adam", "mse")
x = rng.rand(6, 8, 8, 1)
model.fit(x, x, validation_data=(x, x), batch_size=3, nb_epoch=1, verbose=0)

# ---- initial values that are functions of a shape and a name
model = Sequential()
model.add(SimpleRNN(output_dim=5, input_shape=(9, 1), activation="relu",
                    init=lambda shape, name: normal(shape, scale=0.001, name=name),
                    inner_init=lambda shape, name: identity(shape, scale=1.0, name=name)))
assert np.array_equal(model.get_weights()[1], np.eye(5))
model.add(Dense(2, activation="softmax"))
model.compile(loss="categorical_crossentropy", optimizer=RMSprop(lr=1e-6), metrics=["accuracy"])

# ---- samples are counted, also where the generator waits for its callback


class Feed(Callback):
    def on_train_begin(self, logs={}):
        self.seen = 0

    def on_batch_end(self, batch, logs={}):
        self.seen += logs["size"]

    def batches(self):
        while 1:
            assert self.seen >= 0
            yield {"words": rng.randint(0, 11, (5, 6))}, {"kind": rng.rand(5, 2)}


words = Input(shape=(6,), dtype="int32", name="words")
h = Convolution1D(nb_filter=4, filter_length=3, border_mode="valid", activation="relu",
                  subsample_length=1)(Embedding(11, 4, dropout=0.2)(words))
h = merge([GlobalMaxPooling1D()(h), GRU(4, dropout_W=0.2, dropout_U=0.2)(
    MaxPooling1D(pool_length=2)(h))], mode="concat")
model = Model(input=[words], output=Dense(2, name="kind")(h))
model.compile(loss={"kind": "mse"}, optimizer=SGD(lr=0.03, decay=3e-7, momentum=0.9, nesterov=True,
                                                 clipnorm=5))
feed = Feed()
model.fit_generator(generator=feed.batches(), samples_per_epoch=12, nb_epoch=2, verbose=0,
                    validation_data=feed.batches(), nb_val_samples=5, callbacks=[feed])
assert feed.seen == 30, "12 samples are three batches of 5"

images = ImageDataGenerator(featurewise_center=False, width_shift_range=0.1, horizontal_flip=True)
images.fit(x)
model = Sequential()
model.add(Flatten(input_shape=(8, 8, 1)))
model.add(Dense(1))
model.compile(loss="mse", optimizer="sgd", metrics=["accuracy"])
model.fit_generator(images.flow(x, np.ones((6, 1)), batch_size=4), samples_per_epoch=6, nb_epoch=2,
                    verbose=0, validation_data=(x, np.ones((6, 1))))

# ---- a variational autoencoder whose decoder has a fixed batch
batch = 4
image = Input(batch_shape=(batch, 8, 8, 1))
h = Convolution2D(3, 2, 2, border_mode="same", activation="relu", subsample=(2, 2))(image)
flat = Flatten()(h)
mean, log_var = Dense(2)(flat), Dense(2)(flat)


def sampling(args):
    mean, log_var = args
    return mean + K.exp(log_var) * K.random_normal(shape=(batch, 2), mean=0.0, std=1.0)


z = Lambda(sampling, output_shape=(2,))([mean, log_var])
decoded = Reshape((4, 4, 3))(Dense(48, activation="relu")(z))
decoded = Deconvolution2D(3, 3, 3, (batch, 9, 9, 3), border_mode="valid", subsample=(2, 2),
                          activation="relu")(decoded)
decoded = Convolution2D(1, 2, 2, border_mode="valid", activation="sigmoid")(decoded)


def loss(x, decoded):
    x, decoded = K.flatten(x), K.flatten(decoded)
    kl = -0.5 * K.mean(1 + log_var - K.square(mean) - K.exp(log_var), axis=-1)
    return 64 * objectives.binary_crossentropy(x, decoded) + kl


vae = Model(image, decoded)
vae.compile(optimizer="rmsprop", loss=loss)
x = rng.rand(8, 8, 8, 1)
vae.fit(x, x, shuffle=True, nb_epoch=1, batch_size=batch, verbose=0)

# ---- movies, and rows of columns
movie = Sequential()
movie.add(ConvLSTM2D(nb_filter=2, nb_row=3, nb_col=3, input_shape=(None, 6, 6, 1),
                     border_mode="same", return_sequences=True))
movie.add(BatchNormalization())
movie.add(Convolution3D(nb_filter=1, kernel_dim1=1, kernel_dim2=3, kernel_dim3=3,
                        activation="sigmoid", border_mode="same", dim_ordering="tf"))
movie.compile(loss="binary_crossentropy", optimizer="adadelta")
films = rng.rand(4, 3, 6, 6, 1)
movie.fit(films, films, batch_size=2, nb_epoch=1, validation_split=0.25, verbose=0)

rows = Input(shape=(5, 4, 1))
encoded = LSTM(output_dim=3)(TimeDistributed(LSTM(output_dim=3))(rows))
model = Model(rows, Dense(2, activation="softmax")(encoded))
assert model.predict(rng.rand(2, 5, 4, 1)).shape == (2, 2)

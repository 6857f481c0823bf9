"""What the example programs of Keras 2 do beside training a model: generators, losses, gradients."""
import os
import re
import tempfile
import numpy as np
from six.moves import range
from keras import backend as K
from keras import layers
from keras.callbacks import Callback, LearningRateScheduler, ReduceLROnPlateau
from keras.initializers import Constant, RandomNormal
from keras.layers import (GRU, Conv2D, Conv2DTranspose, Dense, Dropout, Embedding, Flatten, Input,
                          Lambda, Layer, LeakyReLU, MaxPooling2D, Reshape, UpSampling2D)
from keras.models import Model, Sequential, clone_model, load_model
from keras.optimizers import Adam
from keras.utils import Sequence, to_categorical

rng = np.random.RandomState(0)
assert np.zeros(3, dtype=np.float).dtype == "float64"
assert [part for part in re.split(r"(\W+)?", "Where is it?") if part and part.strip()] \
    == ["Where", "is", "it", "?"]

# ---- text in pictures: CTC in a Lambda, a callback that is the generator too

STEPS, LETTERS, LONGEST = 8, 5, 4


class Pictures(Callback):
    """Batches that exist once training has begun; the last picture of each is empty."""

    def on_train_begin(self, logs={}):
        self.size = 6

    def batches(self):
        while True:
            labels = rng.randint(0, LETTERS - 1, (self.size, LONGEST))
            lengths = np.full((self.size, 1), 3)
            labels[-1, 0], lengths[-1] = LETTERS - 1, 1
            inputs = {"the_input": rng.rand(self.size, STEPS, 3), "the_labels": labels,
                      "input_length": np.full((self.size, 1), STEPS - 2), "label_length": lengths,
                      "source_str": ["abc"] * self.size}
            yield inputs, {"ctc": np.zeros(self.size)}


def ctc(args):
    y_pred, labels, input_length, label_length = args
    return K.ctc_batch_cost(labels, y_pred[:, 2:, :], input_length, label_length)


image = Input(name="the_input", shape=(STEPS, 3))
both = layers.add([GRU(4, return_sequences=True)(image),
                   GRU(4, return_sequences=True, go_backwards=True)(image)])
y_pred = Dense(LETTERS, activation="softmax")(both)
labels = Input(name="the_labels", shape=[LONGEST], dtype="float32")
lengths = [Input(name=name, shape=[1], dtype="int64") for name in ("input_length", "label_length")]
loss = Lambda(ctc, output_shape=(1,), name="ctc")([y_pred, labels] + lengths)
model = Model(inputs=[image, labels] + lengths, outputs=loss)
model.compile(loss={"ctc": lambda y_true, y_pred: y_pred}, optimizer="sgd")
pictures = Pictures()
history = model.fit_generator(generator=pictures.batches(), steps_per_epoch=3, epochs=2, verbose=0,
                              validation_data=pictures.batches(), validation_steps=1,
                              callbacks=[pictures])
assert np.isfinite(history.history["val_loss"]).all()

# ---- what was largest, by the gradient of pooling

image = Input((8, 8, 2))
before = Conv2D(2, 3, padding="same")(image)
pooled = MaxPooling2D()(before)
where = Lambda(lambda pair: K.gradients(K.sum(pair[1]), pair[0]),
               output_shape=lambda shapes: shapes[0])([before, pooled])
back = layers.multiply([UpSampling2D()(pooled), where])
switches = Model(image, [back, where])
switches.compile("adam", "mse")
switches.train_on_batch(rng.rand(4, 8, 8, 2), [np.zeros((4, 8, 8, 2))] * 2)
assert set(np.unique(switches.predict(rng.rand(4, 8, 8, 2))[1])) <= {0.0, 1.0}

# ---- adversaries, and a class that comes as an axis of its own

generator = Sequential([Dense(3 * 3 * 8, input_dim=5, activation="relu"), Reshape((3, 3, 8)),
                        Conv2DTranspose(1, 4, strides=2, activation="tanh",
                                        kernel_initializer="glorot_normal")])
latent, image_class = Input(shape=(5,)), Input(shape=(1,), dtype="int32")
fake = generator(layers.multiply([latent, Embedding(10, 5)(image_class)]))
maker = Model([latent, image_class], fake)
critic = Sequential([Conv2D(4, 3, padding="same", strides=2, input_shape=(8, 8, 1)), LeakyReLU(0.2),
                     Dropout(0.3), Flatten()])
image = Input(shape=(8, 8, 1))
features = critic(image)
judge = Model(image, [Dense(1, activation="sigmoid", name="generation")(features),
                      Dense(10, activation="softmax", name="auxiliary")(features)])
judge.compile(optimizer=Adam(lr=0.0002, beta_1=0.5),
              loss=["binary_crossentropy", "sparse_categorical_crossentropy"])
judge.trainable = False
combined = Model([latent, image_class], judge(maker([latent, image_class])))
combined.compile(optimizer=Adam(lr=0.0002, beta_1=0.5),
                 loss=["binary_crossentropy", "sparse_categorical_crossentropy"])
frozen = judge.get_weights()
noise, classes = rng.uniform(-1, 1, (6, 5)), rng.randint(0, 10, 6)
made = maker.predict([noise, classes.reshape((-1, 1))], verbose=0)
weights = [np.ones(6), np.concatenate((np.ones(3) * 2, np.zeros(3)))]
assert len(judge.train_on_batch(made, [np.zeros(6), classes], sample_weight=weights)) == 3
frozen = judge.get_weights()
combined.train_on_batch([noise, classes.reshape((-1, 1))], [np.ones(6) * 0.95, classes])
assert all(np.array_equal(one, other) for one, other in zip(frozen, judge.get_weights()))

# ---- a loss that a layer adds, and no targets


class Variational(Layer):
    def loss(self, x, decoded, mean, log_var):
        kl = -5e-4 * K.mean(1 + log_var - K.square(mean) - K.exp(log_var), axis=-1)
        return K.mean(K.binary_crossentropy(K.flatten(x), K.flatten(decoded)) + K.mean(kl))

    def call(self, inputs):
        self.add_loss(self.loss(*inputs), inputs=inputs)
        return inputs[0]


x = Input((12,))
mean, log_var = Dense(2)(x), Dense(2)(x)


def sampling(args):
    mean, log_var = args
    epsilon = K.random_normal(shape=(K.shape(mean)[0], K.int_shape(mean)[1]), stddev=1.0)
    return mean + K.exp(0.5 * log_var) * epsilon


z = Lambda(sampling, output_shape=(2,), name="z")([mean, log_var])
decoded = Dense(12, activation="sigmoid")(z)
vae = Model(x, Variational()([x, decoded, mean, log_var]))
vae.compile(optimizer="rmsprop", loss=None)
data = rng.rand(20, 12)
vae.fit(x=data, y=None, shuffle=True, epochs=2, batch_size=10, verbose=0,
        validation_data=(data, None))
plain = Model(x, decoded)
assert clone_model(plain).predict(data).shape == (20, 12)
plain.compile("sgd", "mse")
path = os.path.join(tempfile.mkdtemp(), "plain.h5")
plain.save(path)
assert load_model(path).count_params() == plain.count_params()

# ---- predictions for as many samples as the first input has

ends = [Input((3,)), Input((2,))]
joined = Model(ends, Dense(2)(layers.concatenate(ends)))
assert joined.predict([data[:5, :3], data[:, :2]]).shape == (5, 2)

# ---- rates of learning, weights given as constants, sequences of batches


class Batches(Sequence):
    def __len__(self):
        return 4

    def __getitem__(self, place):
        return data[place * 5:place * 5 + 5], to_categorical(np.arange(5) % 3, 3)


known = Sequential([Dense(6, input_dim=12, kernel_initializer=Constant(rng.rand(12, 6)),
                          activation=lambda x: K.concatenate([K.relu(x), K.relu(-x)])),
                    Dense(3, activation="softmax", kernel_initializer=RandomNormal(stddev=0.01))])
known.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
history = known.fit_generator(Batches(), epochs=3, verbose=0, workers=2, callbacks=[
    LearningRateScheduler(lambda epoch: 1e-3 * 0.9 ** epoch),
    ReduceLROnPlateau(monitor="loss", factor=np.sqrt(0.1), cooldown=0, patience=5, min_lr=1e-6)])
assert len(history.history["lr"]) == 3

"""The guides to Keras 2 among the documents that symk answers for."""
import os
import tempfile
import numpy as np
from keras import backend as K
from keras.layers import (LSTM, Activation, Conv1D, Conv2D, Dense, Dropout, Embedding, Flatten,
                          Input, MaxPooling2D)
from keras.models import Model, Sequential, load_model
from keras.optimizers import Adam
from keras.utils import np_utils

data, labels = np.random.random((40, 100)), np_utils.to_categorical(
    np.random.randint(10, size=40), 10)
model = Sequential()
model.add(Dense(units=64, activation="relu", input_dim=100))
model.add(Dense(units=10, activation="softmax"))
model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
model.fit(data, labels, batch_size=32, nb_epoch=2, verbose=0)


def fbeta(y_true, y_pred, beta=1, threshold_shift=0):
    decided = K.round(K.clip(y_pred, 0, 1) + threshold_shift)
    tp = K.sum(K.round(y_true * decided), axis=1) + K.epsilon()
    fp = K.sum(K.round(K.clip(decided - y_true, 0, 1)), axis=1)
    fn = K.sum(K.round(K.clip(y_true - decided, 0, 1)), axis=1)
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    return K.mean((beta ** 2 + 1) * (precision * recall)
                  / (beta ** 2 * precision + recall + K.epsilon()))


inputs = Input(shape=(100,))
x = Dense(16, activation="relu", name="middle")(inputs)
model = Model(inputs=inputs, outputs=[Dense(10, activation="sigmoid", name="sigmoid_1")(x),
                                      Dense(1, activation="sigmoid", name="sigmoid_2")(x)])
model.compile(loss={"sigmoid_1": "binary_crossentropy", "sigmoid_2": "mse"},
              loss_weights={"sigmoid_1": 0.5, "sigmoid_2": 0.5}, optimizer=Adam(lr=1e-3, decay=1e-4),
              metrics={"sigmoid_1": fbeta})
model.fit(data, [labels, np.ones((40, 1))], epochs=1, verbose=0)
path = os.path.join(tempfile.mkdtemp(), "x_model.hdf5")
model.save(path)
model = load_model(path, custom_objects={"fbeta": fbeta})
model.save_weights(path + ".weights")
model.load_weights(path + ".weights")
middle = Model(inputs=model.input, outputs=model.get_layer("middle").output)
assert middle.predict(data).shape == (40, 16)
for layer in model.layers[:2]:
    layer.trainable = False
model.compile(optimizer=Adam(lr=1e-3), loss="binary_crossentropy", metrics=["acc"])
assert Conv1D(1, 2, trainable=False).trainable is False

words = Sequential()
words.add(Embedding(input_dim=400, output_dim=32, input_length=20))
words.add(Flatten())
assert words.output_shape == (None, 640)
images = Sequential([
    Conv2D(4, (3, 3), padding="valid", input_shape=(12, 12, 1)), Activation("relu"),
    MaxPooling2D(pool_size=(2, 2)), Dropout(0.25), Flatten(), Dense(10, activation="softmax")])
images.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
history = images.fit(np.random.random((40, 12, 12, 1)), labels, batch_size=32, epochs=1, verbose=0,
                     validation_split=0.25)
assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
series = Sequential([LSTM(4, recurrent_activation="hard_sigmoid", dropout=0.1,
                          recurrent_dropout=0.1, input_shape=(5, 3))])
assert series.output_shape == (None, 4)

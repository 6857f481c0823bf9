"""Saving, callbacks, generators, inner outputs and text in Keras 1."""
import os
import tempfile
import numpy as np
from keras import backend as K
from keras.callbacks import Callback, EarlyStopping, ModelCheckpoint
from keras.layers import Conv1D, Dense, Dropout, Embedding, Flatten, Input, MaxPooling1D
from keras.models import Model, Sequential, load_model, model_from_config, model_from_json
from keras.preprocessing.sequence import pad_sequences
from keras.preprocessing.text import Tokenizer
from keras.utils.np_utils import to_categorical

folder = tempfile.mkdtemp()
x, y = np.random.random((20, 6)), to_categorical(np.random.randint(3, size=20), 3)


def build():
    model = Sequential()
    model.add(Dense(8, input_dim=6, init="uniform"))
    model.add(Dropout(0.5))
    model.add(Dense(3, activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
    return model


class LossHistory(Callback):
    def on_train_begin(self, logs={}):
        self.losses = []

    def on_batch_end(self, batch, logs={}):
        self.losses.append(logs.get("loss"))


model = build()
noted = LossHistory()
weights = os.path.join(folder, "weights.hdf5")
model.fit(x, y, batch_size=10, nb_epoch=3, verbose=0, validation_data=(x, y), callbacks=[
    noted, ModelCheckpoint(filepath=weights, verbose=0, save_best_only=True),
    EarlyStopping(monitor="val_loss", patience=2)])
assert noted.losses and os.path.exists(weights)
whole = os.path.join(folder, "my_model.h5")
model.save(whole)
again = load_model(whole)
assert np.allclose(again.predict(x), model.predict(x))
assert len(again.fit(x, y, verbose=0).history["loss"]) == 10
json_model = model_from_json(model.to_json())
model.save_weights(weights)
json_model.load_weights(weights)
rebuilt = model_from_config({"class_name": "Sequential", "config": model.get_config()})
rebuilt.set_weights(model.get_weights())
assert np.allclose(rebuilt.predict(x), model.predict(x))

inner = K.function([model.layers[0].input, K.learning_phase()], [model.layers[1].output])
assert not np.allclose(inner([x, 0])[0], inner([x, 1])[0])


def batches():
    while 1:
        for start in range(0, 20, 5):
            yield x[start:start + 5], y[start:start + 5]


history = model.fit_generator(batches(), samples_per_epoch=20, nb_epoch=2, verbose=0,
                              validation_data=batches(), nb_val_samples=10)
assert len(history.history["val_loss"]) == 2
assert len(model.evaluate_generator(batches(), val_samples=20)) == 2
assert model.predict_generator(batches(), 20).shape == (20, 3)
noted = LossHistory()
model.fit_generator(batches(), 18, 1, verbose=0, callbacks=[noted])
assert len(noted.losses) == 4, "the second argument counts samples"

# frozen layers
start = Input(shape=(6,))
layer = Dense(3)
layer.trainable = False
frozen = Model(start, layer(start))
frozen.compile(optimizer="rmsprop", loss="mse")
before = layer.get_weights()[0]
try:
    frozen.train_on_batch(x, np.zeros((20, 3)))
except ValueError:
    pass
assert (layer.get_weights()[0] == before).all()

# text by convolution, on vectors that are given
texts = ["the cat sat on the mat", "the dog ate the bone"] * 8
tokenizer = Tokenizer(nb_words=20)
tokenizer.fit_on_texts(texts)
data = pad_sequences(tokenizer.texts_to_sequences(texts), maxlen=30)
matrix = np.random.random((len(tokenizer.word_index) + 1, 7))
embedding = Embedding(len(tokenizer.word_index) + 1, 7, weights=[matrix], input_length=30,
                      trainable=False)
sequence = Input(shape=(30,), dtype="int32")
v = Conv1D(8, 5, activation="relu")(embedding(sequence))
v = MaxPooling1D(5)(v)
preds = Dense(2, activation="softmax")(Dense(8, activation="relu")(Flatten()(v)))
reader = Model(sequence, preds)
reader.compile(loss="categorical_crossentropy", optimizer="rmsprop", metrics=["acc"])
reader.fit(data, to_categorical([0, 1] * 8), nb_epoch=1, batch_size=8, verbose=0)
assert (embedding.get_weights()[0] == matrix.astype("float32")).all()

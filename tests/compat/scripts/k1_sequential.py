"""Sequential guide of Keras 1: chains, branches, metrics of one's own, data in numpy arrays."""
import numpy as np
import keras.backend as K
from keras.layers import Activation, Dense, Dropout, Merge
from keras.models import Sequential
from keras.optimizers import SGD
from keras.utils.np_utils import to_categorical

listed = Sequential([Dense(32, input_dim=20), Activation("relu"), Dense(10), Activation("softmax")])
assert listed.output_shape == (None, 10)
for first in (Dense(4, input_shape=(20,)), Dense(4, batch_input_shape=(None, 20)),
              Dense(4, input_dim=20)):
    model = Sequential()
    model.add(first)
    assert model.output_shape == (None, 4)


def branch():
    side = Sequential()
    side.add(Dense(8, input_dim=20))
    return side


for mode, size in (("sum", 8), ("concat", 16), ("mul", 8), ("ave", 8),
                   (lambda x: x[0] - x[1], 8)):
    final = Sequential()
    final.add(Merge([branch(), branch()], mode=mode))
    assert final.output_shape == (None, size)
    final.add(Dense(10, activation="softmax"))
    final.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])

ones, others = np.random.random((64, 20)), np.random.random((64, 20))
labels = to_categorical(np.random.randint(10, size=(64, 1)), 10)
history = final.fit([ones, others], labels, nb_epoch=2, batch_size=32, verbose=0)
assert len(history.history["loss"]) == 2


def mean_pred(y_true, y_pred):
    return K.mean(y_pred)


def false_rates(y_true, y_pred):
    decided = K.round(y_pred)
    return {"false_neg": K.mean(K.cast(K.greater(y_true, decided), "float32")),
            "false_pos": K.mean(K.cast(K.greater(decided, y_true), "float32"))}


binary = Sequential()
binary.add(Dense(16, input_dim=20, init="uniform", activation="relu"))
binary.add(Dropout(0.5))
binary.add(Dense(1, activation="sigmoid"))
binary.compile(optimizer="rmsprop", loss="binary_crossentropy",
               metrics=["accuracy", mean_pred, false_rates])
history = binary.fit(ones, np.random.randint(2, size=(64, 1)), nb_epoch=1, verbose=0)
assert {"acc", "mean_pred", "false_neg", "false_pos"} <= set(history.history)

multi = Sequential()
multi.add(Dense(64, input_dim=20, init="uniform"))
multi.add(Activation("tanh"))
multi.add(Dropout(0.5))
multi.add(Dense(10, init="uniform"))
multi.add(Activation("softmax"))
multi.compile(loss="categorical_crossentropy",
              optimizer=SGD(lr=0.1, decay=1e-6, momentum=0.9, nesterov=True),
              metrics=["accuracy"])
assert len(multi.fit(ones, labels, batch_size=16, verbose=0).history["loss"]) == 10
assert len(multi.evaluate(ones, labels, batch_size=16, verbose=0)) == 2

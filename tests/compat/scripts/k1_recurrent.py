"""Sequences in Keras 1: embeddings, stacked, stateful and merged LSTMs."""
import numpy as np
from keras.layers import (LSTM, Activation, Dense, Dropout, Embedding, Input, Merge, RepeatVector,
                          TimeDistributed, merge)
from keras.models import Model, Sequential

words = np.random.randint(50, size=(16, 12))
model = Sequential()
model.add(Embedding(50, 8, input_length=12, dropout=0.2))
model.add(LSTM(output_dim=8, activation="sigmoid", inner_activation="hard_sigmoid"))
model.add(Dropout(0.5))
model.add(Dense(1))
model.add(Activation("sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
model.fit(words, np.random.randint(2, size=(16, 1)), batch_size=16, nb_epoch=1, verbose=0)

steps, features, classes, batch = 6, 5, 10, 4
x, y = np.random.random((batch * 3, steps, features)), np.random.random((batch * 3, classes))
for stateful in (False, True):
    first = {"batch_input_shape": (batch, steps, features)} if stateful else {
        "input_shape": (steps, features)}
    stacked = Sequential()
    stacked.add(LSTM(8, return_sequences=True, stateful=stateful, **first))
    stacked.add(LSTM(8, return_sequences=True, stateful=stateful))
    stacked.add(LSTM(8, stateful=stateful))
    stacked.add(Dense(10, activation="softmax"))
    stacked.compile(loss="categorical_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
    stacked.fit(x, y, batch_size=batch, nb_epoch=1, validation_data=(x, y), verbose=0)
stacked.reset_states()
stacked.layers[0].reset_states()

encoder_a, encoder_b = Sequential(), Sequential()
encoder_a.add(LSTM(8, input_shape=(steps, features)))
encoder_b.add(LSTM(8, input_shape=(steps, features)))
decoder = Sequential()
decoder.add(Merge([encoder_a, encoder_b], mode="concat"))
decoder.add(Dense(8, activation="relu"))
decoder.add(Dense(classes, activation="softmax"))
decoder.compile(loss="categorical_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
decoder.fit([x, x], y, batch_size=4, nb_epoch=1, validation_data=([x, x], y), verbose=0)

# one layer for two inputs, and its nodes
tweet_a, tweet_b = Input(shape=(7, 5)), Input(shape=(7, 5))
lstm = LSTM(6)
one = lstm(tweet_a)
assert lstm.output is one
two = lstm(tweet_b)
try:
    lstm.output
    raise SystemExit("a layer with two outputs has no single one")
except AttributeError:
    pass
assert lstm.get_output_at(0) is one and lstm.get_output_at(1) is two
joined = merge([one, two], mode="concat", concat_axis=-1)
related = Model(input=[tweet_a, tweet_b], output=Dense(1, activation="sigmoid")(joined))
related.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
tweets = np.random.random((8, 7, 5))
related.fit([tweets, tweets], np.ones((8, 1)), nb_epoch=1, verbose=0)

# two losses
main = Input(shape=(12,), dtype="int32", name="main_input")
read = LSTM(8)(Embedding(output_dim=8, input_dim=50, input_length=12)(main))
extra = Dense(1, activation="sigmoid", name="aux_output")(read)
aside = Input(shape=(5,), name="aux_input")
deep = Dense(8, activation="relu")(merge([read, aside], mode="concat"))
final = Dense(1, activation="sigmoid", name="main_output")(deep)
both = Model(input=[main, aside], output=[final, extra])
both.compile(optimizer="rmsprop",
             loss={"main_output": "binary_crossentropy", "aux_output": "binary_crossentropy"},
             loss_weights={"main_output": 1.0, "aux_output": 0.2})
target = np.ones((16, 1))
both.fit({"main_input": words, "aux_input": np.ones((16, 5))},
         {"main_output": target, "aux_output": target}, nb_epoch=1, batch_size=8, verbose=0)

# models on each step; an autoencoder of sequences
frames = Input(shape=(4, 20))
inner = Sequential([Dense(10, activation="softmax", input_dim=20)])
assert TimeDistributed(inner)(frames)._keras_shape == (None, 4, 10)
inputs = Input(shape=(steps, features))
code = LSTM(3)(inputs)
out = LSTM(features, return_sequences=True)(RepeatVector(steps)(code))
copy = Model(inputs, out)
copy.compile("adam", "mse")
copy.fit(x, x, nb_epoch=1, verbose=0)
assert Model(inputs, code).predict(x).shape == (12, 3)

"""Networks of keras.applications, without the weights that would be downloaded."""
import numpy as np
from keras.applications.vgg16 import VGG16, preprocess_input
from keras.layers import Dense, GlobalAveragePooling2D, Input
from keras.models import Model
from keras.optimizers import SGD

base = VGG16(weights=None, include_top=False, input_tensor=Input(shape=(48, 48, 3)))
features = base.predict(preprocess_input(np.random.random((1, 48, 48, 3)) * 255))
assert features.shape == (1, 1, 1, 512)
x = GlobalAveragePooling2D()(base.output)
x = Dense(16, activation="relu")(x)
model = Model(input=base.input, output=Dense(2, activation="softmax")(x))
for layer in base.layers:
    layer.trainable = False
model.compile(optimizer=SGD(lr=0.0001, momentum=0.9), loss="categorical_crossentropy")
model.train_on_batch(np.random.random((2, 48, 48, 3)), np.eye(2))
assert len(model.trainable_weights) == 4
inner = Model(input=base.input, output=base.get_layer("block4_pool").output)
assert inner.output_shape == (None, 3, 3, 512)

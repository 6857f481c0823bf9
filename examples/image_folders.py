"""Images from folders: one folder per class, read, enlarged and varied while the network trains.

Writes digits as PNG files first; put a folder of your own in their place. Reaches 93 %.
"""
import argparse
import os
import tempfile

from drawing import save_curves

from symk.datasets import digits
from symk.layers import Conv2D, Dense, Flatten, MaxPooling2D
from symk.models import Sequential
from symk.preprocessing.image import ImageDataGenerator, save_img


def write_folders(folder, per_class):
    """Some digits as files folder/<digit>/<number>.png."""
    (x, y), _ = digits.load_data()
    counts = dict.fromkeys(range(10), 0)
    for image, label in zip(x, y):
        if counts[label] < per_class:
            target = os.path.join(folder, str(label))
            os.makedirs(target, exist_ok=True)
            save_img(os.path.join(target, "%03d.png" % counts[label]), image[..., None] * 15.9,
                     scale=False)
            counts[label] += 1


def build(classes, size=16):
    """A small network for grey images."""
    model = Sequential([
        Conv2D(32, 3, activation="relu", input_shape=(size, size, 1)), MaxPooling2D(),
        Conv2D(64, 3, activation="relu"), MaxPooling2D(),
        Flatten(), Dense(64, activation="relu"), Dense(classes, activation="softmax")])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def main(epochs=20, per_class=140, picture="image_folders.png", verbose=2):
    """Trains; returns the accuracy on the files held out for validation."""
    reader = ImageDataGenerator(rescale=1 / 255, shear_range=5, zoom_range=0.1,
                                validation_split=0.2)
    with tempfile.TemporaryDirectory() as folder:
        write_folders(folder, per_class)
        batches = {subset: reader.flow_from_directory(
            folder, target_size=(16, 16), color_mode="grayscale", batch_size=32, subset=subset,
            interpolation="bilinear") for subset in ("training", "validation")}
        model = build(len(batches["training"].class_indices))
        history = model.fit_generator(batches["training"], epochs=epochs, verbose=verbose,
                                      validation_data=batches["validation"], workers=2)
    save_curves(picture, history, "images from folders")
    accuracy = history.history["val_accuracy"][-1]
    print("held-out accuracy: %.1f %%" % (100 * accuracy))
    return accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    main(parser.parse_args().epochs)

"""Runs random cases with whatever `keras` is, and writes what they give.

    python run.py FIRST COUNT FOLDER [--symk]

FOLDER gets values.npz (arrays), texts.json (configs and names) and the models as they were before
training, NUMBER.h5. Models that lie in FOLDER/other are loaded, and must predict the same.
"""
import argparse
import json
import os
import random
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH, STEPS = 6, 3


def build(layers, name, arguments):
    arguments = dict(arguments)
    if "layer" in arguments:
        arguments["layer"] = build(layers, *arguments["layer"])
    return getattr(layers, name)(**arguments)


def arrays_of(case, values):
    """Inputs of a case; the first steps of one sample and the last ones of another are hidden."""
    if case.labels:
        return [values.randint(0, case.labels, [BATCH] + shape) for shape in case.shapes]
    arrays = [values.normal(size=[BATCH] + shape) for shape in case.shapes]
    if case.masked:
        arrays[0][0, :values.randint(case.shapes[0][0])] = 0
        arrays[0][1, values.randint(case.shapes[0][0]):] = 0
    return arrays


def weights_of(model, values):
    return [np.abs(values.normal(size=weight.shape)) + 0.1 if "variance" in variable.name
            else 0.7 * values.normal(size=weight.shape)
            for variable, weight in zip(model.weights, model.get_weights())]


class Runner:
    """Keras, and what the cases gave."""

    def __init__(self, folder):
        import keras
        self.keras, self.folder = keras, folder
        self.values, self.texts = {}, {}

    def run(self, seed):
        keras, draw = self.keras, random.Random(-seed)
        values = np.random.RandomState(seed)
        keras.backend.clear_session()
        case = cases.LayerCase(seed)
        inputs = [keras.layers.Input(shape=shape) for shape in case.shapes]
        taken = [keras.layers.Masking()(x) for x in inputs] if case.masked else inputs
        layer = build(keras.layers, case.name, case.arguments)
        outputs = layer(taken if len(taken) > 1 else taken[0])
        model = keras.models.Model(inputs, outputs)
        model.set_weights(weights_of(model, values))
        name, arguments = cases.optimizer(draw)
        model.compile(getattr(keras.optimizers, name)(**arguments),
                      ["mse"] * len(model.outputs))
        arrays = arrays_of(case, values)
        self.keep(seed, "output", self.predicted(model, arrays))
        self.keep(seed, "gradient", self.gradients(model, arrays, case))
        self.texts[seed] = {"case": [case.name, case.arguments], "optimizer": [name, arguments],
                            "config": model.get_config(),
                            "weights": [weight.name for weight in model.weights]}
        self.exchange(seed, model, arrays)
        targets = [values.normal(size=keras.backend.int_shape(output)[1:]) for output
                   in model.outputs]
        targets = [np.broadcast_to(target, (BATCH,) + target.shape) for target in targets]
        if model.trainable_weights:
            self.keep(seed, "loss", [model.train_on_batch(arrays, targets)
                                     for _ in range(STEPS)])
            self.keep(seed, "weight", model.get_weights())

    def keep(self, seed, what, arrays):
        for number, array in enumerate(arrays):
            self.values["%d %s %d" % (seed, what, number)] = np.asarray(array)

    @staticmethod
    def predicted(model, arrays):
        found = model.predict(arrays)
        return found if isinstance(found, list) else [found]

    def gradients(self, model, arrays, case):
        """Those of the sum of squares by the inputs."""
        if case.labels:
            return []
        K = self.keras.backend
        total = sum(K.sum(K.square(output)) for output in model.outputs)
        function = K.function(model.inputs + [K.learning_phase()],
                              K.gradients(total, model.inputs))
        return function(arrays + [0])

    def exchange(self, seed, model, arrays):
        """Saves the model, and loads that of the other side."""
        model.save(os.path.join(self.folder, "%d.h5" % seed))
        other = os.path.join(self.folder, "other", "%d.h5" % seed)
        if os.path.exists(other):
            loaded = self.keras.models.load_model(other)
            self.keep(seed, "loaded", self.predicted(loaded, arrays))

    def write(self):
        np.savez(os.path.join(self.folder, "values.npz"), **self.values)
        with open(os.path.join(self.folder, "texts.json"), "w") as file:
            json.dump(self.texts, file, default=str)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("folder")
    parser.add_argument("--symk", action="store_true", help="let symk answer as keras")
    arguments = parser.parse_args()
    if arguments.symk:
        from symk.compat import install
        install()
    runner = Runner(arguments.folder)
    for seed in range(arguments.first, arguments.first + arguments.count):
        runner.run(seed)
    runner.write()


if __name__ == "__main__":
    sys.path.insert(0, HERE)
    import cases
    main()

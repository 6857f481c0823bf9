"""Runs a model file from Python: the numbers of one sample on standard input, predictions on
standard output. Neither the compiler nor the layers of symk are imported."""
import sys

import numpy as np

from symk.deploy.loader import load

model = load(sys.argv[1])
_, dtype, shape = model.inputs[0]
sample = np.array(sys.stdin.read().split(), dtype).reshape((1,) + shape[1:])
for value in model(sample).ravel():
    print("%.9g" % value)

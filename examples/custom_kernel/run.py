"""A kernel of one's own, in C++: compiled, loaded, run in Python, and run from a deployed file."""
import os
import runpy
import subprocess
import tempfile

import numpy as np

import symk
from symk import deploy
from symk.deploy.loader import load

HERE = os.path.dirname(os.path.abspath(__file__))


def build(folder):
    """Compiles soft_threshold.cpp; returns the path of the shared object."""
    path = os.path.join(folder, "soft_threshold.so")
    subprocess.run([os.environ.get("CXX", "c++"), "-std=c++17", "-O3", "-shared", "-fPIC",
                    "-I" + symk.get_include(), os.path.join(HERE, "soft_threshold.cpp"),
                    "-o", path], check=True)
    return path


def main(folder):
    """Runs the op called back, by its kernel, and deployed; returns the three results."""
    op = runpy.run_path(os.path.join(HERE, os.pardir, "custom_op.py"))["SoftThreshold"]
    x = symk.placeholder((None, 100), "float32", name="x")
    values = np.random.RandomState(0).standard_normal((1000, 100)).astype("float32")
    called_back = symk.function([x], op(width=0.2)(x))

    kernels = build(folder)
    symk.load_kernels(kernels)
    compiled = symk.function([x], op(width=0.2)(x), name="threshold")
    plan = os.path.join(folder, "threshold.plan")
    deploy.export(compiled, plan)
    deployed = load(plan, kernels=[kernels])
    print(compiled.show("plan"))
    return called_back(values), compiled(values), deployed(values)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        results = main(folder)
    print("three ways, largest difference %g" % max(np.abs(results[0] - r).max() for r in results))

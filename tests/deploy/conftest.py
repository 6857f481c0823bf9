"""A program in C that runs model files, and compilers for programs of examples."""
import os
import shutil
import struct
import subprocess

import numpy as np
import pytest

from symk.deploy.places import PLACES

HERE = os.path.dirname(os.path.abspath(__file__))
_ARRAY = struct.Struct("=Qii8q")    # symk_array
_DTYPES = ("float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "bool")


@pytest.fixture(scope="session")
def compiled():
    """compiled(source, target, *flags): a program of one file over the installed C library."""
    return _compiled


def _compiled(source, target, *flags):
    name = "g++" if source.endswith((".cpp", ".cc")) else "gcc"
    compiler = shutil.which("c++" if name == "g++" else "cc") or shutil.which(name)
    if compiler is None:
        pytest.skip("needs a compiler")
    standard = "-std=c++17" if name == "g++" else "-std=c99"
    subprocess.run([compiler, standard, "-O1", "-Wall", "-Wextra", "-Werror", source, "-o",
                    str(target)] + (list(flags) or PLACES["flags"]().split()), check=True)
    return str(target)


@pytest.fixture(scope="session")
def run_in_c(tmp_path_factory, compiled):
    """run(path, arrays, function="predict", calls=1): results of the last call, by a C program."""
    program = compiled(os.path.join(HERE, "run_model.c"),
                       tmp_path_factory.mktemp("c") / "run_model")

    def run(path, arrays, function="predict", calls=1):
        done = subprocess.run([program, str(path), function, str(calls)],
                              input=b"".join(map(_packed, arrays)), capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return _unpacked(done.stdout)

    return run


def _packed(array):
    shape = array.shape + (0,) * (8 - array.ndim)
    return _ARRAY.pack(0, _DTYPES.index(array.dtype.name), array.ndim, *shape) + array.tobytes()


def _unpacked(data):
    arrays, place = [], 0
    while place < len(data):
        _, dtype, rank, *shape = _ARRAY.unpack_from(data, place)
        place += _ARRAY.size
        count = int(np.prod(shape[:rank], dtype=int))
        arrays.append(np.frombuffer(data, _DTYPES[dtype], count, place).reshape(shape[:rank]))
        place += arrays[-1].nbytes
    return arrays

"""Writes a model as a C++ project of its own: the runtime's sources, of the kernels those that the
model uses, and the model file as part of the program."""
import os
import re
import shutil

from ..graph.errors import GraphError
from . import model_file
from .exporter import exported
from .places import PLACES

__all__ = ["standalone"]

# Folders that are needed whatever the kernels are; a macro chooses among the vectors.
_ALWAYS = ("runtime", "capi", os.path.join("cpu", "vec"))
_INCLUDE = re.compile(r'#include "([\w/]+)\.h"')
_CONSTANT = re.compile(r'constexpr char (\w+)\[\] = "(\w+)";')
_ENTRIES = re.compile(r"\bKernelEntry \w+(?:\[\] = \{(.*?)\};|\((.*?)\);)", re.S)


def standalone(what, folder, metadata=None, train=False, weights="float32"):
    """Writes a project that `make` builds with a C++17 compiler and nothing else.

    Args:     what, metadata, train, weights: as `export` takes them.
              folder: made if it does not exist; nothing in it is overwritten.
    Raises:   GraphError when a function cannot run without Python; FileExistsError.
    """
    folder = os.fspath(folder)
    if os.path.exists(folder) and os.listdir(folder):
        raise FileExistsError("[standalone] a folder that is empty or not there is required; %r "
                              "has files in it." % folder)
    functions, values, texts = exported(what, metadata, train, weights)
    source = PLACES["sourcedir"]()
    files = _needed(source, _kernels(functions))
    os.makedirs(folder, exist_ok=True)
    for name in files:
        _copy(os.path.join(source, name), os.path.join(folder, "source", name))
    for name in sorted(os.listdir(os.path.join(source, "capi", "standalone"))):
        _copy(os.path.join(source, "capi", "standalone", name), os.path.join(folder, name))
    with open(os.path.join(folder, "VERSION"), "w", encoding="utf-8") as file:
        file.write(_version() + "\n")
    model_file.write(os.path.join(folder, "model.symk"), functions, values, texts)


def _version():
    """The release whose sources these are, as its CMake files say it."""
    with open(os.path.join(PLACES["cmakedir"](), "symk-config-version.cmake"),
              encoding="utf-8") as file:
        return re.search(r'PACKAGE_VERSION "(.*?)"', file.read()).group(1)


def _kernels(functions):
    """The names of the kernels of all functions, those in loops and branches included."""
    names, plans = set(), [function.plan for function in functions]
    while plans:
        plan = plans.pop()
        names.update(step.kernel for step in plan.steps)
        plans.extend(plan.plans)
    return names


def _needed(source, kernels):
    """The files with these kernels and all that they include, as paths below `source`."""
    files = set()
    for folder in _ALWAYS:
        files.update(os.path.join(folder, name) for name in os.listdir(os.path.join(source, folder))
                     if name.endswith((".cpp", ".h", ".hpp")))
    files.add(os.path.join("cpu", "dispatch.cpp"))
    missing = set(kernels)
    for name in sorted(os.listdir(os.path.join(source, "cpu"))):
        found = _registered(os.path.join(source, "cpu", name)) & missing
        if found:
            files.add(os.path.join("cpu", name))
            missing -= found
    missing -= _registered(os.path.join(source, "runtime", "loop.cpp"))
    if missing:
        raise GraphError("[standalone] the kernels of symk are required; %s of this model are of "
                         "others. Use deploy.export, and load them." % ", ".join(sorted(missing)))
    return _with_includes(source, files)


def _registered(path):
    """The kernels that a file registers."""
    if not path.endswith(".cpp"):
        return set()
    with open(path, encoding="utf-8") as file:
        text = file.read()
    constants = dict(_CONSTANT.findall(text))
    names = set()
    for block, single in _ENTRIES.findall(text):
        names.update(re.findall(r'"(\w+)"', block or single))
        names.update(constants[word] for word in re.findall(r"\w+", block or single)
                     if word in constants)
    return names


def _with_includes(source, files):
    """These files, the headers that they include, and the files that define what those declare."""
    found, waiting = set(), list(files)
    while waiting:
        name = waiting.pop()
        if name in found or not os.path.exists(os.path.join(source, name)):
            continue
        found.add(name)
        with open(os.path.join(source, name), encoding="utf-8") as file:
            for header in _INCLUDE.findall(file.read()):
                stem = header if "/" in header else os.path.join("capi", header)
                waiting += [stem + ".h", stem + ".cpp", stem + "_step.cpp"]
    return sorted(found)


def _copy(source, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copyfile(source, target)

"""No object that is compiled for one instruction set shares a function with the others.

The linker keeps one copy of a weak symbol, and it may be the one that older machines cannot run.
Such objects may therefore define weak symbols only in the namespace of their set.
"""
import glob
import os
import shutil
import subprocess

import pytest

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
NM = shutil.which("nm")


def objects(isa):
    return sorted(glob.glob(os.path.join(ROOT, "build", "CMakeFiles", "symk_%s.dir" % isa, "**",
                                         "*.o"), recursive=True))


def weak_symbols(paths):
    """The names that the linker may take from another object."""
    listed = subprocess.run([NM, "-C", "--defined-only"] + paths, check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    parts = (line.split(" ", 2) for line in listed.splitlines() if line.count(" ") >= 2)
    return {name for _, kind, name in parts if kind in "WVu"}


@pytest.mark.parametrize("isa", ["avx2", "avx512"])
def test_shared_functions_are_those_of_the_set(isa):
    paths = objects(isa)
    if not paths or NM is None:
        pytest.skip("needs the objects of a build in the tree, and nm")
    found = weak_symbols(paths)
    assert found, "templates of a set are weak: there must be some"
    assert not [name for name in found if "::%s::" % isa not in name]

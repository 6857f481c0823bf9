"""Builds symk's shared objects with CMake as part of an ordinary pip install.

The whole build is described in CMakeLists.txt; this file only says where the results go. Options
are passed through the environment: SYMK_CMAKE_ARGS="-DSYMK_CUDA=OFF".
"""
import os
import shlex
import shutil
import subprocess
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = os.path.dirname(os.path.abspath(__file__))


def cmake():
    """The cmake program: the build requirement's module if it is installed, else the system's."""
    try:
        import cmake as module
        return os.path.join(module.CMAKE_BIN_DIR, "cmake")
    except ImportError as error:
        found = shutil.which("cmake")
        if found is None:
            raise SystemExit("[build] cmake is required and was not found; pip install "
                             "cmake") from error
        return found


def ninja():
    """CMake arguments that choose Ninja, or none when it is not there (then make is used)."""
    try:
        import ninja as module
        return ["-GNinja", "-DCMAKE_MAKE_PROGRAM=" + os.path.join(module.BIN_DIR, "ninja")]
    except ImportError:
        return ["-GNinja"] if shutil.which("ninja") else []


class CMakeBuild(build_ext):
    """Runs CMake for the one extension `symk._core`, and the C library beside it.

    An editable install builds in the tree, in the folder that `make build` uses.
    """

    def run(self):
        if self.inplace or getattr(self, "editable_mode", False):
            build(os.path.join(ROOT, "build"), os.path.join(ROOT, "symk"))
        else:
            super().run()

    def build_extension(self, extension):
        output = os.path.dirname(os.path.abspath(self.get_ext_fullpath(extension.name)))
        build(os.path.abspath(self.build_temp), output)
        # For the projects that symk.deploy.standalone writes.
        shutil.copytree(os.path.join(ROOT, "csrc"), os.path.join(output, "source"),
                        ignore=shutil.ignore_patterns("python", "cuda", "package", "*.md"),
                        dirs_exist_ok=True)


def build(folder, output):
    """Configures and builds in `folder`; the shared objects go to `output`."""
    configure = [cmake(), "-S", ROOT, "-B", folder, "-DSYMK_PYTHON=ON",
                 "-DSYMK_OUTPUT=" + output, "-DPython_EXECUTABLE=" + sys.executable]
    # A build folder keeps its generator; choosing another one would be an error.
    if not os.path.exists(os.path.join(folder, "CMakeCache.txt")):
        configure += ninja()
    configure += shlex.split(os.environ.get("SYMK_CMAKE_ARGS", ""))
    subprocess.check_call(configure)
    jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL", str(os.cpu_count() or 1))
    subprocess.check_call([cmake(), "--build", folder, "--parallel", jobs])


setup(ext_modules=[Extension("symk._core", sources=[])], cmdclass={"build_ext": CMakeBuild})

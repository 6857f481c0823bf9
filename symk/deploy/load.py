"""Runs an exported file through the C library. Needs cffi and NumPy, and nothing else of symk.

Three ways to use it, from the one that knows most of symk to the one that knows nothing of it:

    from symk.deploy.load import load                      # inside a program that has symk
    importlib.util.spec_from_file_location("load", ".../symk/deploy/load.py")   # by its path
    python .../symk/deploy/load.py model.plan inputs.npz outputs.npz            # as a command

The second and third never import the package: `libsymk_runtime.so` is found beside this file's
folder, or given by name.
"""
import os
import sys

import cffi
import numpy as np

__all__ = ["load", "Model"]

# The declarations of csrc/capi/symk_runtime.h that are used here.
_DECLARATIONS = """
typedef struct symk_array { void* data; int32_t dtype; int32_t rank; int64_t shape[8]; } symk_array;
typedef struct symk_program symk_program;
int symk_abi_version(void);
const char* symk_last_error(void);
int symk_last_status(void);
int symk_load_kernels(const char* path);
symk_program* symk_load_file(const char* path);
symk_program* symk_load_memory(const void* bytes, size_t count);
void symk_free(symk_program* program);
const char* symk_metadata(const symk_program* program, const char* key);
int symk_input_count(const symk_program* program);
int symk_output_count(const symk_program* program);
const char* symk_input_name(const symk_program* program, int number);
const char* symk_output_name(const symk_program* program, int number);
int symk_input_type(const symk_program* program, int number, symk_array* type);
int symk_output_type(const symk_program* program, int number, symk_array* type);
int symk_output_types(symk_program* program, const symk_array* inputs, int input_count,
                      symk_array* outputs, int output_count);
int symk_run(symk_program* program, const symk_array* inputs, int input_count,
             const symk_array* outputs, int output_count);
int64_t symk_arena_bytes(symk_program* program);
int symk_threads(void);
int symk_set_threads(int count);
const char* symk_isa(void);
"""
_ABI_VERSION = 2
_DTYPES = tuple(map(np.dtype, ("float32", "float64", "float16", "int8", "int16", "int32", "int64",
                               "uint8", "bool")))
# By status of the C library; the classes that symk's own errors derive from.
_ERRORS = {1: RuntimeError, 2: ValueError, 3: TypeError, 4: IndexError, 5: ValueError,
           6: MemoryError, 7: RuntimeError, 8: OSError, 9: ValueError, 10: FloatingPointError,
           11: RuntimeError}
_ffi = cffi.FFI()
_ffi.cdef(_DECLARATIONS)


def load(path, library=None, kernels=()):
    """The model in an exported file.

    Args:     library: path of libsymk_runtime.so; by default the one installed with this file.
              kernels: paths of shared objects with the kernels of custom ops that it uses.
    Raises:   OSError when a file cannot be read; ValueError when it is no Plan, or damaged.
    """
    opened = _open_library(library)
    for shared_object in kernels:
        _check(opened, opened.symk_load_kernels(os.fsencode(os.path.abspath(shared_object))))
    return Model(path, opened)


def _open_library(path):
    if path is None:
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        path = os.path.join(package, "libsymk_runtime.so")
    opened = _ffi.dlopen(os.fspath(path))
    if opened.symk_abi_version() < _ABI_VERSION:
        raise OSError("[load] a library of ABI version %d or later is required; %s has version %d."
                      % (_ABI_VERSION, path, opened.symk_abi_version()))
    return opened


class Model:
    """An exported function: `model.run([x, ...])` gives a list of arrays. Safe to share by threads.

    inputs, outputs: lists of (name, dtype, shape); a size that depends on the inputs is None.
    """

    def __init__(self, path, library):
        self._library = library
        program = library.symk_load_file(os.fsencode(path))
        if program == _ffi.NULL:
            self._check(library.symk_last_status())
        self._program = _ffi.gc(program, library.symk_free)
        self.inputs = self._signature(library.symk_input_count(program), library.symk_input_name,
                                      library.symk_input_type)
        self.outputs = self._signature(library.symk_output_count(program),
                                       library.symk_output_name, library.symk_output_type)

    def __call__(self, *arrays):
        """The outputs for the inputs: one array if there is one output, else a list."""
        results = self.run(arrays)
        return results[0] if len(results) == 1 else results

    def run(self, arrays):
        """The outputs as a list of new arrays.

        Raises:   ValueError (count, shape), TypeError (dtype), IndexError (an index that is
                  outside its array), MemoryError.
        """
        arrays = list(arrays)
        if len(arrays) != len(self.inputs):
            raise ValueError("[run] %d arrays are required (%s); %d were given." % (
                len(self.inputs), ", ".join(name for name, _, _ in self.inputs), len(arrays)))
        arrays = [_converted(array, dtype, name)
                  for array, (name, dtype, _) in zip(arrays, self.inputs)]
        inputs = _described(arrays)
        outputs = _ffi.new("symk_array[]", len(self.outputs))
        self._check(self._library.symk_output_types(self._program, inputs, len(arrays), outputs,
                                                    len(outputs)))
        results = [np.empty(tuple(out.shape[0:out.rank]), _DTYPES[out.dtype]) for out in outputs]
        self._check(self._library.symk_run(self._program, inputs, len(arrays),
                                           _described(results), len(results)))
        return results

    def metadata(self, key):
        """A text that the file carries along, or None."""
        value = self._library.symk_metadata(self._program, key.encode())
        return None if value == _ffi.NULL else _ffi.string(value).decode()

    @property
    def arena_bytes(self):
        """Memory for all intermediate values at the shapes used last."""
        return self._library.symk_arena_bytes(self._program)

    def _signature(self, count, name_of, type_of):
        signature = []
        for number in range(count):
            declared = _ffi.new("symk_array*")
            self._check(type_of(self._program, number, declared))
            shape = tuple(None if size < 0 else size for size in declared.shape[0:declared.rank])
            name = _ffi.string(name_of(self._program, number)).decode()
            signature.append((name, _DTYPES[declared.dtype], shape))
        return signature

    def _check(self, status):
        _check(self._library, status)


def _check(library, status):
    """Raises what a status of the library stands for."""
    if status != 0:
        raise _ERRORS[status](_ffi.string(library.symk_last_error()).decode())


def _described(arrays):
    """The C description of arrays; they must be kept alive beside it."""
    described = _ffi.new("symk_array[]", len(arrays))
    for entry, array in zip(described, arrays):
        entry.data = _ffi.cast("void*", array.ctypes.data)
        entry.dtype = _DTYPES.index(array.dtype)
        entry.rank = array.ndim
        entry.shape[0:array.ndim] = array.shape
    return described


def _converted(value, dtype, name):
    """A dense array of `dtype`; refuses what would change values other than by rounding."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError("[input %s] the dtype must be %s; an array of dtype %s was given. Only "
                        "booleans, integers and floats can be used." % (name, dtype, array.dtype))
    if array.ndim > 8:
        raise ValueError("[input %s] an array must have at most 8 axes; one with %d was given."
                         % (name, array.ndim))
    with np.errstate(all="ignore"):
        result = np.require(array.astype(dtype, copy=False), dtype, "CA")
    fits = dtype.kind == "f" or np.can_cast(array.dtype, dtype, "safe")
    if not fits and not (result == array).all():
        raise TypeError("[input %s] the dtype must be %s; an array of dtype %s with values that "
                        "it cannot hold was given." % (name, dtype, array.dtype))
    return result


def main(arguments):
    """The command: runs a model on the arrays of one .npz file, and writes another."""
    if len(arguments) != 3:
        raise SystemExit("usage: load.py MODEL.plan INPUTS.npz OUTPUTS.npz\n"
                         "Arrays have the names of the model's inputs and outputs.")
    path, source, target = arguments
    model = load(path)
    with np.load(source, allow_pickle=False) as arrays:
        missing = [name for name, _, _ in model.inputs if name not in arrays]
        if missing:
            raise SystemExit("[load] the arrays %s are required; %s has %s."
                             % (", ".join(missing), source, ", ".join(arrays.files)))
        results = model.run([arrays[name] for name, _, _ in model.inputs])
    np.savez(target, **{name: result for (name, _, _), result in zip(model.outputs, results)})


if __name__ == "__main__":
    main(sys.argv[1:])

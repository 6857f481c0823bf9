"""Runs model files through the C library. Needs cffi and NumPy, and nothing else of symk.

Three ways to use it, from the one that knows most of symk to the one that knows nothing of it:

    model = symk.deploy.load("model.symk")                 # inside a program that has symk
    importlib.util.spec_from_file_location("loader", ".../symk/deploy/loader.py")   # by its path
    python .../symk/deploy/loader.py model.symk inputs.npz outputs.npz              # as a command

The second and third never import the package: `libsymk_runtime.so` is found beside this file's
folder, or given by name.
"""
import os
import sys

import cffi
import numpy as np

__all__ = ["load", "set_threads", "Function", "Model"]

# The declarations of csrc/capi/symk_runtime.h that are used here.
_DECLARATIONS = """
typedef struct symk_array { void* data; int32_t dtype; int32_t rank; int64_t shape[8]; } symk_array;
typedef struct symk_program symk_program;
typedef struct symk_context symk_context;
int symk_abi_version(void);
const char* symk_version(void);
const char* symk_last_error(void);
int symk_last_status(void);
const char* symk_isa(void);
int symk_threads(void);
int symk_set_threads(int count);
int symk_load_kernels(const char* path);
symk_program* symk_load_file(const char* path);
symk_program* symk_load_memory(const void* bytes, size_t count);
symk_program* symk_load_in_place(const void* bytes, size_t count);
int symk_function_count(const symk_program* program);
const char* symk_function_name(const symk_program* program, int number);
symk_program* symk_function(const symk_program* program, const char* name);
void symk_free(symk_program* program);
const char* symk_metadata(const symk_program* program, const char* key);
int symk_metadata_count(const symk_program* program);
const char* symk_metadata_key(const symk_program* program, int number);
int symk_input_count(const symk_program* program);
int symk_output_count(const symk_program* program);
const char* symk_input_name(const symk_program* program, int number);
const char* symk_output_name(const symk_program* program, int number);
int symk_input_type(const symk_program* program, int number, symk_array* type);
int symk_output_type(const symk_program* program, int number, symk_array* type);
const char* symk_input_shape(const symk_program* program, int number);
const char* symk_output_shape(const symk_program* program, int number);
int symk_output_types(symk_program* program, const symk_array* inputs, int input_count,
                      symk_array* outputs, int output_count);
int symk_run(symk_program* program, const symk_array* inputs, int input_count,
             const symk_array* outputs, int output_count);
int64_t symk_arena_bytes(symk_program* program);
symk_context* symk_context_new(const symk_program* program);
void symk_context_free(symk_context* context);
int symk_context_output_types(symk_context* context, const symk_array* inputs,
                              int input_count, symk_array* outputs, int output_count);
int symk_context_run(symk_context* context, const symk_array* inputs, int input_count,
                     const symk_array* outputs, int output_count);
int64_t symk_context_arena_bytes(const symk_context* context);
int symk_state_count(const symk_program* program);
const char* symk_state_name(const symk_program* program, int number);
int symk_state_type(const symk_program* program, int number, symk_array* type);
int symk_state_read(const symk_program* program, int number, const symk_array* into);
int symk_state_write(symk_program* program, int number, const symk_array* from);
int symk_save_file(const symk_program* program, const char* path);
"""
_ABI_VERSION = 3
_DTYPES = tuple(map(np.dtype, ("float32", "float64", "float16", "int8", "int16", "int32", "int64",
                               "uint8", "bool")))
# By status of the C library; the classes that symk's own errors derive from.
_ERRORS = {1: RuntimeError, 2: ValueError, 3: TypeError, 4: IndexError, 5: ValueError,
           6: MemoryError, 7: RuntimeError, 8: OSError, 9: ValueError, 10: FloatingPointError,
           11: RuntimeError}
_ffi = cffi.FFI()
_ffi.cdef(_DECLARATIONS)
_from_buffer = _ffi.from_buffer
_libraries = {}   # path -> what is loaded from there; each is opened once


def load(path, library=None, kernels=()):
    """The functions in a model file.

    Args:     library: path of libsymk_runtime.so; by default the one installed with this file.
              kernels: paths of shared objects with the kernels of custom ops that it uses.
    Raises:   OSError when a file cannot be read; ValueError when it is no model file, or damaged.
    """
    opened = _open_library(library)
    for shared_object in kernels:
        _check(opened, opened.symk_load_kernels(os.fsencode(os.path.abspath(shared_object))))
    return Model(path, opened)


def set_threads(count, library=None):
    """How many threads a call uses from now on; the results are the same for any number."""
    opened = _open_library(library)
    _check(opened, opened.symk_set_threads(count))


def _open_library(path):
    if path is None:
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        path = os.path.join(package, "libsymk_runtime.so")
    path = os.path.abspath(os.fspath(path))
    if path in _libraries:
        return _libraries[path]
    opened = _ffi.dlopen(path)
    if opened.symk_abi_version() < _ABI_VERSION:
        raise OSError("[load] a library of ABI version %d or later is required; %s has version %d."
                      % (_ABI_VERSION, path, opened.symk_abi_version()))
    _libraries[path] = opened
    return opened


class Function:
    """One function of a file: `function.run([x, ...])` gives a list of arrays.

    Safe to share by threads: calls do not wait for each other, but for those that change a state
    which they use.

    name: its name in the file.
    inputs, outputs: lists of (name, dtype, shape); a size that depends on the inputs is None.
    """

    def __init__(self, program, library):
        self._library = library
        self._program = _ffi.gc(program, library.symk_free)
        self.inputs = self._signature(library.symk_input_count(program), library.symk_input_name,
                                      library.symk_input_type)
        self.outputs = self._signature(library.symk_output_count(program),
                                       library.symk_output_name, library.symk_output_type)
        self._dtypes = [dtype for _, dtype, _ in self.inputs]
        self._idle = []   # _Calls that no thread is using

    def __call__(self, *arrays):
        """The outputs for the inputs: one array if there is one output, else a list."""
        results = self.run(arrays)
        return results[0] if len(results) == 1 else results

    def run(self, arrays):
        """The outputs as a list of new arrays. Dense arrays of the right dtype are not copied.

        Raises:   ValueError (count, shape), TypeError (dtype), IndexError (an index that is
                  outside its array), MemoryError.
        """
        if len(arrays) != len(self._dtypes):
            raise ValueError("[run] %d arrays are required (%s); %d were given." % (
                len(self.inputs), ", ".join(name for name, _, _ in self.inputs), len(arrays)))
        arrays = [array if _is_ready(array, dtype) else _converted(array, dtype, described[0])
                  for array, dtype, described in zip(arrays, self._dtypes, self.inputs)]
        try:
            call = self._idle.pop()
        except IndexError:
            call = _Call(self._program, self._library, len(self.inputs), len(self.outputs))
        try:
            return call.run(arrays)
        finally:
            self._idle.append(call)

    @property
    def shapes(self):
        """The shapes of inputs and outputs as texts; the size of axis 0 of input x is "x.0"."""
        library, program = self._library, self._program
        return ([_text(library.symk_input_shape(program, i)) for i in range(len(self.inputs))],
                [_text(library.symk_output_shape(program, i)) for i in range(len(self.outputs))])

    @property
    def arena_bytes(self):
        """Memory for all intermediate values at the shapes used last; 0 before the first call."""
        return self._idle[-1].arena_bytes if self._idle else 0

    # --- states ---

    @property
    def states(self):
        """The names of the values that functions of the file change, as far as this uses them."""
        library, program = self._library, self._program
        return [_text(library.symk_state_name(program, number))
                for number in range(library.symk_state_count(program))]

    def get_state(self, name):
        """A copy of a state."""
        number, described = self._state(name)
        value = np.empty(tuple(described.shape[0:described.rank]), _DTYPES[described.dtype])
        described.data = _from_buffer(value)
        self._check(self._library.symk_state_read(self._program, number, described))
        return value

    def set_state(self, name, value):
        """Changes a state, for all functions of the file."""
        number, described = self._state(name)
        value = _converted(value, _DTYPES[described.dtype], name)
        shape = tuple(described.shape[0:described.rank])
        if value.shape != shape:
            raise ValueError("[state %s] the shape must be %s; it is %s."
                             % (name, shape, value.shape))
        described.data = _from_buffer(value)
        self._check(self._library.symk_state_write(self._program, number, described))

    def _state(self, name):
        """The number of a state, and its type."""
        names = self.states
        if name not in names:
            raise KeyError("[state] one of %s is required; %r was given."
                           % (", ".join(names) or "no states", name))
        described = _ffi.new("symk_array*")
        self._check(self._library.symk_state_type(self._program, names.index(name), described))
        return names.index(name), described

    # --- inside ---

    def _signature(self, count, name_of, type_of):
        signature = []
        for number in range(count):
            declared = _ffi.new("symk_array*")
            self._check(type_of(self._program, number, declared))
            shape = tuple(None if size < 0 else size for size in declared.shape[0:declared.rank])
            signature.append((_text(name_of(self._program, number)), _DTYPES[declared.dtype],
                              shape))
        return signature

    def _check(self, status):
        _check(self._library, status)


class Model(Function):
    """A loaded file. It is its first function itself."""

    def __init__(self, path, library):
        program = library.symk_load_file(os.fsencode(path))
        if program == _ffi.NULL:
            _check(library, library.symk_last_status())
        super().__init__(program, library)
        names = [_text(library.symk_function_name(program, number))
                 for number in range(library.symk_function_count(program))]
        self.name = names[0]
        self._others = {name: self._other(name) for name in names[1:]}

    @property
    def functions(self):
        """All functions of the file by name, in its order; the first one is this."""
        return dict({self.name: self}, **self._others)

    def _other(self, name):
        program = self._library.symk_function(self._program, name.encode())
        if program == _ffi.NULL:
            self._check(self._library.symk_last_status())
        function = Function(program, self._library)
        function.name = name
        return function

    def metadata(self, key):
        """A text that the file carries along, or None."""
        return _text(self._library.symk_metadata(self._program, key.encode()))

    def metadata_keys(self):
        """The keys of all these texts."""
        return [_text(self._library.symk_metadata_key(self._program, number))
                for number in range(self._library.symk_metadata_count(self._program))]

    def save(self, path):
        """Writes the file again, with the states as they are now."""
        self._check(self._library.symk_save_file(self._program, os.fsencode(path)))


class _Call:
    """What one call at a time uses: a context of the library, and descriptions of the arrays."""

    def __init__(self, program, library, input_count, output_count):
        self._library, self._counts = library, (input_count, output_count)
        self._context = _ffi.gc(library.symk_context_new(program), library.symk_context_free)
        self._inputs = _ffi.new("symk_array[]", input_count)
        self._outputs = _ffi.new("symk_array[]", output_count)
        self._in = [self._inputs + number for number in range(input_count)]
        self._out = [self._outputs + number for number in range(output_count)]
        self._shapes = None        # of the inputs that the descriptions are for
        self._types = []           # (shape, dtype) of each output

    @property
    def arena_bytes(self):
        return self._library.symk_context_arena_bytes(self._context)

    def run(self, arrays):
        shapes = [array.shape for array in arrays]
        if shapes != self._shapes:
            self._prepare(arrays, shapes)
        for entry, array in zip(self._in, arrays):
            entry.data = _from_buffer(array)
        results = []
        for entry, (shape, dtype) in zip(self._out, self._types):
            result = np.empty(shape, dtype)
            entry.data = _from_buffer(result)
            results.append(result)
        status = self._library.symk_context_run(self._context, self._inputs, self._counts[0],
                                                self._outputs, self._counts[1])
        if status:
            _check(self._library, status)
        return results

    def _prepare(self, arrays, shapes):
        """Describes inputs and outputs for these shapes, and lays out the memory."""
        self._shapes = None
        for entry, array in zip(self._in, arrays):
            entry.dtype, entry.rank = _DTYPES.index(array.dtype), array.ndim
            entry.shape[0:array.ndim] = array.shape
        _check(self._library, self._library.symk_context_output_types(
            self._context, self._inputs, self._counts[0], self._outputs, self._counts[1]))
        self._types = [(tuple(out.shape[0:out.rank]), _DTYPES[out.dtype]) for out in self._out]
        self._shapes = shapes


def _check(library, status):
    """Raises what a status of the library stands for."""
    if status != 0:
        raise _ERRORS[status](_ffi.string(library.symk_last_error()).decode())


def _text(pointer):
    return None if pointer == _ffi.NULL else _ffi.string(pointer).decode()


def _is_ready(array, dtype):
    """Whether an array can be used where it is."""
    return (type(array) is np.ndarray and array.dtype is dtype and array.flags.carray
            and array.ndim <= 8)


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
        raise SystemExit("usage: loader.py MODEL.symk INPUTS.npz OUTPUTS.npz\n"
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

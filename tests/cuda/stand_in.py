"""The stand-in for the CUDA runtime below the device "cuda-host": what its devices are, and what
it has counted."""
import ctypes
import os

import symk


class StandIn:
    """Fields of `Settings` in csrc/cuda/host/cuda_runtime.cpp, as attributes."""

    def __init__(self):
        path = os.path.join(os.path.dirname(symk.__file__), "libsymk_cuda_host.so")
        library = ctypes.CDLL(path)
        get, put = library.symk_cuda_host_get, library.symk_cuda_host_set
        get.argtypes, get.restype = [ctypes.c_char_p], ctypes.c_longlong
        put.argtypes, put.restype = [ctypes.c_char_p, ctypes.c_longlong], ctypes.c_int
        vars(self).update(_library=library, _get=get, _put=put)

    def __getattr__(self, name):
        value = self._get(name.encode())
        assert value != -1 or name == "lost", name      # of an unknown field
        return value

    def __setattr__(self, name, value):
        assert self._put(name.encode(), value), name

    def use_host_compiler(self, command):
        """Programs are compiled by this compiler of C++, in place of NVRTC; by none for ""."""
        self._library.symk_cuda_host_compiler(command.encode())

    def texts(self):
        """The programs that were compiled since then."""
        text = self._library.symk_cuda_host_text
        text.argtypes, text.restype = [ctypes.c_int], ctypes.c_char_p
        found = []
        while text(len(found)) is not None:
            found.append(text(len(found)).decode())
        return found

    def nvrtc(self, library, text, architecture):
        """(bytes of machine code that libnvrtc makes of a text, what it says if there are none)."""
        call = self._library.symk_cuda_host_nvrtc
        call.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p,
                         ctypes.c_int]
        call.restype = ctypes.c_longlong
        message = ctypes.create_string_buffer(2000)
        size = call(library.encode(), text.encode(), architecture, message, len(message))
        return size, message.value.decode()

    def open(self, number, contract):
        """What the shared object says to one who was compiled with another form of its headers."""
        opened = self._library.symk_device_open
        opened.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int]
        opened.restype = ctypes.c_void_p
        message = ctypes.create_string_buffer(512)
        device = opened(number, contract.encode(), message, len(message))
        return device, message.value.decode()

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

    def open(self, number, contract):
        """What the shared object says to one who was compiled with another form of its headers."""
        opened = self._library.symk_device_open
        opened.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int]
        opened.restype = ctypes.c_void_p
        message = ctypes.create_string_buffer(512)
        device = opened(number, contract.encode(), message, len(message))
        return device, message.value.decode()

# The last wall: a seccomp filter from here on, whatever runs here later.
import base64
import ctypes
import os


class Filter(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('instructions', ctypes.c_char_p)]


LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38


def check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def install_filter(encoded):
    instructions = base64.b64decode(encoded)
    program = Filter(len(instructions) // 8, instructions)
    check(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    check(LIBC.prctl(PR_SET_SECCOMP, 2, ctypes.addressof(program), 0, 0))

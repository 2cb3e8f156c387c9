"""Creates and pins a BPF hash, or adds a key to one: pinned.py PATH KEY_BYTES VALUE_BYTES [KEY...]

Stands for a program that fills the maps that filters look up.
"""
import ctypes
import os
import platform
import struct
import sys

CREATE, UPDATE, PIN, GET = 0, 2, 6, 7
HASH = 1
NUMBER = {"x86_64": 321, "aarch64": 280}[platform.machine()]
libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    result = libc.syscall(NUMBER, command, ctypes.create_string_buffer(attributes, 120), 120)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


path = ctypes.create_string_buffer(sys.argv[1].encode())
key_bytes, value_bytes = int(sys.argv[2]), int(sys.argv[3])
if os.path.exists(sys.argv[1]):
    fd = bpf(GET, struct.pack("QI", ctypes.addressof(path), 0))
else:
    fd = bpf(CREATE, struct.pack("IIII", HASH, key_bytes, value_bytes, 64))
    bpf(PIN, struct.pack("QI", ctypes.addressof(path), fd))
for key in sys.argv[4:]:
    k = ctypes.create_string_buffer(int(key).to_bytes(key_bytes, sys.byteorder), key_bytes)
    v = ctypes.create_string_buffer(value_bytes)
    bpf(UPDATE, struct.pack("IIQQQ", fd, 0, ctypes.addressof(k), ctypes.addressof(v), 0))

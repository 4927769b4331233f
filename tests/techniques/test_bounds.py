"""Kernels compute with unchecked offsets: they must not touch a byte outside their arrays."""

import subprocess
import sys

CHECK = '''
import ctypes, mmap
import numpy as np
from equipoise.engine import augment
from equipoise.techniques import CATALOGUE

PAGE, NO_ACCESS = mmap.PAGESIZE, 0
libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def fenced(shape, at_end):
    """An array right before, or right after, a page that may not be touched."""
    size = int(np.prod(shape))
    pages = -(-size // PAGE) + 2
    region = mmap.mmap(-1, pages * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(region))
    for page in (0, pages - 1):
        assert libc.mprotect(start + page * PAGE, PAGE, NO_ACCESS) == 0
    offset = (pages - 1) * PAGE - size if at_end else PAGE
    kept.append(region)
    return np.frombuffer(region, np.uint8, size, offset).reshape(shape)


kept = []
shapes = [(2, 2), (2, 5), (4, 4), (5, 5), (3, 16), (16, 16), (17, 33), (32, 32), (40, 37)]
for name, definition in CATALOGUE.items():
    for channels in (1, 3, 4):
        if channels == 1 and definition.needs_colour:
            continue
        for height, width in shapes:
            for at_end in (True, False):
                images, out = (fenced((3, height, width, channels), at_end) for _ in range(2))
                images[...] = np.arange(images.size).reshape(images.shape) * 7 & 255
                for seed in range(4):
                    augment(images, name, seed=seed, ids=range(3), threads=1, out=out)
                expected = augment(images.copy(), name, seed=seed, ids=range(3), threads=1)
                assert np.array_equal(out, expected), (name, images.shape)
    kept.clear()
'''


def test_no_kernel_reads_or_writes_beyond_its_arrays():
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]

"""Vector arithmetic and shuffles for use in kernels, where LLVM's vectoriser does not find them.

A kernel computes with lanes, sixteen numbers of 16 bits at once: they come from `bytes_at` or
`lanes_at`, know +, -, *, << and >> with each other or with a whole number, modulo 65536, and go to
`put_bytes` or `put_lanes`. The other functions move bytes.

All is written in LLVM's portable vector form: one or two instructions on a machine that has them
(AVX2, NEON), right but slower code elsewhere. Offsets are in bytes, of type uintp, into contiguous
arrays. Nothing is checked: up to 32 bytes are read and written from an offset on.
"""

import operator
from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from llvmlite.binding import get_host_cpu_features  # type: ignore[import-untyped]
from numba.core import cgutils, config, types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model
from numpy.typing import NDArray

__all__ = [
    "FAST_LOOK_UP",
    "at_least",
    "at_most",
    "bilinear",
    "bytes_at",
    "copy8",
    "copy_bytes",
    "high",
    "lanes_at",
    "look_up32",
    "look_up_steps",
    "permute16",
    "prefetch_read",
    "prefetch_write",
    "put_both",
    "put_bytes",
    "put_lanes",
    "reverse16",
    "transpose4",
]

_intrinsic: Any = intrinsic  # kernels call them by the arguments after `typing`

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_4x8, _8x8, _16x8 = (ir.VectorType(_I8, n) for n in (4, 8, 16))
_4x16, _8x16, _16x16 = (ir.VectorType(_I16, n) for n in (4, 8, 16))


class _Code:
    """What the intrinsics share: typed access to an argument's bytes, and shuffles."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any) -> None:
        self.context, self.builder = context, builder
        self.kinds, self.args = signature.args, list(args)

    def pointer(self, array: int, offset: Any, to: ir.Type) -> Any:
        proxy = cgutils.create_struct_proxy(self.kinds[array])
        data = proxy(self.context, self.builder, self.args[array]).data
        data = self.builder.bitcast(data, _I8.as_pointer())
        return self.builder.bitcast(self.builder.gep(data, [offset]), to.as_pointer())

    def load(self, array: int, offset: int, kind: ir.Type) -> Any:
        return self.builder.load(self.pointer(array, self.args[offset], kind), align=1)

    def store(self, value: Any, array: int, offset: int) -> Any:
        pointer = self.pointer(array, self.args[offset], value.type)
        self.builder.store(value, pointer, align=1)
        return self.context.get_dummy_value()

    def shuffle(self, value: Any, order: list[int], more: Any = None) -> Any:
        """Lanes of `value`, and after them of `more`, in the given order."""
        lanes = ir.Constant(ir.VectorType(_I32, len(order)), order)
        more = ir.Constant(value.type, ir.Undefined) if more is None else more
        return self.builder.shuffle_vector(value, more, lanes)


class LanesType(types.Type):  # type: ignore[misc]
    """Numba's name for sixteen numbers of 16 bits."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _16x16)


_lanes = LanesType()


def _all(builder: Any, number: Any) -> Any:
    """The number, of any width, in each of the lanes."""
    width = number.type.width
    number = builder.trunc(number, _I16) if width > 16 else builder.zext(number, _I16)
    none = ir.Constant(_16x16, ir.Undefined)
    first = builder.insert_element(none, number, ir.Constant(_I32, 0))
    return builder.shuffle_vector(first, none, ir.Constant(ir.VectorType(_I32, 16), [0] * 16))


def _declare_operator(symbol: Any, instruction: str) -> None:
    class Template(AbstractTemplate):  # type: ignore[misc]
        key = symbol

        def generic(self, args: Any, kws: Any) -> Any:
            if args[0] == _lanes and (args[1] == _lanes or isinstance(args[1], types.Integer)):
                return signature(_lanes, *args)
            return None

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        left, right = args
        right = right if signature.args[1] == _lanes else _all(builder, right)
        return getattr(builder, instruction)(left, right)

    infer_global(symbol)(Template)
    lower_builtin(symbol, LanesType, LanesType)(build)
    lower_builtin(symbol, LanesType, types.Integer)(build)


for _symbol, _instruction in (
    (operator.add, "add"),
    (operator.sub, "sub"),
    (operator.mul, "mul"),
    (operator.lshift, "shl"),
    (operator.rshift, "lshr"),
):
    _declare_operator(_symbol, _instruction)


@_intrinsic
def bytes_at(typing: Any, source: Any, at: Any) -> Any:
    """Return 16 bytes as lanes."""

    def build(*parts: Any) -> Any:
        code = _Code(*parts)
        return code.builder.zext(code.load(0, 1, _16x8), _16x16)

    return _lanes(source, types.uintp), build


@_intrinsic
def lanes_at(typing: Any, source: Any, at: Any) -> Any:
    """Return 16 numbers of 16 bits."""
    return _lanes(source, types.uintp), lambda *parts: _Code(*parts).load(0, 1, _16x16)


@_intrinsic
def put_bytes(typing: Any, value: Any, target: Any, to: Any) -> Any:
    """Write the lower bytes of lanes."""

    def build(*parts: Any) -> Any:
        code = _Code(*parts)
        return code.store(code.builder.trunc(code.args[0], _16x8), 1, 2)

    return types.void(_lanes, target, types.uintp), build


@_intrinsic
def put_both(typing: Any, value: Any, more: Any, target: Any, to: Any) -> Any:
    """Write the lower bytes of lanes and of the lanes after them, 32 bytes."""

    def build(*parts: Any) -> Any:
        code = _Code(*parts)
        both = code.shuffle(code.args[0], list(range(32)), code.args[1])
        return code.store(code.builder.trunc(both, ir.VectorType(_I8, 32)), 2, 3)

    return types.void(_lanes, _lanes, target, types.uintp), build


@_intrinsic
def put_lanes(typing: Any, value: Any, target: Any, to: Any) -> Any:
    """Write lanes as 32 bytes."""

    def build(*parts: Any) -> Any:
        code = _Code(*parts)
        return code.store(code.args[0], 1, 2)

    return types.void(_lanes, target, types.uintp), build


def _call(name: str, *more: Any) -> Any:
    """Return the builder of a call of one of LLVM's own functions on two operands."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        left, right = args
        right = right if signature.args[1] == _lanes else _all(builder, right)
        kinds = [_16x16, _16x16, *(number.type for number in more)]
        kind = ir.FunctionType(_16x16, kinds)
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v16i16")
        return builder.call(function, [left, right, *more])

    return build


@_intrinsic
def high(typing: Any, a: Any, b: Any) -> Any:
    """Return the upper 16 bits of products; b is lanes or a number."""
    # As "umul.fix" it stays one 16-bit multiplication also where b is the same in every turn of a
    # loop; widened by hand, it becomes one of 32 bits.
    return _lanes(_lanes, b), _call("umul.fix", ir.Constant(_I32, 16))


@_intrinsic
def at_least(typing: Any, value: Any, number: Any) -> Any:
    """Return the lanes, raised to `number` where they are below."""
    return _lanes(_lanes, number), _call("umax")


@_intrinsic
def at_most(typing: Any, value: Any, number: Any) -> Any:
    """Return the lanes, lowered to `number` where they are above."""
    return _lanes(_lanes, number), _call("umin")


def _copy(kind: ir.Type) -> Any:
    def copy(typing: Any, source: Any, at: Any, target: Any, to: Any) -> Any:
        def build(*parts: Any) -> Any:
            code = _Code(*parts)
            return code.store(code.load(0, 1, kind), 2, 3)

        return types.void(source, types.uintp, target, types.uintp), build

    return _intrinsic(copy)


copy8, copy16 = _copy(_8x8), _copy(_16x8)


@_intrinsic(prefer_literal=True)
def _prefetch(typing: Any, source: Any, at: Any, write: Any) -> Any:
    """Ask for the cache line of a byte; it need not exist."""

    def build(*parts: Any) -> Any:
        code = _Code(*parts)
        pointer = code.pointer(0, code.args[1], _I8)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, _I32, _I32, _I32])
        function = cgutils.get_or_insert_function(code.builder.module, kind, "llvm.prefetch.p0")
        use, keep, data = (ir.Constant(_I32, number) for number in (write.literal_value, 3, 1))
        code.builder.call(function, [pointer, use, keep, data])
        return code.context.get_dummy_value()

    return types.void(source, types.uintp, write), build


@nb.njit(nogil=True, forceinline=True)
def prefetch_read(source, at, size):  # type: ignore[no-untyped-def]
    """Ask for bytes in an order that the processor does not foresee, such as backwards."""
    for k in range(np.uintp(0), np.uintp(size), np.uintp(64)):
        _prefetch(source, at + k, 0)


@nb.njit(nogil=True, forceinline=True)
def prefetch_write(target, to, size):  # type: ignore[no-untyped-def]
    """The same for bytes that will be written."""
    for k in range(np.uintp(0), np.uintp(size), np.uintp(64)):
        _prefetch(target, to + k, 1)


@_intrinsic(prefer_literal=True)
def reverse16(typing: Any, source: Any, at: Any, target: Any, to: Any, channels: Any) -> Any:
    """Copy 16 bytes, their whole pixels in reverse order; what is left of the 16 goes last."""
    count = 16 // channels.literal_value
    order = [
        (count - 1 - i) * channels.literal_value + c
        for i in range(count)
        for c in range(channels.literal_value)
    ]
    order += range(len(order), 16)

    def build(*parts: Any) -> Any:
        code = _Code(*parts)
        return code.store(code.shuffle(code.load(0, 1, _16x8), order), 2, 3)

    return types.void(source, types.uintp, target, types.uintp, channels), build


@_intrinsic(prefer_literal=True)
def transpose4(
    typing: Any, source: Any, at: Any, down: Any, target: Any, to: Any, pitch: Any, channels: Any
) -> Any:
    """Transpose a block of 4×4 pixels, its lines `down` bytes apart there and `pitch` here."""
    c = channels.literal_value

    def build(*parts: Any) -> Any:
        code = _Code(*parts)
        builder, line = code.builder, ir.VectorType(_I8, 4 * c)
        lines = []
        for _ in range(4):
            padded = [min(k, 4 * c - 1) for k in range(16)]
            lines.append(code.shuffle(code.load(0, 1, line), padded))
            code.args[1] = builder.add(code.args[1], code.args[2])
        zero = ir.Constant(_16x8, [0] * 16)
        for x in range(4):
            # Each line's pixel to its place among zeros, and the four together.
            pixels: Any = zero
            for y in range(4):
                order = [x * c + k - y * c if y * c <= k < y * c + c else 16 for k in range(16)]
                pixels = builder.or_(pixels, code.shuffle(lines[y], order, zero))
            code.store(code.shuffle(pixels, list(range(4 * c))), 3, 4)
            code.args[4] = builder.add(code.args[4], code.args[5])
        return code.context.get_dummy_value()

    u = types.uintp
    return types.void(source, u, u, target, u, u, channels), build


@_intrinsic
def permute16(
    typing: Any, source: Any, at: Any, orders: Any, first: Any, target: Any, to: Any
) -> Any:
    """Write the 16 bytes ``source[at + orders[first + i]]``, i = 0 … 15; orders below 16."""

    def build(*parts: Any) -> Any:
        code = _Code(*parts)
        builder = code.builder
        values, orders = code.load(0, 1, _16x8), code.load(2, 3, _16x8)
        # LLVM knows this pattern, each lane taken where another vector says, as one shuffle.
        orders = builder.and_(orders, ir.Constant(_16x8, [15] * 16))
        result: Any = ir.Constant(_16x8, ir.Undefined)
        for i in range(16):
            lane = ir.Constant(_I32, i)
            order = builder.zext(builder.extract_element(orders, lane), _I32)
            result = builder.insert_element(result, builder.extract_element(values, order), lane)
        return code.store(result, 4, 5)

    return types.void(source, types.uintp, orders, types.uintp, target, types.uintp), build


# 256 entries by register shuffles: only where those give 0 for a negative place, as AVX2's do.
FAST_LOOK_UP = bool(get_host_cpu_features().get("avx2")) and not getattr(config, "CPU_NAME", None)


def look_up_steps(tables: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return tables (T, 256) in the form that `look_up32` takes.

    A value's upper four bits say how many sixteenths of a half table it goes through; what they
    add by exclusive or is the difference to the sixteenth before, so that the last one remains.
    """
    halves = tables.reshape(len(tables), 2, 8, 16)
    steps = halves.copy()
    steps[:, :, 1:] ^= halves[:, :, :-1]
    return steps.reshape(len(tables), 256)


@_intrinsic
def look_up32(typing: Any, source: Any, at: Any, steps: Any, target: Any, to: Any) -> Any:
    """Write the entries of 32 values in a table of `look_up_steps`, (256,) uint8."""

    def build(*parts: Any) -> Any:
        code = _Code(*parts)
        builder, wide = code.builder, ir.VectorType(_I8, 32)

        def filled(byte: int) -> ir.Constant:
            return ir.Constant(wide, [byte] * 32)

        def call(name: str, *values: Any) -> Any:
            kind = ir.FunctionType(wide, [wide, wide])
            return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values)

        values, result = code.load(0, 1, wide), filled(0)
        for half, flip in enumerate((0, 128)):
            # A place below 0, in the other half or used up, adds nothing.
            place = builder.xor(values, filled(flip))
            for step in range(8):
                code.args[1] = ir.Constant(ir.IntType(64), 16 * (8 * half + step))
                table = code.shuffle(code.load(2, 1, _16x8), [*range(16), *range(16)])
                result = builder.xor(result, call("llvm.x86.avx2.pshuf.b", table, place))
                place = call("llvm.ssub.sat.v32i8", place, filled(16))
        return code.store(result, 3, 4)

    return types.void(source, types.uintp, steps, target, types.uintp), build


@_intrinsic(prefer_literal=True)
def bilinear(
    typing: Any, source: Any, top: Any, bottom: Any, weights: Any, first: Any, target: Any,
    to: Any, channels: Any,
) -> Any:  # fmt: skip
    """Write a pixel (4 bytes) mixed from two neighbours at `top` and two at `bottom`.

    `weights` holds uint16 in 1/256, from byte `first` on: top left and right, bottom left and
    right; their sum is 256. 8 bytes are read from each offset.
    """
    c = channels.literal_value

    def build(*parts: Any) -> Any:
        code = _Code(*parts)
        builder = code.builder
        weight = code.load(3, 4, _4x16)
        rows = []
        for offset, left, right in ((1, 0, 1), (2, 2, 3)):
            row = builder.zext(code.load(0, offset, _8x8), _8x16)
            each = code.shuffle(weight, [left] * c + [right] * c + [0] * (8 - 2 * c))
            rows.append(builder.mul(row, each))
        total = builder.add(*rows)
        total = builder.add(total, code.shuffle(total, [(c + i) % 8 for i in range(8)]))
        total = builder.add(total, ir.Constant(_8x16, [128] * 8))
        pixel = builder.trunc(builder.lshr(total, ir.Constant(_8x16, [8] * 8)), _8x8)
        return code.store(code.shuffle(pixel, [0, 1, 2, 3]), 5, 6)

    signature = types.void(
        source, types.uintp, types.uintp, weights, types.uintp, target, types.uintp, channels
    )
    return signature, build


@nb.njit(nogil=True, forceinline=True)
def copy_bytes(source, at, target, to, size):  # type: ignore[no-untyped-def]
    """Copy a run of bytes.

    Numba's own assignment of arrays takes seconds to compile, and a plain loop becomes a call of
    the library's memcpy, which is slow for the lines of small images.
    """
    end = np.uintp(size)
    if np.uintp(16) <= end < np.uintp(1024):
        for k in range(np.uintp(0), end - np.uintp(15), np.uintp(16)):
            copy16(source, at + k, target, to + k)
        copy16(source, at + end - np.uintp(16), target, to + end - np.uintp(16))
    else:
        for k in range(end):
            target[to + k] = source[at + k]

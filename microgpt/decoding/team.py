"""Threads that share one token meet a hundred times while it is read: too often for locks.

They count arrivals in shared memory and wait for the others in a loop, `kernels.meet`, as OpenMP's
threads do. A thread whose core was taken away keeps all others waiting, so it tells how long.
"""

import platform

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

X86 = platform.machine().lower() in ("x86_64", "amd64")


def counter(context, builder, kind, array):
    return context.make_array(kind)(context, builder, array).data


@intrinsic
def arrive(typing_context, arrivals):
    """Add one; all that this thread wrote before is seen by those who read the new count."""

    def generate(context, builder, signature, arguments):
        place = counter(context, builder, arrivals, arguments[0])
        builder.atomic_rmw("add", place, ir.IntType(64)(1), "acq_rel")
        return context.get_dummy_value()

    return types.void(arrivals), generate


@intrinsic
def arrived(typing_context, arrivals):
    """The count, read from memory each time; where it must wait, the other half of the core goes
    first."""

    def generate(context, builder, signature, arguments):
        if X86:
            shape = ir.FunctionType(ir.VoidType(), [])
            name = "llvm.x86.sse2.pause"
            builder.call(cgutils.get_or_insert_function(builder.module, shape, name), [])
        place = counter(context, builder, arrivals, arguments[0])
        return builder.load_atomic(place, "acquire", 8)

    return types.int64(arrivals), generate

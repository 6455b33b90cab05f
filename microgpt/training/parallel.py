"""Data parallelism with threads: each works through its own sequences, gradients are summed.

BLAS and the kernels release the GIL, so two threads keep two cores busy. Two thread pools in one
process fight for the cores, so BLAS itself is held to one thread meanwhile.
"""

import contextlib
import contextvars
import ctypes
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from threadpoolctl import ThreadpoolController

from microgpt.autograd.tensor import Tensor, backward


class OneThread:
    """The limit of one thread for BLAS. It holds for the whole program, so it is lifted when the
    last of those who want it has left, in whichever order they leave."""

    def __init__(self):
        self._lock, self._wanted, self._limit = threading.Lock(), 0, None

    @contextlib.contextmanager
    def wanted(self):
        with self._lock:
            if not self._wanted:
                self._limit = _blas().limit(limits=1, user_api="blas")
            self._wanted += 1
        try:
            yield
        finally:
            with self._lock:
                self._wanted -= 1
                if not self._wanted:
                    self._limit.restore_original_limits()


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()  # finding the loaded libraries takes milliseconds: once


_one_thread = OneThread()


def single_threaded_blas():
    """A context in which each matrix product runs on the thread that asked for it."""
    return _one_thread.wanted()


M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # names of glibc's malloc.h


_shared = []  # not empty in a program that must give memory back


def share_memory() -> None:
    """From now on what training frees goes back to the system: for a server, which many share.
    Call it again when a run has ended, and what glibc has kept in between goes back too."""
    _shared[:] = [True]
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@cache
def keep_freed_memory() -> None:
    """Ask glibc not to give memory back between steps: asking anew costs a page fault per 4 KB.

    A training step makes and frees the same arrays every time; this saves a tenth of it. Other
    C libraries have no such switch and need none to be right. Not where `share_memory` was called.
    """
    if _shared:
        return
    with contextlib.suppress(OSError, AttributeError, TypeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, 2**29)
        libc.mallopt(M_TOP_PAD, 2**26)
        libc.mallopt(M_MMAP_THRESHOLD, 2**25)


def _work_through(loss_function, params, shards):
    """Loss and gradients summed over some shards."""
    tensors = {name: Tensor(p) for name, p in params.items()}
    loss = 0.0
    for shard in shards:
        shard_loss = loss_function(tensors, *shard)
        backward(shard_loss)
        loss += float(shard_loss.data)
    return loss, {name: t.grad for name, t in tensors.items() if t.grad is not None}


def gradients(loss_function, params, shards, threads=2):
    """Sum of `loss_function(tensors, *shard)` over all shards, and its gradient for each weight.

    Shard i goes to thread i modulo `threads`, and the threads' sums are added in a fixed order:
    the result doesn't depend on which thread was faster.
    """
    parts = [shards[i::threads] for i in range(min(threads, len(shards)))]
    if len(parts) == 1:
        return _work_through(loss_function, params, parts[0])
    with ThreadPoolExecutor(len(parts) - 1) as pool:
        others = [
            pool.submit(contextvars.copy_context().run, _work_through, loss_function, params, part)
            for part in parts[1:]
        ]
        loss, grads = _work_through(loss_function, params, parts[0])
        for other in others:
            other_loss, other_grads = other.result()
            loss += other_loss
            for name, grad in other_grads.items():
                grads[name] = grads[name] + grad if name in grads else grad
    return loss, grads

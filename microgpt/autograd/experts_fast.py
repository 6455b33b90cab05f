"""Fast twins of `experts`: one matrix product for all rows of an expert, no loop over tokens."""

import numpy as np


def _segments(counts):
    """(expert, its slice of the rows) for every expert that has any."""
    ends = np.cumsum(counts)
    return [(e, slice(end - n, end)) for e, (end, n) in enumerate(zip(ends, counts, strict=True))
            if n]  # fmt: skip


def expert_linear(rows, weight, counts):
    out = np.empty((len(rows), weight.shape[1]), np.float32)
    for expert, part in _segments(counts):
        np.matmul(rows[part], weight[expert].T, out=out[part])
    return out


def expert_linear_backward(grad, out, rows, weight, counts):
    d_rows, d_weight = np.empty(rows.shape, np.float32), np.zeros(weight.shape, np.float32)
    for expert, part in _segments(counts):
        np.matmul(grad[part], weight[expert], out=d_rows[part])
        np.matmul(grad[part].T, rows[part], out=d_weight[expert])
    return d_rows, d_weight, None


def combine(rows, shares, order):
    N, K = shares.shape
    answers = np.zeros((K * N, rows.shape[1]), np.float32)
    answers[order] = rows * shares.T.ravel()[order][:, None]
    return answers.reshape(K, N, -1).sum(0)


def combine_backward(grad, out, rows, shares, order):
    N, K = shares.shape
    of_token = grad[order % N]
    d_shares = np.zeros(K * N, np.float32)
    d_shares[order] = np.einsum("rc,rc->r", of_token, rows)
    d_rows = of_token * shares.T.ravel()[order][:, None]
    return d_rows, np.ascontiguousarray(d_shares.reshape(K, N).T), None

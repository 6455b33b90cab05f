"""The sum behind every number of a forward pass: which terms made this cell?

`values_of` keeps what one layer of one pass computed; `cell` takes one number of it apart again,
in float64, from the numbers it was made of. What comes out equals what the model had, to the
rounding of float32, for every tensor that `trace.TRACE` lists of a dense model.

Every tensor is seen as a table with one row a token (`flat`): heads stand side by side.
"""

import math

import numpy as np

from microgpt.autograd import ops
from microgpt.insight.cell_place import BEFORE, PROBABILITIES, Cell, Place, Source, flat, values_of
from microgpt.model.gpt import head_name
from microgpt.model.positions import alibi_slopes, rope_table, sinusoidal_table

__all__ = ["BEFORE", "PROBABILITIES", "Cell", "Source", "cell", "flat", "values_of"]


def row_of_table(at: Place) -> Cell:
    token, table = at.ids[at.row], "model.embed_tokens.weight"
    number = at.weight_row(table, token)[at.column]
    return at.cell(
        "E[id, c]", [(f"row {token} of the table, number {at.column + 1}", number)],
        sources=(Source(table, (token, token + 1), (0, at.config.width), weight=True),),
    )  # fmt: skip


def position_row(at: Place) -> Cell:
    if at.config.positions == "learned":
        number = at.weight_row("model.embed_positions.weight", at.row)[at.column]
        return at.cell("P[t, c]", [(f"row {at.row} of the table of positions", number)])
    wave = "sin" if at.column % 2 == 0 else "cos"
    angle = at.row * 10_000 ** (-(at.column - at.column % 2) / at.config.width)
    number = sinusoidal_table(at.row, at.row + 1, at.config)[0, at.column]
    return at.cell(f"{wave}(t · 10000^(−i/C))",
                   [("the angle", angle), (f"its {wave}", float(number))])  # fmt: skip


def normalized(at: Place) -> Cell:
    """Root mean square (or mean and deviation), then the learned weight."""
    config = at.config
    if at.part == "norm":
        source, weights = BEFORE, "model.norm"
    elif at.part == "mlp.norm":
        source, weights = at.full("middle"), f"{at.weights_prefix}post_attention_layernorm"
    else:
        source, weights = BEFORE, f"{at.weights_prefix}input_layernorm"
    x = at.values[source][at.row].astype(np.float64)
    weight = at.weight_row(f"{weights}.weight", at.column)
    sources = (Source(source, (at.row, at.row + 1), (0, config.width)),)
    if config.norm == "rmsnorm":
        size = math.sqrt((x * x).mean() + config.norm_eps)
        steps = [
            ("the sum of all squares", (x * x).sum()),
            (f"÷ {config.width}, + {config.norm_eps:g}, and the root: how large the row is", size),
            (f"this number, {x[at.column]:.4f}, ÷ that", x[at.column] / size),
            (f"× the learned weight {weight:.4f}", x[at.column] / size * weight),
        ]
        return at.cell("x / √(mean(x²) + ε) · w", steps, left=x, right=x, sources=sources)
    bias = at.weight_row(f"{weights}.bias", at.column)
    centered = x - x.mean()
    size = math.sqrt((centered * centered).mean() + config.norm_eps)
    steps = [
        ("the sum of all squared distances from the mean", (centered * centered).sum()),
        (f"÷ {config.width}, + {config.norm_eps:g}, and the root: the deviation", size),
        (f"this number's distance, {centered[at.column]:.4f}, ÷ that", centered[at.column] / size),
        (f"× the learned weight {weight:.4f}, + the learned bias {bias:.4f}",
         centered[at.column] / size * weight + bias),
    ]  # fmt: skip
    return at.cell("(x − mean) / √(var + ε) · w + b", steps, left=centered, right=centered,
                   sources=sources)  # fmt: skip


def product(at: Place, source: str, weight: str, formula: str, counts: str = "channel") -> Cell:
    """A row of the tensor before times a row of the matrix, plus its bias if it has one."""
    left = flat(source, at.values[source])[at.row].astype(np.float64)
    right = at.weight_row(f"{weight}.weight", at.column)
    total = float(left @ right)
    steps = [("the sum of all products", total)]
    if f"{weight}.bias" in at.model.params:
        bias = at.weight_row(f"{weight}.bias", at.column)
        steps.append((f"+ the learned bias {bias:.4f}", total + bias))
    rows = Source(source, (at.row, at.row + 1), (0, len(left)))
    matrix = Source(f"{weight}.weight", (at.column, at.column + 1), (0, len(left)), weight=True)
    return at.cell(formula, steps, counts=counts, left=left, right=right, sources=(rows, matrix))


def projected(kind: str):
    """A query, a key or a value: the normalized row times a matrix."""

    def make(at: Place) -> Cell:
        weight = f"{at.weights_prefix}self_attn.{kind[0]}_proj"
        return product(at, at.full("attention.norm"), weight, f"{kind} = norm · W{kind[0]}ᵀ")

    return make


def rotated(kind: str):
    """RoPE: the pair (d, d + D/2) turned by its position's angle."""

    def make(at: Place) -> Cell:
        D, name = at.config.head_size, at.full(f"attention.{kind}")
        head, d = divmod(at.column, D)
        j = d % (D // 2)
        cos, sin = (float(x[0, j]) for x in rope_table(at.row, at.row + 1, at.config))
        pair = at.value(f"attention.{kind}")[at.row, head, [j, j + D // 2]]
        turn = np.array([cos, -sin] if d < D // 2 else [sin, cos])
        angle = at.row * at.config.rope_base ** (-2 * j / D)
        steps = [(f"the angle of position {at.row} for pair {j + 1}, in radians", angle),
                 ("the turned number", pair @ turn)]  # fmt: skip
        formula = "x₁ cos − x₂ sin" if d < D // 2 else "x₁ sin + x₂ cos"
        first = head * D + j
        return at.cell(formula, steps, counts="pair", left=pair, right=turn, sources=(
            Source(name, (at.row, at.row + 1), (first, first + 1)),
            Source(name, (at.row, at.row + 1), (first + D // 2, first + D // 2 + 1)),
        ))  # fmt: skip

    return make


def looked_at(at: Place) -> tuple[int, int, int]:
    """Head, key's token and key head of a column of scores or weights."""
    head, token = divmod(at.column, len(at.ids))
    return head, token, head // (at.config.heads // at.config.kv_heads)


def may_see(config, query: int, key: int) -> bool:
    """Whether the mask lets one position look at another."""
    if not config.causal:
        return True
    return key <= query and (config.window is None or key > query - config.window)


def score(at: Place) -> Cell:
    """A query times a key, scaled; ALiBi's penalty; minus infinity where the mask hides it."""
    config, D = at.config, at.config.head_size
    head, token, group = looked_at(at)
    turned = "_rotated" if config.positions == "rope" else ""
    q = at.value(f"attention.query{turned}")[at.row, head]
    k = at.value(f"attention.key{turned}")[token, group]
    scale = 1 / math.sqrt(D) if config.scale is None else config.scale
    steps = [("the sum of all products", q @ k)]
    words = f"÷ √{D} = {math.sqrt(D):.4f}" if config.scale is None else f"× {scale:g}"
    steps.append((words, q @ k * scale))
    if config.positions == "alibi":
        slope, far = alibi_slopes(config.heads)[head], abs(at.row - token)
        steps.append((f"− {slope:.4f} for each of {far} tokens of distance",
                      steps[-1][1] - slope * far))  # fmt: skip
    if not may_see(config, at.row, token):
        steps.append(("but this token stands where the query may not look: the mask", -math.inf))
    return at.cell("q · k / √D", steps, left=q, right=k, sources=(
        Source(at.full(f"attention.query{turned}"), (at.row, at.row + 1),
               (head * D, head * D + D)),
        Source(at.full(f"attention.key{turned}"), (token, token + 1), (group * D, group * D + D)),
    ))  # fmt: skip


def shares(at: Place, scores, own: int, source: Source, counts: str) -> Cell:
    """Softmax: e to each score over the sum of them all."""
    peak = scores.max()
    powers = np.exp(scores - peak)
    steps = [
        (f"the sum of e^(score − {peak:.4f}) over all {len(scores)}", powers.sum()),
        ("of which this one's part is", powers[own]),
        ("as a share of the sum", powers[own] / powers.sum()),
    ]
    return at.cell("e^score / Σ e^scores", steps, counts=counts, left=powers,
                   right=np.ones(len(powers)), sources=(source,))  # fmt: skip


def weight(at: Place) -> Cell:
    """One attention weight: the softmax of the scores that the query may see."""
    head, token, _ = looked_at(at)
    seen = [j for j in range(len(at.ids)) if may_see(at.config, at.row, j)]
    first = head * len(at.ids)
    source = Source(at.full("attention.scores"), (at.row, at.row + 1),
                    (first + seen[0], first + seen[-1] + 1))  # fmt: skip
    if token not in seen:
        return at.cell("e^−∞ = 0", [("the mask hides this token, so its share is", 0.0)],
                       sources=(source,))  # fmt: skip
    scores = at.value("attention.scores")[head, at.row, seen]
    return shares(at, scores, seen.index(token), source, "token")


def probability(at: Place) -> Cell:
    logits = at.values["logits"][at.row].astype(np.float64)
    source = Source("logits", (at.row, at.row + 1), (0, len(logits)))
    return shares(at, logits, at.column, source, "vocabulary")


def mixed(at: Place) -> Cell:
    """The values of the tokens that are looked at, each times its weight."""
    D, T = at.config.head_size, len(at.ids)
    head, d = divmod(at.column, D)
    group = head // (at.config.heads // at.config.kv_heads)
    weights = at.value("attention.weights")[head, at.row]
    values = at.value("attention.value")[:, group, d]
    column = group * D + d
    return at.cell("Σ weight · value", [("the sum of all products", weights @ values)],
                   counts="token", left=weights, right=values, sources=(
        Source(at.full("attention.weights"), (at.row, at.row + 1), (head * T, head * T + T)),
        Source(at.full("attention.value"), (0, T), (column, column + 1)),
    ))  # fmt: skip


def added(before: str, answer: str):
    """The residual sum: the stream and what a part says."""

    def make(at: Place) -> Cell:
        stream = BEFORE if before == BEFORE else at.full(before)
        names = (stream, at.full(answer))
        parts = np.array([at.values[name][at.row, at.column] for name in names], np.float64)
        box = (at.row, at.row + 1), (at.column, at.column + 1)
        return at.cell("x + f(norm(x))", [("the stream and the answer together", parts.sum())],
                       counts="part", left=parts, right=np.ones(2),
                       sources=tuple(Source(name, *box) for name in names))  # fmt: skip

    return make


def hidden(at: Place) -> Cell:
    """SwiGLU or GELU: what the hidden unit lets through."""
    up = float(at.value("mlp.up")[at.row, at.column])
    box = (at.row, at.row + 1), (at.column, at.column + 1)
    ups = Source(at.full("mlp.up"), *box)
    if at.config.mlp == "gelu":
        inner = ops.GELU_SCALE * (up + 0.044715 * up**3)
        steps = [("the inner polynomial", inner), ("its tanh", math.tanh(inner)),
                 (f"0.5 · {up:.4f} · (1 + that)", 0.5 * up * (1 + math.tanh(inner)))]  # fmt: skip
        return at.cell("GELU(up)", steps, sources=(ups,))
    gate = float(at.value("mlp.gate")[at.row, at.column])
    opening = 1 / (1 + math.exp(-gate)) if gate > -700 else 0.0
    steps = [
        (f"σ({gate:.4f}): how far the gate opens", opening),
        (f"× the gate {gate:.4f} itself: SiLU", gate * opening),
        (f"× up, {up:.4f}", gate * opening * up),
    ]
    return at.cell("SiLU(gate) · up", steps, sources=(Source(at.full("mlp.gate"), *box), ups))


def mlp_product(part: str, source: str, formula: str, counts: str = "channel"):
    def make(at: Place) -> Cell:
        weight = f"{at.weights_prefix}mlp.{part}_proj"
        return product(at, at.full(source), weight, formula, counts)

    return make


def attention_output(at: Place) -> Cell:
    return product(at, at.full("attention.mixed"), f"{at.weights_prefix}self_attn.o_proj",
                   "mixed · Woᵀ")  # fmt: skip


def logit(at: Place) -> Cell:
    return product(at, "norm", head_name(at.config).removesuffix(".weight"), "norm · Eᵀ")


MAKERS = {
    "embedding": row_of_table,
    "positions": position_row,
    "attention.norm": normalized,
    "attention.query": projected("query"),
    "attention.key": projected("key"),
    "attention.value": projected("value"),
    "attention.query_rotated": rotated("query"),
    "attention.key_rotated": rotated("key"),
    "attention.scores": score,
    "attention.weights": weight,
    "attention.mixed": mixed,
    "attention.output": attention_output,
    "middle": added(BEFORE, "attention.output"),
    "mlp.norm": normalized,
    "mlp.gate": mlp_product("gate", "mlp.norm", "norm · Wgateᵀ"),
    "mlp.up": mlp_product("up", "mlp.norm", "norm · Wupᵀ"),
    "mlp.hidden": hidden,
    "mlp.output": mlp_product("down", "mlp.hidden", "hidden · Wdownᵀ", counts="unit"),
    "residual": added("middle", "mlp.output"),
    "norm": normalized,
    "logits": logit,
    PROBABILITIES: probability,
}


def cell(model, ids, values, name: str, row: int, column: int) -> Cell:
    """Take one number apart: `name` as in `values`, the row (a token) and column of its table.

    KeyError for a name that `values` hasn't got, ValueError for a place outside of the table.
    """
    table = flat(name, values[name])
    if not (0 <= row < table.shape[0] and 0 <= column < table.shape[1]):
        raise ValueError(
            f"{name} has {table.shape[0]} rows and {table.shape[1]} columns; there is no row "
            f"{row}, column {column}."
        )
    place = Place(model, tuple(ids), values, name, row, column)
    return MAKERS[place.part](place)

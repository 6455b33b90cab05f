"""The shape of a model: every number needed to build it, none that it learns."""

import math
from dataclasses import asdict, dataclass

POSITIONS = ("rope", "learned", "sinusoidal", "alibi", "none")
NORMS = ("rmsnorm", "layernorm")
MLPS = ("swiglu", "gelu", "moe")
BLOCKS = ("attention", "ssm")
PARTS = (
    "blocks", "inner", "state", "taps", "rank", "experts", "active", "capacity", "causal", "scale",
)  # fmt: skip


@dataclass(frozen=True)
class GPTConfig:
    """Sizes and kinds of one GPT.

    `kv_heads` equal to `heads` is multi-head attention, 1 is multi-query, between is grouped.
    `window` limits how far back a token looks (None: to the start). `tied` uses the embedding
    table as the output head too. `rope_base` is the longest wavelength's base in RoPE.

    `blocks` says what mixes the tokens in each layer: one word or several, repeated from layer to
    layer, so "ssm attention" takes turns. A state space layer has `inner` channels (None: twice
    the width) with `state` numbers each, a convolution of `taps` tokens, and squeezes its step
    sizes through `rank` numbers (None: a sixteenth of the width).

    With mlp "moe" every layer has `experts` SwiGLU networks of size `hidden`, and each token goes
    to `active` of them. `capacity` 1.25 lets an expert take 1.25 times an equal share of the
    tokens of a pass, so what a token gets depends on the others; None lets none be turned away.

    Two things are there to be taken away and missed: without `causal` every token sees those after
    it too, and such a model can't keep a cache; `scale` is what a query times a key is multiplied
    by (None: 1/sqrt(D), which every model here that is in use has).
    """

    vocab_size: int
    context: int
    layers: int
    width: int
    heads: int
    hidden: int
    kv_heads: int | None = None
    positions: str = "rope"
    rope_base: float = 10_000.0
    norm: str = "rmsnorm"
    norm_eps: float = 1e-5
    mlp: str = "swiglu"
    tied: bool = True
    bias: bool = False
    window: int | None = None
    blocks: str = "attention"
    inner: int | None = None
    state: int | None = None
    taps: int | None = None
    rank: int | None = None
    experts: int | None = None
    active: int | None = None
    capacity: float | None = None
    causal: bool = True
    scale: float | None = None

    def __post_init__(self):
        if self.kv_heads is None:
            object.__setattr__(self, "kv_heads", self.heads)
        for name in ("vocab_size", "context", "layers", "width", "heads", "hidden", "kv_heads"):
            self._check_size(name)
        self._check_blocks()
        self._check_experts()
        self._check_scores()
        if self.width % self.heads:
            raise ValueError(
                f"width {self.width} can't be split evenly over {self.heads} heads; "
                "make it a multiple."
            )
        if self.heads % self.kv_heads:
            raise ValueError(
                f"{self.heads} query heads can't share {self.kv_heads} key/value heads evenly; "
                "kv_heads must divide heads."
            )
        if self.positions == "rope" and self.head_size % 2:
            raise ValueError(f"RoPE turns pairs, so head size {self.head_size} must be even.")
        if self.window is not None and self.window < 1:
            raise ValueError(f"window is {self.window}, but a token must at least see itself.")
        if not self.norm_eps > 0 or not self.rope_base > 1:
            raise ValueError("norm_eps must be above 0 and rope_base above 1.")
        for name, allowed in (("positions", POSITIONS), ("norm", NORMS), ("mlp", MLPS)):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}; use one of {', '.join(allowed)}."
                )

    def _check_size(self, name):
        value = getattr(self, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} is {value!r}, but must be a whole number of at least 1.")

    def _settle(self, used: bool, what: str, **defaults):
        """Fill in sizes that such a model has, and refuse those that it hasn't."""
        for name, default in defaults.items():
            if used and getattr(self, name) is None:
                object.__setattr__(self, name, default)
            if used:
                self._check_size(name)
            elif getattr(self, name) is not None:
                raise ValueError(f"{name} is {getattr(self, name)!r}, but there is no {what}.")

    def _check_blocks(self):
        kinds = self.blocks.split() if isinstance(self.blocks, str) else []
        if not kinds or not set(kinds) <= set(BLOCKS):
            raise ValueError(
                f"blocks is {self.blocks!r}; use one or more of the words {', '.join(BLOCKS)}."
            )
        self._settle(
            "ssm" in self.kinds, "state space layer",
            inner=2 * self.width, state=16, taps=4, rank=max(1, self.width // 16),
        )  # fmt: skip

    def _check_experts(self):
        self._settle(self.mlp == "moe", "mixture of experts", experts=8, active=2)
        if self.mlp == "moe" and self.active > self.experts:
            raise ValueError(
                f"A token can't go to {self.active} experts where there are {self.experts}."
            )
        if self.mlp == "moe" and self.bias:
            raise ValueError("Experts have no biases here; set bias to False.")
        if self.capacity is not None and (self.mlp != "moe" or not self.capacity > 0):
            raise ValueError(
                f"capacity is {self.capacity!r}, but must be above 0, and only experts have one."
            )

    def _check_scores(self):
        if self.causal is not True and self.causal is not False:
            raise ValueError(f"causal is {self.causal!r}, but must be True or False.")
        if not self.causal and (self.window is not None or "ssm" in self.kinds):
            raise ValueError(
                "A window and a state space layer only look back, so a model that has one can't "
                "have causal=False."
            )
        if self.scale is not None and not 0 < self.scale < math.inf:
            raise ValueError(f"scale is {self.scale!r}, but must be a finite number above 0.")

    @property
    def head_size(self) -> int:
        return self.width // self.heads

    @property
    def kinds(self) -> tuple[str, ...]:
        """What mixes the tokens in each layer: "attention" or "ssm"."""
        pattern = self.blocks.split()
        return tuple(pattern[layer % len(pattern)] for layer in range(self.layers))

    def layers_of(self, kind: str) -> tuple[int, ...]:
        return tuple(layer for layer, own in enumerate(self.kinds) if own == kind)

    def as_dict(self) -> dict:
        """Everything needed to build it again; sizes of parts that it hasn't are left out."""
        entries = asdict(self)
        absent = [name for name in PARTS if entries[name] == getattr(GPTConfig, name)]
        return {name: value for name, value in entries.items() if name not in absent}


def llama_style(**sizes) -> GPTConfig:
    """RoPE, RMSNorm, SwiGLU, no biases, tied head: Llama and most models since 2023."""
    return GPTConfig(**sizes)


def gpt2_style(**sizes) -> GPTConfig:
    """Learned positions, LayerNorm, GELU, biases, tied head: GPT-2 (Radford et al. 2019)."""
    kinds = dict(positions="learned", norm="layernorm", mlp="gelu", bias=True)
    return GPTConfig(**{**kinds, **sizes})

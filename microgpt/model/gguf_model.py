"""A Llama-style model in a GGUF file, as the engine's own parts: config, weights, tokenizer.

The weights stay packed in the mapped file. `Packed` looks like the flat dict of float32 arrays that
`gpt` takes, but works out one matrix at a time, when it is asked for, and keeps none.
"""

import re
from collections.abc import Mapping

import numpy as np

from microgpt.model import blocks, gguf
from microgpt.model.block_kernels import TWINS
from microgpt.model.config import GPTConfig
from microgpt.model.gpt import parameter_shapes
from microgpt.tokens.tokenizer import LEAVE_OUT, Tokenizer

NAMES = {  # GGUF's, and Hugging Face's
    "token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head",
}  # fmt: skip
LAYER_NAMES = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}  # fmt: skip
PATTERNS = {"smollm": "smollm", "qwen2": "digits"}  # llama.cpp's names of the rules for words
NORMAL, CONTROL = 1, 3  # kinds of tokens
LARGE = 2**24  # bytes of a tensor after which what was read of the file need not stay in memory
REQUIRED = {  # facts of a Llama: what GPTConfig calls them
    "embedding_length": "width", "block_count": "layers", "attention.head_count": "heads",
    "feed_forward_length": "hidden", "context_length": "context",
}  # fmt: skip


class Packed(Mapping):
    """The weights of a model by name, packed: each look-up expands one array to float32."""

    def __init__(self, tensors, config: GPTConfig, release=lambda: None):
        self.tensors: dict[str, gguf.Tensor] = tensors
        self.config, self.release = config, release
        heads = {"q_proj": config.heads, "k_proj": config.kv_heads}
        self.orders = {part: half_split(n, config.head_size) for part, n in heads.items()}

    def blocks(self, name: str):  # -> (R, N, bytes) uint8
        """The blocks of a matrix, its rows in Hugging Face's order.

        GGUF has RoPE's pairs side by side in the rows of a head; here each pair is j and j + D/2.
        """
        raw = self.tensors[name].raw
        order = self.orders.get(name.split(".")[-2])
        return raw if order is None else raw[order]

    def kind(self, name: str) -> str:
        return self.tensors[name].kind

    def __getitem__(self, name: str) -> np.ndarray:
        tensor = self.tensors[name]
        raw = self.blocks(name)
        if tensor.kind in TWINS:
            array = np.empty((len(raw), tensor.shape[-1]), np.float32)
            TWINS[tensor.kind](raw, array)
        else:
            array = blocks.dequantize(tensor.kind, raw)
        if raw.nbytes > LARGE:
            self.release()
        array = array.reshape(tensor.shape)
        array.setflags(write=False)
        return array

    def __iter__(self):
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)


def half_split(heads: int, size: int) -> np.ndarray:  # -> (heads * size,)
    """Where each row of Hugging Face's q or k matrix stands in GGUF's."""
    rows = np.arange(heads * size).reshape(heads, size // 2, 2)
    return rows.swapaxes(1, 2).ravel()


def load_gguf(path, context: int) -> tuple[Packed, GPTConfig, Tokenizer]:
    """The weights, the config with room for at most `context` tokens, and the tokenizer.

    ValueError in a sentence for a file that holds no Llama, or not all of one.
    """
    file = gguf.read(path)
    try:
        tensors = {hugging_face_name(name): one for name, one in file.tensors.items()}
        config = config_of(file.facts, tensors, context)
        check_tensors(tensors, config)
        tokenizer = tokenizer_of(file.facts)
    except ValueError as error:
        raise ValueError(f"{path} can't be run: {error}") from None
    if tokenizer.vocab_size > config.vocab_size:
        raise ValueError(
            f"{path} can't be run: it has {tokenizer.vocab_size} tokens, but its table only "
            f"{config.vocab_size}."
        )
    params = Packed({n: tensors[n] for n in parameter_shapes(config)}, config, file.release)
    params.release()
    return params, config, tokenizer


def hugging_face_name(name: str) -> str:
    match = re.fullmatch(r"blk\.(\d{1,4})\.(\w+)\.weight", name)
    if match and match[2] in LAYER_NAMES:
        return f"model.layers.{int(match[1])}.{LAYER_NAMES[match[2]]}.weight"
    stem = name.removesuffix(".weight")
    if stem == name or stem not in NAMES:
        raise ValueError(f"the tensor {name[:60]!r} belongs to no model that this engine knows.")
    return f"{NAMES[stem]}.weight"


def config_of(facts: dict, tensors: dict, context: int) -> GPTConfig:
    """The model's sizes, from facts that are checked for being what they should be."""
    if facts.get("general.architecture") != "llama":
        raise ValueError(f"its architecture is {facts.get('general.architecture')!r}, not 'llama'.")

    def number(name, default=None, kinds=(int,)):
        value = facts.get(f"llama.{name}", default)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise ValueError(f"llama.{name} is {value!r}, but must be a number.")
        return value

    sizes = {ours: number(theirs) for theirs, ours in REQUIRED.items()}
    if facts.get("llama.rope.scaling.type", "none") != "none" or number("expert_count", 0):
        raise ValueError("it stretches RoPE or has experts, which this engine does not know.")
    if "model.embed_tokens.weight" not in tensors:
        raise ValueError("it has no table of tokens.")
    config = GPTConfig(
        **{**sizes, "context": min(sizes["context"], context)},
        vocab_size=tensors["model.embed_tokens.weight"].shape[0],
        kv_heads=number("attention.head_count_kv", sizes["heads"]),
        rope_base=shortest(number("rope.freq_base", 10_000.0, (int, float))),
        norm_eps=shortest(number("attention.layer_norm_rms_epsilon", kinds=(int, float))),
        tied="lm_head.weight" not in tensors,
    )
    if number("rope.dimension_count", config.head_size) != config.head_size:
        raise ValueError("it turns only a part of each head, which this engine does not know.")
    if config.layers > 1000:
        raise ValueError(f"it claims {config.layers} layers.")
    return config


def shortest(value: float) -> float:
    """The shortest decimal that is this float32: 1e-5, not 9.99999974e-06."""
    return float(str(np.float32(value)))


def check_tensors(tensors: dict[str, gguf.Tensor], config: GPTConfig) -> None:
    """Every weight of such a model must be there, in its shape, and finite."""
    shapes = parameter_shapes(config)
    if set(tensors) != set(shapes):
        odd = sorted(set(tensors) ^ set(shapes))[0]
        raise ValueError(f"{odd} is missing or too much.")
    for name, shape in shapes.items():
        if tensors[name].shape != shape:
            raise ValueError(f"{name} has the shape {tensors[name].shape}, not {shape}.")
        blocks.check(tensors[name].kind, tensors[name].raw, name)


def byte_names() -> list[str]:
    """The letter that stands for each byte in the tokens of GPT-2 and its heirs: the printable
    ones for themselves, the others from U+0100 on."""
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) if byte in plain else chr(256 + others.index(byte)) for byte in range(256)]


def tokenizer_of(facts: dict) -> Tokenizer:
    """The byte-level BPE vocabulary of a GGUF file."""
    kind, rule = facts.get("tokenizer.ggml.model"), facts.get("tokenizer.ggml.pre")
    if kind != "gpt2" or rule not in PATTERNS:
        raise ValueError(
            f"its tokenizer is of the kind {kind!r} with the rule {rule!r}; this engine knows "
            f"'gpt2' with {', '.join(PATTERNS)}."
        )
    tokens = texts(facts, "tokenizer.ggml.tokens")
    kinds = facts.get("tokenizer.ggml.token_type")
    if not isinstance(kinds, list) or len(kinds) != len(tokens) or set(kinds) - {NORMAL, CONTROL}:
        raise ValueError("tokenizer.ggml.token_type must say normal or control of every token.")
    ids = {token: i for i, token in enumerate(tokens)}
    if len(ids) < len(tokens):
        raise ValueError("its tokenizer has the same token twice.")
    merges = []
    for merge in texts(facts, "tokenizer.ggml.merges"):
        left, _, right = merge.partition(" ")
        if left not in ids or right not in ids or left + right not in ids:
            raise ValueError(f"its tokenizer merges {merge[:60]!r}, which are no tokens.")
        merges.append((ids[left], ids[right], ids[left + right]))
    specials = {t: i for t, i in ids.items() if kinds[i] == CONTROL}
    bytes_ = [ids.get(name, -1) for name in byte_names()]
    return Tokenizer(
        merges, PATTERNS[rule], specials, bytes_, LEAVE_OUT if -1 in bytes_ else None
    )


def texts(facts: dict, name: str) -> list[str]:
    value = facts.get(name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{name} is no list of texts.")
    return value

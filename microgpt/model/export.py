"""Models trained here, for other programs: Hugging Face's `transformers`, and llama.cpp.

Only Llama's architecture has a name there: RoPE, RMSNorm, SwiGLU, no biases, no window.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save as write_tensors

from microgpt.model import gguf
from microgpt.model.gguf_model import CONTROL, LAYER_NAMES, NAMES, NORMAL, byte_names, half_split
from microgpt.tokens import chat
from microgpt.tokens.files import write_atomically
from microgpt.tokens.patterns import find_pattern

FORMATS = ("hf", "gguf")
RULES = {"digits": "qwen2", "gpt4": "llama-bpe"}  # what llama.cpp calls the same cuts
CHAT_TEMPLATE = (
    "<|begin|>{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def export(model, folder, form: str) -> list[Path]:
    """Write a model for others to open; the files that were written.

    "hf" is a folder for `transformers` with weights, config and tokenizer, "gguf" one file for
    llama.cpp. Weights are float16, as they are stored here. ValueError for what has no place there.
    """
    if form not in FORMATS:
        raise ValueError(f"There is no format {form!r}; the formats are {', '.join(FORMATS)}.")
    config, tokenizer = model.config, model.tokenizer
    kinds = (config.positions, config.norm, config.mlp, config.bias, config.window, config.scale)
    if kinds != ("rope", "rmsnorm", "swiglu", False, None, None) or not config.causal:
        raise ValueError(
            f"{model.name} is no Llama (RoPE, RMSNorm, SwiGLU, no biases, no window), and only "
            "those can be opened elsewhere."
        )
    if tokenizer.pattern not in RULES:
        raise ValueError(f"{model.name} was not trained here, so it is not exported.")
    large = [n for n, p in model.params.items() if not np.abs(p).max() <= 65504]
    if large:
        raise ValueError(f"{large[0]} holds numbers that float16 can't.")
    folder = Path(folder)
    return export_hf(model, folder) if form == "hf" else [export_gguf(model, folder)]


def token_names(tokenizer) -> list[str]:
    """Every token in the letters of GPT-2, a special one by its own name."""
    letters, names = byte_names(), {i: text for text, i in tokenizer.specials.items()}
    return [names.get(i) or "".join(letters[byte] for byte in token)
            for i, token in enumerate(tokenizer.tokens)]  # fmt: skip


def special_ids(tokenizer) -> dict[str, int]:
    kinds = {"bos": chat.BEGIN, "eos": chat.END, "pad": chat.PAD}
    return {k: tokenizer.specials[name] for k, name in kinds.items() if name in tokenizer.specials}


def export_hf(model, folder: Path) -> list[Path]:
    config, tokenizer = model.config, model.tokenizer
    settings = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "vocab_size": config.vocab_size, "hidden_size": config.width,
        "intermediate_size": config.hidden, "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads, "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_size, "max_position_embeddings": config.context,
        "rms_norm_eps": config.norm_eps, "rope_theta": config.rope_base,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_base},
        "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": config.tied,
        "torch_dtype": "float16",
        **{f"{kind}_token_id": token for kind, token in special_ids(tokenizer).items()},
    }  # fmt: skip
    names = {f"{kind}_token": tokenizer.name_of(i) for kind, i in special_ids(tokenizer).items()}
    about = {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": config.context,
        "clean_up_tokenization_spaces": False, **names,
    }  # fmt: skip
    if chat.BEGIN in tokenizer.specials:
        about["chat_template"] = CHAT_TEMPLATE
    weights = {name: np.ascontiguousarray(p, np.float16) for name, p in model.params.items()}
    files = {
        "model.safetensors": write_tensors(weights, metadata={"format": "pt"}),
        "config.json": as_json(settings), "tokenizer_config.json": as_json(about),
        "tokenizer.json": as_json(tokenizers_json(tokenizer)),
    }  # fmt: skip
    for name, data in files.items():
        write_atomically(folder / name, data)
    return [folder / name for name in files]


def as_json(value) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode()


def tokenizers_json(tokenizer) -> dict:
    """The vocabulary as the `tokenizers` library reads it: the same cuts, merges and ids."""
    names = token_names(tokenizer)
    regex = find_pattern(tokenizer.pattern).regex.replace("?+", "?").replace("++", "+")
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False,
                  "use_regex": False}  # fmt: skip
    cut = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
             "special": True}  # fmt: skip
    specials = sorted(tokenizer.specials.items(), key=lambda item: item[1])
    return {
        "version": "1.0", "truncation": None, "padding": None, "normalizer": None,
        "post_processor": None, "decoder": byte_level,
        "added_tokens": [{"id": i, "content": text, **flags} for text, i in specials],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [cut, byte_level]},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
            "vocab": {name: i for i, name in enumerate(names)},
            "merges": [[names[left], names[right]] for left, right, _ in tokenizer.merges],
        },
    }  # fmt: skip


def export_gguf(model, folder: Path) -> Path:
    config, tokenizer = model.config, model.tokenizer
    names, control = token_names(tokenizer), set(tokenizer.specials.values())
    facts = {
        "general.architecture": "llama", "general.name": model.name, "general.file_type": 1,
        "llama.vocab_size": config.vocab_size, "llama.context_length": config.context,
        "llama.embedding_length": config.width, "llama.block_count": config.layers,
        "llama.feed_forward_length": config.hidden, "llama.attention.head_count": config.heads,
        "llama.attention.head_count_kv": config.kv_heads,
        "llama.rope.dimension_count": config.head_size,
        "llama.rope.freq_base": float(config.rope_base),
        "llama.attention.layer_norm_rms_epsilon": float(config.norm_eps),
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": RULES[tokenizer.pattern],
        "tokenizer.ggml.tokens": names,
        "tokenizer.ggml.token_type": [
            CONTROL if i in control else NORMAL for i in range(len(names))
        ],
        "tokenizer.ggml.merges": [f"{names[a]} {names[b]}" for a, b, _ in tokenizer.merges],
        "tokenizer.ggml.add_bos_token": False, "tokenizer.ggml.add_space_prefix": False,
    }  # fmt: skip
    ids = special_ids(tokenizer)
    called = {"bos": "bos", "eos": "eos", "pad": "padding"}
    facts |= {f"tokenizer.ggml.{called[kind]}_token_id": token for kind, token in ids.items()}
    if chat.BEGIN in tokenizer.specials:
        facts["tokenizer.chat_template"] = CHAT_TEMPLATE
    heads = {"q_proj": config.heads, "k_proj": config.kv_heads}
    tensors = []
    for name, array in model.params.items():
        part = name.split(".")[-2]
        if part in heads:  # GGUF wants RoPE's pairs side by side
            array = array[np.argsort(half_split(heads[part], config.head_size))]
        kind = "F16" if array.ndim == 2 else "F32"
        tensors.append(gguf.tensor(gguf_name(name), kind, array))
    path = folder / f"{model.name}.gguf"
    gguf.write(path, facts, tensors)
    return path


def gguf_name(name: str) -> str:
    """GGUF's name of a weight."""
    theirs = {ours: theirs for theirs, ours in (NAMES | LAYER_NAMES).items()}
    parts = name.split(".")
    if parts[1] == "layers":
        return f"blk.{parts[2]}.{theirs['.'.join(parts[3:-1])]}.weight"
    return f"{theirs['.'.join(parts[:-1])]}.weight"

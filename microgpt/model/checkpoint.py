"""Models on disk: weights in safetensors, a tokenizer, and a card that says what it is.

    assets/models/<name>/model.safetensors   weights, float16, Hugging Face's Llama names
                         tokenizer.json      bytes, merges, specials
                         card.json           config, recipe, data, losses, hash of the weights

Fetched models lie in the user's cache instead, as a GGUF file with its card (`fetch`). Nothing in a
file is trusted: size, hash, names, shapes and numbers are checked before use.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as read_tensors
from safetensors.numpy import save as write_tensors

from microgpt.model import memory
from microgpt.model.card import readme
from microgpt.model.config import GPTConfig
from microgpt.model.fetch import cache_folder, digest
from microgpt.model.gguf_model import load_gguf
from microgpt.model.gpt import parameter_shapes
from microgpt.tokens.bpe import Tokenizer
from microgpt.tokens.files import write_atomically

SHIPPED = Path(__file__).resolve().parents[2] / "assets" / "models"
LARGEST_FILE = 512 * 2**20  # bytes
LARGEST_CARD = 2**20


@dataclass(frozen=True, eq=False)
class Model:
    """A model that is ready to run. Its arrays are read-only: train on a copy.

    `params` maps names to float32 arrays: a dict, or for packed weights a `gguf_model.Packed`.
    """

    name: str
    params: Mapping[str, np.ndarray] = field(repr=False)
    config: GPTConfig
    tokenizer: Tokenizer = field(repr=False)
    card: dict = field(repr=False)


def models_folder() -> Path:
    """Where models are looked up by name: $MICROGPT_MODELS, or the ones that ship."""
    return Path(os.environ.get("MICROGPT_MODELS") or SHIPPED)


def available() -> list[str]:
    """Names of the models at hand, in alphabetical order; then those that were fetched."""
    ours = sorted(card.parent.name for card in models_folder().glob("*/card.json"))
    fetched = sorted(card.parent.name for card in cache_folder().glob("*/card.json"))
    return ours + [name for name in fetched if name not in ours]


def folder_of(name: str) -> Path:
    """Where a model is; ValueError for a name that has none."""
    if re.fullmatch(r"\w[\w.-]{0,99}", name):
        for place in (models_folder(), cache_folder()):
            if (place / name).is_dir():
                return place / name
    known = ", ".join(available()) or "none yet"
    raise ValueError(f"There is no model {name[:60]!r}. The models here: {known}.")


def save(path, model: Model) -> None:
    """Write a model's folder; weights as float16, whose rounding the card's losses include."""
    path = Path(path)
    too_large = [n for n, p in model.params.items() if not np.abs(p).max() <= 65504]
    if too_large:
        raise ValueError(f"{too_large[0]} holds numbers that float16 can't; was training stable?")
    weights = write_tensors({n: p.astype(np.float16) for n, p in model.params.items()})
    card = {
        **model.card,
        "name": model.name,
        "config": model.config.as_dict(),
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    path.mkdir(parents=True, exist_ok=True)
    model.tokenizer.save(path / "tokenizer.json")
    write_atomically(path / "model.safetensors", weights)
    write_atomically(path / "card.json", json.dumps(card, indent=1, allow_nan=False).encode())
    if "abilities" in card:
        write_atomically(path / "README.md", readme(card).encode())


def load(name) -> Model:
    """A model by name or folder, its weights as read-only float32 arrays.

    Raises ValueError, in a sentence, for an unknown name or a file that is damaged or was made
    for something else.
    """
    folder = name if isinstance(name, Path) else folder_of(str(name))
    card = _read_card(folder / "card.json")
    if (folder / "model.gguf").exists():
        return load_packed(folder, card)
    data = _read(folder / "model.safetensors", LARGEST_FILE)
    if hashlib.sha256(data).hexdigest() != card.get("sha256"):
        raise ValueError(
            f"{folder / 'model.safetensors'} is not the file its card describes: "
            "it is damaged or was exchanged. Restore both from where they came."
        )
    try:
        config = GPTConfig(**card["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder / 'card.json'} has no usable config: {error}") from None
    params = unpack_params(data, config, folder)
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    if tokenizer.vocab_size > config.vocab_size:
        raise ValueError(
            f"The tokenizer of {folder.name} has {tokenizer.vocab_size} tokens, "
            f"the model only {config.vocab_size}: they don't belong together."
        )
    return Model(folder.name, params, config, tokenizer, card)


def load_packed(folder: Path, card: dict) -> Model:
    """A fetched model, its weights packed as they are in its GGUF file."""
    path, context, need = folder / "model.gguf", card.get("context"), card.get("memory")
    if not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in (context, need)):
        raise ValueError(f"{folder / 'card.json'} doesn't say how much context and memory to give.")
    memory.require(need, folder.name)
    try:
        found = digest(path)
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}.") from None
    if found != card.get("sha256"):
        raise ValueError(
            f"{path} is not the file its card describes: it is damaged or was exchanged. "
            f"Bring it again with: python -m microgpt fetch {folder.name}"
        )
    params, config, tokenizer = load_gguf(path, context)
    return Model(folder.name, params, config, tokenizer, card)


def unpack_params(data: bytes, config: GPTConfig, source) -> dict[str, np.ndarray]:
    """Safetensors bytes as the read-only float32 arrays that such a model needs."""
    try:
        tensors = read_tensors(data)
    except (SafetensorError, ValueError, KeyError, OverflowError) as error:
        raise ValueError(f"{source} holds no readable safetensors: {error}") from None
    shapes = parameter_shapes(config)
    if set(tensors) != set(shapes):
        odd = sorted(set(tensors) ^ set(shapes))[0]
        raise ValueError(f"{source} doesn't fit its config: {odd} is missing or too much.")
    params = {}
    for name, shape in shapes.items():
        tensor = tensors[name]
        if tensor.shape != shape or tensor.dtype not in (np.float16, np.float32):
            raise ValueError(
                f"{source}: {name} is {tensor.dtype} {tensor.shape}, but should be "
                f"float16 or float32 {shape}."
            )
        if not np.isfinite(tensor).all():
            raise ValueError(f"{source}: {name} holds numbers that are not finite.")
        params[name] = tensor.astype(np.float32)
        params[name].setflags(write=False)
    return params


def _read(path: Path, limit: int) -> bytes:
    try:
        if path.stat().st_size > limit:
            raise ValueError(f"{path} has more than {limit} bytes, too many to be what it claims.")
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}.") from None


def _read_card(path: Path) -> dict:
    try:
        card = json.loads(_read(path, LARGEST_CARD))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise ValueError(f"{path} is not a model card: it is no JSON text.") from None
    if not isinstance(card, dict):
        raise ValueError(f"{path} is not a model card: it holds no named entries.")
    return card

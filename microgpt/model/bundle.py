"""A model as one file to take away and to bring back: a zip of weights, tokenizer and card.

What comes back may be anybody's file. Nothing in it is run; names, sizes and numbers are checked
before they are used.
"""

import io
import json
import tempfile
import zipfile
import zlib
from pathlib import Path

from microgpt.model.checkpoint import Model, load, save
from microgpt.model.config import llama_style
from microgpt.model.export import export
from microgpt.model.gpt import count_parameters
from microgpt.tokens.chat import BEGIN, END, PAD

NAMES = ("model.safetensors", "tokenizer.json", "card.json")
LARGEST = 16 * 2**20  # bytes of a zip, and of all that is in it
MOST = {  # of a model that is brought back; more could not be trained on here
    "vocab_size": 8192, "context": 1024, "layers": 16, "width": 512, "heads": 64, "hidden": 2048,
}  # fmt: skip
MOST_WEIGHTS = 4_000_000


def pack(model: Model) -> bytes:
    """The zip of a model; weights as float16. ValueError for weights that float16 can't hold."""
    with tempfile.TemporaryDirectory() as folder:
        save(folder, model)
        return zipped([Path(folder) / name for name in NAMES])


def exported(model: Model, form: str) -> tuple[str, bytes]:
    """A file name and its bytes: "gguf" is one file, "hf" a zip of its folder."""
    with tempfile.TemporaryDirectory() as folder:
        paths = export(model, folder, form)
        if form == "gguf":
            return paths[0].name, paths[0].read_bytes()
        return f"{model.name}-hf.zip", zipped(paths)


def zipped(paths) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, path.name)
    return out.getvalue()


def unpack(data: bytes) -> Model:
    """The model in a zip that `pack` made. ValueError, a sentence, for anything else."""
    if len(data) > LARGEST:
        raise ValueError(
            f"The file has {len(data):,} bytes; a model from this page has at most {LARGEST:,}."
        )
    files = members(data)
    check_card(files["card.json"])
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "uploaded"
        place.mkdir()
        for name, content in files.items():
            (place / name).write_bytes(content)
        try:
            model = load(place)
        except ValueError as error:
            said = str(error).replace(f"{place}/", "").replace(str(place), "The zip")
            raise ValueError(said) from None
        except (OSError, KeyError, TypeError, RecursionError):
            raise ValueError("The files in the zip are no model that this page made.") from None
    missing = [name for name in (BEGIN, END, PAD) if name not in model.tokenizer.specials]
    if missing or model.tokenizer.vocab_size != model.config.vocab_size:
        raise ValueError("The tokenizer in the zip doesn't belong to the weights beside it.")
    return model


def members(data: bytes) -> dict[str, bytes]:
    """The three files, no byte more than allowed, whatever the zip claims about itself."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [info.filename for info in archive.infolist()]
            if sorted(names) != sorted(NAMES):
                raise ValueError(
                    f"A model from this page is a zip of {', '.join(NAMES)} and nothing else; "
                    f"this one has {len(names)} files."
                )
            found, left = {}, LARGEST
            for name in NAMES:
                with archive.open(name) as file:
                    found[name] = file.read(left + 1)
                left -= len(found[name])
                if left < 0:
                    raise ValueError(f"What is in the zip has more than {LARGEST:,} bytes.")
            return found
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError):
        raise ValueError("The file is no zip that can be read: damaged, or locked.") from None


def check_card(data: bytes) -> None:
    """Refuse a card whose model would be too large to look at, before anybody looks."""
    try:
        config = json.loads(data)["config"]
        sizes = {name: config[name] for name in MOST}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("The card in the zip doesn't say what model it belongs to.") from None
    for name, value in sizes.items():
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST[name]:
            raise ValueError(
                f"{name} is {str(value)[:40]!r}; from 1 to {MOST[name]:,} can be read."
            )
    try:
        kinds = llama_style(**sizes)
    except ValueError as error:
        raise ValueError(f"The card in the zip has no usable config: {error}") from None
    if config != kinds.as_dict():
        raise ValueError("Only models of the kind that this page trains can be brought back.")
    if count_parameters(kinds) > MOST_WEIGHTS:
        raise ValueError(f"The model has {count_parameters(kinds):,} weights; at most "
                         f"{MOST_WEIGHTS:,} can be read.")  # fmt: skip

"""Which decoder a model gets: its weights decide. One for each model, shared by all sessions."""

import threading
import weakref

from microgpt.decoding.decoder import Decoder
from microgpt.decoding.packed import PackedDecoder, can_pack

_decoders: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def decoder_for(model) -> Decoder:
    """The model's decoder, packed once and kept as long as the model is.

    Weights that can still change (a model in training) are packed anew each time.
    """
    packed = can_pack(model)
    if not packed and any(array.flags.writeable for array in model.params.values()):
        return Decoder(model)
    with _lock:
        if model not in _decoders:
            _decoders[model] = PackedDecoder(model) if packed else Decoder(model)
        return _decoders[model]


def weights_of(model):
    """The model's weights by name as `gpt` reads them best: those of few bits stay packed, and no
    matrix is ever expanded."""
    return decoder_for(model).parts if can_pack(model) else model.params


def reads_packed(model) -> bool:
    """Whether the model's decoder reads prompts too, so that `gpt` is needed for neither."""
    return can_pack(model)


def use_all_cores(model):
    """The model, whose threads share each token from now on: for programs with one text."""
    if can_pack(model):
        decoder = decoder_for(model)
        decoder.step_threads = decoder.threads
    return model

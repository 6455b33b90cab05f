"""Export: our own reader, `transformers` and `tokenizers` see the same ids, scores and text."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest

from microgpt import __main__ as cli
from microgpt.decoding.generate import generate
from microgpt.decoding.sampling import GREEDY
from microgpt.model.checkpoint import SHIPPED, load
from microgpt.model.config import gpt2_style
from microgpt.model.export import export
from microgpt.model.gguf_model import load_gguf
from microgpt.model.gpt import gpt

PROMPTS = ("The capital of France is", "Once upon a time", "steps 457+268:", "é🎉 שלום\n\n x  7")


@pytest.fixture(scope="module", params=["tiny-base", "tiny-chat"])
def model(request):
    return load(SHIPPED / request.param)


def awkward(model):
    rng = random.Random(2)
    alphabet = [*"abE 17 ' \n\té日🎉.,-!\u00a0٣\r", "  ", "'s", "'LL", " the", *model.tokenizer.specials]
    return [*PROMPTS, *("".join(rng.choices(alphabet, k=rng.randint(0, 30))) for _ in range(400))]


def greedy(model, ids, count=24):
    return [step.token for step in generate(model, ids, GREEDY, count, None)]


def test_gguf_comes_back_as_the_same_model(model, tmp_path):
    (path,) = export(model, tmp_path, "gguf")
    params, config, tokenizer = load_gguf(path, model.config.context)
    assert config == model.config
    assert tokenizer.tokens == model.tokenizer.tokens
    assert tokenizer.specials == model.tokenizer.specials
    for text in awkward(model):
        assert tokenizer.encode(text, True) == model.tokenizer.encode(text, True)
    for name, array in model.params.items():
        assert np.array_equal(params[name], array), name
    again = replace(model, params=params, tokenizer=tokenizer)
    ids = tokenizer.encode(PROMPTS[0])
    assert greedy(again, ids) == greedy(model, ids)


def test_tokenizers_gives_the_same_ids(model, tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    export(model, tmp_path, "hf")
    peer = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in awkward(model):
        ids = peer.encode(text).ids
        assert ids == model.tokenizer.encode(text, allow_special=True), repr(text)
        assert peer.decode(ids, skip_special_tokens=False) == text


def test_transformers_opens_it_and_says_the_same(model, tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    export(model, tmp_path, "hf")
    peer = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert type(peer).__name__ == "LlamaForCausalLM"
    begin = model.tokenizer.specials["<|begin|>"]
    for prompt in PROMPTS:
        ids = [begin, *tokenizer(prompt)["input_ids"]]
        assert ids[1:] == model.tokenizer.encode(prompt)
        with torch.no_grad():
            scores = peer(torch.tensor([ids])).logits[0].numpy()
            said = peer.generate(torch.tensor([ids]), max_new_tokens=24, do_sample=False,
                                 eos_token_id=None)  # fmt: skip
        assert np.abs(gpt(model.params, np.array([ids]), model.config)[0] - scores).max() < 2e-3
        assert said[0, len(ids) :].tolist() == greedy(model, ids)
    chat = [{"role": "user", "content": "What is gravity?"}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert text == "<|begin|><|user|>What is gravity?<|end|><|assistant|>"


def test_the_files_of_the_hf_format(model, tmp_path):
    written = export(model, tmp_path / "new", "hf")
    names = {"model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"}
    assert {path.name for path in written} == names == {p.name for p in (tmp_path / "new").iterdir()}
    config = json.loads((tmp_path / "new" / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["hidden_size"] == model.config.width


def test_the_command_line(tmp_path, capsys):
    assert cli.main(["export", "tiny-base", str(tmp_path), "--format", "gguf"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "tiny-base.gguf")


def test_what_has_no_place_elsewhere_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="formats are hf, gguf"):
        export(model, tmp_path, "onnx")
    sizes = dict(vocab_size=264, context=64, layers=2, width=16, heads=2, hidden=24)
    with pytest.raises(ValueError, match="is no Llama"):
        export(replace(model, config=gpt2_style(**sizes)), tmp_path, "hf")
    huge = {name: array * np.float32(1e7) for name, array in model.params.items()}
    with pytest.raises(ValueError, match="float16 can't"):
        export(replace(model, params=huge), tmp_path, "gguf")
    assert not list(tmp_path.iterdir())

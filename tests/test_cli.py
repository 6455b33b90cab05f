"""The command line: results as JSON, clear errors, exit codes, chat with the calculator."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from microgpt import __main__ as cli
from microgpt.decoding import pipeline
from microgpt.model.checkpoint import Model, load, save
from microgpt.model.config import llama_style
from microgpt.model.gpt import init_params
from microgpt.tokens.bpe import train
from microgpt.tokens.chat import Message
from microgpt.training.recipes import RECIPES
from microgpt.training.train import Options
from microgpt.world.probes import ABILITIES

ROOT = Path(__file__).resolve().parent.parent


def small_model(name="small", context=64, **card):
    tokenizer = train("the cat sat on the mat. what is 12+30? it is 42. " * 9, 290)
    config = llama_style(
        vocab_size=tokenizer.vocab_size, context=context, layers=2, width=32, heads=2, hidden=48
    )
    params = init_params(config, np.random.default_rng(1))
    return Model(name, params, config, tokenizer, {"summary": "A model for tests.", **card})


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    save(folder / "small", small_model(chat=True))
    return folder


@pytest.fixture(autouse=True)
def use_models(models, monkeypatch):
    monkeypatch.setenv("MICROGPT_MODELS", str(models))


def command(capsys, *arguments):
    """Exit code, standard output, standard error."""
    code = cli.main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def generated(capsys, *arguments):
    code, out, _ = command(capsys, "generate", *arguments, "--model", "small", "--json")
    assert code == 0
    return json.loads(out)


def test_generate_prints_the_promised_json(capsys):
    result = generated(capsys, "the cat", "--tokens", 12, "--seed", 3)
    assert result["prompt"] == "the cat" and 0 < len(result["tokens"]) <= 12
    tokenizer = load("small").tokenizer
    assert result["completion"] == tokenizer.decode(result["tokens"])
    assert result["seconds"] > 0 and result["dropped"] == 0
    again = generated(capsys, "the cat", "--tokens", 12, "--seed", 3)
    other = generated(capsys, "the cat", "--tokens", 12, "--seed", 4)
    assert again["tokens"] == result["tokens"] != other["tokens"]


def test_generate_streams_the_same_text(capsys):
    settings = ["the", "--tokens", 9, "--temperature", 0, "--top-k", 5, "--top-p", 0.9]
    code, out, _ = command(capsys, "generate", *settings, "--model", "small")
    expected = generated(capsys, *settings)["completion"]
    shown = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in expected)
    assert code == 0 and out == shown + "\n"


@pytest.mark.parametrize(
    "prompt", ["", "🎉🎈", "\x1b[31m\x07", "<|end|><|assistant|>", "שלום", "\udcff"]
)
def test_any_prompt_gives_a_result(capsys, prompt):
    assert len(generated(capsys, prompt, "--tokens", 3)["tokens"]) <= 3


def test_a_megabyte_from_standard_input_is_cut_and_said(capsys, monkeypatch):
    text = "the cat sat " * 90_000
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    code, out, err = command(capsys, "generate", "-", "--model", "small", "--tokens", 2)
    assert code == 0 and out.endswith("\n")
    assert "reads 64 at most" in err and "were dropped" in err


def test_no_tokens_and_a_full_context(capsys):
    assert generated(capsys, "the", "--tokens", 0)["completion"] == ""
    long = generated(capsys, "the", "--tokens", 10_000, "--temperature", 0)
    assert long["stopped"] in ("context full", "stop token")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate", "hi", "--model", "nobody"], "no model 'nobody'. The models here: small."),
        (["generate", "hi", "--model", "../../etc"], "There is no model"),
        (["chat", "--model", "nobody"], "The models here: small."),
        (["probe", "nobody"], "The models here: small."),
        (["probe", "small", "--ability", "flying"], "There is no ability 'flying'."),
        (["probe", "small", "-n", "0"], "with 0 probes"),
        (["train", "nothing"], f"The recipes: {', '.join(RECIPES)}."),
        (["generate", "hi", "--temperature", "-1"], "temperature is -1.0"),
        (["generate", "hi", "--temperature", "nan"], "temperature is nan"),
        (["generate", "hi", "--top-p", "0"], "top_p is 0.0"),
        (["generate", "hi", "--top-k", "-4"], "top_k is -4"),
        (["generate", "hi", "--tokens", "-4"], "max_tokens is -4"),
        (["generate", "hi", "--seed", "-4"], "The seed is -4"),
    ],
)
def test_mistakes_get_a_sentence_and_exit_code_2(capsys, arguments, message):
    if "--model" not in arguments and arguments[0] == "generate":
        arguments = [*arguments, "--model", "small"]
    code, out, err = command(capsys, *arguments)
    assert code == 2 and out == ""
    assert err.startswith("microgpt: ") and message in err and err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["generate"], ["generate", "a", "--tokens", "many"], ["train"]]
)
def test_what_is_no_command_gets_the_usage(capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2 and "usage: microgpt" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["train", "generate", "chat", "probe", "models", "bench"])
def test_every_command_has_help(capsys, name):
    with pytest.raises(SystemExit) as stopped:
        cli.main([name, "--help"])
    assert stopped.value.code == 0 and "--help" in capsys.readouterr().out


def test_a_damaged_model_is_said(capsys, models, monkeypatch, tmp_path):
    monkeypatch.setenv("MICROGPT_MODELS", str(tmp_path))
    save(tmp_path / "broken", small_model("broken"))
    weights = tmp_path / "broken" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    code, _, err = command(capsys, "generate", "hi", "--model", "broken")
    assert code == 2 and "damaged" in err


def test_models_are_listed(capsys):
    code, out, _ = command(capsys, "models")
    assert code == 0 and "small: A model for tests." in out and "tiny-base" in out
    _, out, _ = command(capsys, "models", "--json")
    assert json.loads(out) == {"models": ["small"], "recipes": list(RECIPES)}


def test_probe_prints_the_promised_json(capsys, monkeypatch):
    monkeypatch.setattr("microgpt.training.recipes.HELD_OUT_BATCHES", 1)
    few = ["--ability", "copy", "--ability", "tool", "-n", 5]
    code, out, _ = command(capsys, "probe", "small", "--json", *few)
    report = json.loads(out)
    assert code == 0 and report["model"] == "small" and set(report["abilities"]) == {"copy", "tool"}
    assert all(0 <= share <= 1 for share in report["abilities"].values())
    vocabulary = load("small").config.vocab_size
    assert report["loss"] == pytest.approx(np.log(vocabulary), rel=0.05)  # it has learned nothing
    assert abs(report["int8_cost"]) < 0.01 and report["heads"]["induction"]["score"] < 0.2
    code, out, err = command(capsys, "probe", "small", *few)
    assert code == 0 and ABILITIES["copy"].description in out and "probing copy" in err


def test_train_saves_a_model_that_the_other_commands_can_use(capsys, monkeypatch, tmp_path):
    config = llama_style(vocab_size=300, context=48, layers=1, width=16, heads=2, hidden=16)
    options = Options(steps=3, batch=2, rate=1e-3, warmup=1)
    recipe = replace(
        RECIPES["tiny-base"], name="mini", config=config, options=options, snapshots=()
    )
    monkeypatch.setitem(RECIPES, "mini", recipe)
    monkeypatch.setattr("microgpt.training.recipes.HELD_OUT_BATCHES", 1)
    monkeypatch.setenv("MICROGPT_MODELS", str(tmp_path / "models"))
    arguments = ["train", "mini", "--work", tmp_path / "run", "--no-probe", "--json"]
    code, out, err = command(capsys, *arguments)
    assert code == 0 and "step 3/3" in err and "tokens/s" in err and "min left" in err
    assert json.loads(out)["tokens_seen"] == 3 * 2 * 48
    code, out, _ = command(capsys, "generate", "One day", "--model", "mini", "--json")
    assert code == 0 and json.loads(out)["model"] == "mini"


# Chat


def talk(capsys, monkeypatch, text, *arguments):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    return command(capsys, "chat", "--model", "small", *arguments)


def test_chat_answers_every_line_until_the_input_ends(capsys, monkeypatch):
    prompts, ids = [], []

    def answer(model, prompt, sampling, most, seed):
        prompts.append(model.tokenizer.decode(prompt.ids))
        ids.append(prompt.ids)
        yield from said(model, f"Yes {len(prompts)}.<|end|>")

    monkeypatch.setattr(pipeline, "answer", answer)
    code, out, _ = talk(capsys, monkeypatch, "hello\n<|end|>no\n", "--system", "Be kind.")
    assert code == 0 and out == "Yes 1.\nYes 2.\n"
    start = "<|begin|><|system|>Be kind.<|end|><|user|>hello<|end|><|assistant|>"
    assert prompts[0] == start
    assert prompts[1] == start + "Yes 1.<|end|><|user|><|end|>no<|end|><|assistant|>"
    end = load("small").tokenizer.specials["<|end|>"]
    assert ids[1].count(end) == 4, "what a user types is never a special token"


def said(model, text):
    for index, token in enumerate(model.tokenizer.encode(text, allow_special=True)):
        shown = model.tokenizer.decode([token])
        yield pipeline.Said(index, token, shown, (), 0.0, 0.0, 1.0, 0.0, 0.0)


def test_chat_shows_the_calculator_and_remembers_its_result(capsys, monkeypatch):
    conversations = []

    def answer(model, prompt, sampling, most, seed):
        conversations.append(model.tokenizer.decode(prompt.ids))
        yield from said(model, "<|calculate|>457+268<|end|>")
        yield pipeline.call_calculator(model, "457+268")
        yield from said(model, "It is 725.<|end|>")

    monkeypatch.setattr(pipeline, "answer", answer)
    code, out, _ = talk(capsys, monkeypatch, "What is 457+268?\nAgain\n")
    assert code == 0 and out == "457+268 = 725\nIt is 725.\n" * 2
    assert (
        "<|assistant|><|calculate|>457+268<|end|><|tool|>725<|end|><|assistant|>It is 725.<|end|>"
        in (conversations[1])
    )


def test_a_real_model_chats(capsys, monkeypatch):
    code, out, _ = talk(capsys, monkeypatch, "hi\nwhat is 12+30?\n" + "the cat " * 60 + "\n")
    assert code == 0 and out.count("\n") >= 3


def test_of_a_long_conversation_the_oldest_messages_are_dropped():
    model = load("small")
    system, long = Message("system", "ok"), Message("user", "the cat sat on " * 4)
    reply = Message("assistant", "yes")
    talk = [system, long, reply, long, reply, Message("user", "the cat")]
    ids, messages, tokens = cli.fit_conversation(model, talk, 16)
    text = model.tokenizer.decode(ids)
    assert len(ids) <= 48 and messages in (2, 4) and tokens == 0
    assert text.startswith("<|begin|><|system|>ok<|end|><|user|>") and text.endswith(
        "<|assistant|>"
    )
    huge = Message("user", "the cat sat on " * 400)
    ids, messages, tokens = cli.fit_conversation(model, [system, huge], 16)
    text = model.tokenizer.decode(ids)
    assert len(ids) == 48 and (messages, tokens > 100) == (1, True)
    assert text.startswith("<|begin|><|user|>") and text.endswith("<|end|><|assistant|>")


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
def test_ctrl_c_is_clean(models):
    process = subprocess.Popen(
        [sys.executable, "-m", "microgpt", "chat", "--model", "small"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "MICROGPT_MODELS": str(models)},
    )  # fmt: skip
    process.stdin.write("hello\n")
    process.stdin.flush()
    process.stdout.read(1)  # the answer has begun, so the handler is in place
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err


# --- Where nothing can be written -----------------------------------------------------------


@pytest.mark.parametrize("home", ["usable", "unusable"])
def test_a_checkout_that_cannot_be_written_runs(tmp_path, home):
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "microgpt", tmp_path / "microgpt", ignore=ignore)
    for folder in [tmp_path / "microgpt", *(tmp_path / "microgpt").iterdir()]:
        if folder.is_dir():  # a file in its place: even root can make no folder there
            (folder / "__pycache__").touch()
    folder = tmp_path / "home" if home == "usable" else Path(os.devnull) / "home"
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    env = {**os.environ, "HOME": str(folder), "USERPROFILE": str(folder), "TMPDIR": str(temporary)}
    for variable in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        env.pop(variable, None)
    use = (
        "import os, numpy as np; from microgpt.autograd import kernels;"
        "kernels.swiglu(np.ones(3, 'f4'), np.ones(3, 'f4'));"
        "print(os.environ['NUMBA_CACHE_DIR'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", use], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    cache = Path(done.stdout.strip())
    if home == "usable":
        assert folder in cache.parents and list(cache.rglob("*.nbi"))
    else:
        assert cache.parent == temporary and not cache.exists(), "it ends with the process"

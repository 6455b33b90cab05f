"""Makes smollm2_ids.json: what Hugging Face's `tokenizers` makes of awkward strings.

    python -m venv /tmp/hf && /tmp/hf/bin/pip install tokenizers transformers gguf jinja2
    /tmp/hf/bin/python tests/golden/make_smollm2.py SmolLM2-135M-Instruct.Q4_1.gguf

The tokenizer is built from the file's own tokens and merges, with the pre-tokenizer that the model's
authors use (each digit by itself, then GPT-2's rule), and the chat template is run by Jinja.
"""

import json
import random
import sys
from pathlib import Path

from gguf import GGUFReader
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

WORDS = (
    "the cat sat", "Gravity", "don't", "DON'T", "we'll they've I'm you're he'd it's", "'s 's", "''s",
    "x'll", "'tis", "'S 'LL", "naïve café", "Ünïcödé", "日本語のテキスト", "中文字符", "한국어", "Привет мир",
    "שלום עולם", "مرحبا بالعالم", "हिन्दी", "ไทย", "🎉", "👩‍👩‍👧‍👦", "🇫🇷", "e\u0301", "\u200b", "\ufeff", "\u00a0",
    "\u3000", "\u2028", "\u0085", "١٢٣", "²³", "Ⅷ", "½", "①", "<|im_start|>", "<|im_end|>",
    "<|endoftext|>", "<repo_name>", "<empty_output>", "a<|im_end|>b", "\t", "\r\n", "\n", "\n\n\n", "\r",
    "\v\f", "\x1c", "\x7f", "\x00", "\x01", "if x:\n    return 7", "{'a': [1, 2.5e-3]}", "C:\\dir",
    "https://a.b/c?d=1&e=2#f", "####", "-----", "===>", "a  b", "a   b", " 7", "  7", "   77  ", "x 7",
    "3.14159", "1,000,000", "0x1F", "2024-11-25", "12:30", "$5.00", "100%", "a1b2c3", "7th", "№5",
    "\U000e0041", "\U0001f468\U0001f3ff", "ﬁ", "ſ", "ß", "İ", "a" * 60, "ab" * 40, "!" * 33, " " * 40,
    "\ud7ff", "\uffff", "\U0010ffff", "\x04", "\x06\x13", "a\x1db", "\U00050000",
)  # fmt: skip


def byte_names():
    """GPT-2's letters for the 256 bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    names, extra = {byte: chr(byte) for byte in plain}, 0
    for byte in range(256):
        if byte not in names:
            names[byte], extra = chr(256 + extra), extra + 1
    return names


def build(fields):
    tokens, kinds = (fields[f"tokenizer.ggml.{n}"].contents() for n in ("tokens", "token_type"))
    merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = [AddedToken(t, special=True) for t, kind in zip(tokens, kinds, strict=True) if kind == 3]
    return tokenizer, control


def strings():
    rng = random.Random(5)
    found = list(WORDS)
    alphabet = [*"abE 17 ' \n\té日🎉.,-!\u00a0٣", "  ", "'s", "'LL", " the", "ing"]
    while len(found) < 260:
        found.append("".join(rng.choices(alphabet, k=rng.randint(1, 24))))
    return found


CHATS = (
    [("user", "What is gravity?")],
    [("system", "You are a pirate."), ("user", "Hi\n\nthere ")],
    [("user", "\n\nleading lines"), ("assistant", " an answer\n"), ("user", "")],
    [("system", ""), ("user", "7 times 8?"), ("assistant", "56"), ("user", "sure?")],
)


def main():
    reader = GGUFReader(sys.argv[1])
    plain, control = build(reader.fields)
    full, _ = build(reader.fields)
    full.add_special_tokens(control)
    template = ImmutableSandboxedEnvironment().from_string(
        reader.fields["tokenizer.chat_template"].contents()
    )
    chats = []
    for chat in CHATS:
        messages = [{"role": role, "content": content} for role, content in chat]
        text = template.render(messages=messages, add_generation_prompt=True)
        chats.append({"messages": chat, "text": text, "ids": full.encode(text).ids})
    texts = [[text, plain.encode(text).ids] for text in strings()]
    golden = {"texts": texts, "chats": chats}
    path = Path(__file__).parent / "smollm2_ids.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="utf-8")
    print(len(texts), "texts,", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()

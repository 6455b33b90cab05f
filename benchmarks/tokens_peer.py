"""rustbpe and tiktoken in a process of their own: a line of JSON in, a line of JSON out.

`benchmarks/tokens.py` starts it with the name of the library it wants. Texts and ids go through
files; the clock runs only around the library's own call.
"""

import json
import sys
import time


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def train(question):
    """rustbpe: the time of one training; at the first time also all tokens, in hex, by rank."""
    import rustbpe

    text = read(question["text"])
    tokenizer = rustbpe.Tokenizer()
    start = time.perf_counter()
    tokenizer.train_from_iterator(iter([text]), question["vocab_size"], pattern=question["regex"])
    seconds = time.perf_counter() - start
    tokens = sorted(tokenizer.get_mergeable_ranks(), key=lambda token: token[1])
    return {"seconds": [seconds], "tokens": [bytes(data).hex() for data, _ in tokens]}


class Encoder:
    """tiktoken with our vocabulary: times of encoding the text, and a hash of the ids."""

    def __init__(self):
        self.encoding = None

    def __call__(self, question):
        import hashlib
        from array import array

        import tiktoken

        if self.encoding is None:
            ranks = {bytes.fromhex(token): i for i, token in enumerate(question["tokens"])}
            self.encoding = tiktoken.Encoding(
                "ours", pat_str=question["regex"], mergeable_ranks=ranks, special_tokens={}
            )
            self.text = read(question["text"])
            ids = array("i", self.encoding.encode_ordinary(self.text))
            return {"hash": hashlib.sha256(ids.tobytes()).hexdigest()}
        seconds = []
        for _ in range(question["times"]):
            start = time.perf_counter()
            self.encoding.encode_ordinary(self.text)
            seconds.append(time.perf_counter() - start)
        return {"seconds": seconds}


if __name__ == "__main__":
    __import__(sys.argv[1])
    answer = {"rustbpe": train, "tiktoken": Encoder()}[sys.argv[1]]
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)

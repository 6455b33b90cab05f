"""The card that brings SmolLM2: one download for all, stoppable, refused where memory is short."""

import json
import shutil
import threading

import pytest
from streamlit.testing.v1 import AppTest

from microgpt.model import checkpoint, fetch, memory
from microgpt.model.download import Stopped
from widgets import engine, fetch_card


class Fetch:
    """`fetch.fetch`, which waits for a word and then does as it is told."""

    def __init__(self, folder):
        self.folder, self.go, self.calls, self.fail = folder, threading.Event(), 0, ""

    def __call__(self, name, progress, stopped):
        self.calls += 1
        progress("download", 40_000_000, 92_871_040)
        while not self.go.wait(0.01):
            if stopped():
                raise Stopped("stopped")
        if self.fail:
            raise ValueError(self.fail)
        shutil.copytree(checkpoint.SHIPPED / "tiny-chat", self.folder / name)
        card = json.loads((self.folder / name / "card.json").read_text())
        (self.folder / name / "card.json").write_text(json.dumps({**card, "name": name}))


@pytest.fixture
def fake(tmp_path, monkeypatch):
    monkeypatch.setenv("MICROGPT_CACHE", str(tmp_path))
    monkeypatch.setattr(memory, "available", lambda: 8 * 2**30)
    fake = Fetch(tmp_path)
    monkeypatch.setattr(fetch_card.fetch, "fetch", fake)
    fetch_card.download.clear()
    yield fake
    fetch_card.download("smollm2").stop.set()
    fake.go.set()
    fetch_card.download.clear()


def page():
    from widgets import fetch_card

    fetch_card.offer()


def opened():
    return AppTest.from_function(page).run(timeout=30)


def button(at, label):
    return next(b for b in at.button if b.label.startswith(label))


def test_the_words_say_size_license_and_memory():
    text = fetch_card.words(fetch.SMOLLM2)
    for fact in ("135 million", "Apache-2.0", "93 MB", "98 MB", "450 MB"):
        assert fact in text


def test_one_download_for_all_and_then_the_model_is_offered(fake):
    first, second = opened(), opened()
    assert not first.exception and fetch_card.words(fetch.SMOLLM2) in first.markdown[0].value
    button(first, "Fetch it (93 MB)").click().run()
    one = fetch_card.download("smollm2")
    assert one.running and one.share == pytest.approx(0.43, abs=0.01)
    assert fetch_card.progress_in_words(one) == "Loading: 40 of 93 MB"
    second.run()
    assert [b.label for b in second.button] == ["Cancel"], "another reader sees the same download"
    one.start()  # whoever else presses the button begins nothing
    fake.go.set()
    one.thread.join(10)
    assert fake.calls == 1 and "smollm2" in engine.models()
    first.run()
    assert not first.exception and not first.button and not first.markdown


def test_cancel_stops_it_and_it_can_begin_again(fake):
    at = opened()
    button(at, "Fetch").click().run()
    one = fetch_card.download("smollm2")
    button(at, "Cancel").click().run()
    one.thread.join(10)
    at.run()
    assert not one.running and not one.error and not at.error
    button(at, "Fetch").click().run()
    assert one.running and fake.calls == 2


def test_what_went_wrong_is_said(fake):
    fake.fail = "The index can't be reached."
    at = opened()
    button(at, "Fetch").click().run()
    fake.go.set()
    fetch_card.download("smollm2").thread.join(10)
    at.run()
    assert [e.value for e in at.error] == [fake.fail] and button(at, "Fetch")


def test_refused_where_memory_is_short(fake, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 100 * 10**6)
    at = opened()
    button(at, "Fetch").click().run()
    assert fake.calls == 0 and "takes 450 MB of memory, but only 100 MB" in at.error[0].value


def test_memory_is_read_from_the_system_and_the_container(tmp_path, monkeypatch):
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    1000 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    assert memory.available() == 1_024_000
    (tmp_path / "memory.max").write_text("900000\n")
    (tmp_path / "memory.current").write_text("300000\n")
    assert memory.available() == 600_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available() == 1_024_000
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "none")
    assert memory.available() is None
    memory.require(2**60, "It")  # where nothing is known, nothing is refused
    monkeypatch.setattr(memory, "available", lambda: 5)
    with pytest.raises(ValueError, match="only 0 MB are free"):
        memory.require(6, "It")

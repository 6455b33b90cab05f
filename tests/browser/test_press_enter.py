"""Chapter 20 in a browser: Enter, the machine by mouse and keys, on a desk and on a phone."""

import re

import pytest

SHIPPED = pytest.importorskip("microgpt.model.checkpoint").available()
CHAT = "tiny-chat"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHAT not in SHIPPED, reason=f"{CHAT} is not trained here"),
]
STAGES = [
    "Text", "Chat template", "Tokens", "Embedding", "Positions", "Layer 1 attention",
    "Layer 1 MLP", "Final norm", "Logits", "Sampling", "Token", "Append",
]  # fmt: skip


def opened(visit, app, query="", **screen):
    tab = visit(**screen)
    tab.open(f"{app}/press_enter{query}")
    tab.page.wait_for_selector(".machine")
    return tab


def stage(tab) -> str:
    return tab.page.locator("li.active .name").inner_text()


def passes(tab) -> tuple[int, int]:
    now = tab.page.locator("p.now b").inner_text()
    return tuple(int(n) for n in re.findall(r"\d+", now))


def pick(tab, name):
    tab.page.locator(f".stage:has(.name:text-is('{name}'))").click()
    assert stage(tab) == name


def enter(tab, text):
    box = tab.page.get_by_label("Your prompt")
    box.fill(text)
    box.press("Enter")
    tab.page.wait_for_function(
        "n => document.querySelector('[data-testid=stMain]').innerText.includes(n)",
        arg="tokens per second",
    )
    tab.settle()


def test_enter_streams_an_answer_and_the_machine_plays_it(visit, app):
    tab = opened(visit, app)
    assert tab.page.locator(".play").inner_text() == "Play"
    enter(tab, "What is the capital of Spain?")
    answer = tab.page.locator(".answer").inner_text()
    assert len(answer) > 3
    tab.page.wait_for_function(  # it has left the first stage by itself
        """() => [...document.querySelectorAll('*')].some(
            (e) => e.shadowRoot?.querySelector('li.active')?.dataset.at > 0)"""
    )
    assert "p=What" in tab.page.url
    said = tab.page.locator(".chip.said")
    last = passes(tab)[1]
    assert said.count() == last
    tab.page.locator(".play").click()  # pause
    before = stage(tab), passes(tab)
    tab.page.wait_for_timeout(2500)
    assert (stage(tab), passes(tab)) == before
    said.nth(last - 1).click()
    pick(tab, "Append")
    shown = "".join(said.all_inner_texts()).replace("·", " ").split("<|end|>")[0]
    assert shown == answer, "the machine says what was streamed"
    assert tab.problems == []


def test_playing_asks_the_server_for_nothing(visit, app):
    tab = visit()
    sent = []

    def listen(socket):
        socket.on("framesent", lambda frame: sent.append(frame))

    tab.page.on("websocket", listen)
    tab.open(f"{app}/press_enter")
    tab.page.wait_for_selector(".machine")
    tab.page.select_option(".pace select", "real")
    sent.clear()
    tab.page.locator(".play").click()
    play_again = tab.page.get_by_role("button", name="Play again")
    play_again.wait_for()
    for _ in range(3):
        tab.page.locator("[data-do=back]").click()
    assert sent == []


def test_keys_and_buttons_go_both_ways(visit, app):
    tab = opened(visit, app)
    machine = tab.page.locator(".machine")
    machine.focus()
    seen = [stage(tab)]
    for _ in STAGES[1:7]:
        tab.page.keyboard.press("ArrowRight")
        seen.append(stage(tab))
    assert seen == STAGES[:7]
    for name in reversed(seen[:-1]):
        tab.page.keyboard.press("ArrowLeft")
        assert stage(tab) == name
    assert tab.page.locator("[data-do=back]").is_disabled()
    tab.page.keyboard.press("Shift+ArrowRight")
    assert passes(tab)[0] == 2
    tab.page.keyboard.press("ArrowLeft")  # back over the border between two passes
    assert (passes(tab)[0], stage(tab)) == (1, "Append")
    tab.page.keyboard.press("Space")
    assert tab.page.locator(".play").inner_text() == "Pause"
    tab.page.keyboard.press("Space")
    assert tab.page.locator(".play").inner_text() == "Play"
    tab.page.locator("[data-do=token-next]").click()
    assert passes(tab)[0] == 2
    live = tab.page.locator(".machine [aria-live]").inner_text()
    assert "Pass 2 of" in live


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_stage_opens_on_every_screen(visit, app, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    tab = opened(visit, app, "?sp=You+are+a+pirate.", width=width, scheme=scheme)
    for name in STAGES:
        pick(tab, name)
        inside = tab.page.locator(".inside")
        assert inside.locator(".say").inner_text().strip()
        assert "NaN" not in inside.inner_text() and "undefined" not in inside.inner_text()
        sideways = tab.page.evaluate(
            "document.querySelector('[data-testid=stMain]').scrollWidth - innerWidth"
        )
        assert sideways <= 1
        nodes = [(v["id"], node["target"]) for v in Axe().run(tab.page).response["violations"]
                 for node in v["nodes"]]  # fmt: skip
        own = [(rule, target) for rule, target in nodes if isinstance(target[0], list)]
        assert own == [], name  # a target in a shadow root is a list; the rest is the frame's
    assert tab.page.get_by_text("BidiComponent Error").count() == 0
    assert tab.problems == []


def test_the_shares_of_attention_add_up(visit, app):
    tab = opened(visit, app)
    for name in ("Layer 1 attention", "Layer 4 attention"):
        pick(tab, name)
        for head in (0, 3, 4):
            tab.page.locator(f".inside [data-head='{head}']").click()
            assert tab.page.locator(f".inside [data-head='{head}']").get_attribute(
                "aria-pressed"
            ) == "true"  # fmt: skip
            say = tab.page.locator(".inside .say").inner_text().replace("\xa0", " ")
            assert "add up to 100 %" in say
    tab.page.get_by_role("button", name="Matrix").click()
    assert tab.page.locator(".inside canvas[data-heat=matrix]").count() == 1


def test_a_phone_gets_a_list_with_targets_to_touch(visit, app):
    tab = opened(visit, app, width=390)
    pick(tab, "Layer 2 attention")
    place = tab.page.locator(".inside").evaluate("e => e.parentElement.tagName")
    assert place == "LI", "the open stage unfolds in its place"
    small = tab.page.locator(".machine").evaluate(
        """m => [...m.querySelectorAll('button, select, summary')]
            .filter((e) => e.offsetParent)
            .map((e) => [e.textContent.trim().slice(0, 20), e.getBoundingClientRect()])
            .filter(([, box]) => box.height < 44 || box.width < 44)
            .map(([text]) => text)"""
    )
    assert small == []


def test_reduced_motion_plays_only_when_asked(visit, app):
    tab = opened(visit, app, reduced_motion="reduce")
    enter(tab, "What is gravity?")
    tab.page.wait_for_timeout(2500)
    assert (stage(tab), tab.page.locator(".play").inner_text()) == ("Text", "Play")


def test_a_link_opens_at_its_moment(visit, app):
    tab = opened(visit, app, "?p=What+is+gravity%3F&at=3.mlp.2")
    assert (passes(tab)[0], stage(tab)) == (3, "Layer 2 MLP")
    tab.page.locator("[data-do=next]").click()
    tab.page.locator("[data-do=share]").click()
    link = tab.page.locator(".share input").input_value()
    other = visit()
    other.open(link)
    other.page.wait_for_selector(".machine")
    assert (passes(other)[0], stage(other)) == (3, "Layer 3 attention")


def test_an_absurd_address_opens_the_page_all_the_same(visit, app):
    tab = opened(visit, app, "?m=nowhere&t=hot&n=-5&at=999.moon&p=%00%E2%80%AEx")
    assert "is used" in tab.page.get_by_test_id("stMain").inner_text()
    assert passes(tab)[0] == passes(tab)[1], "a pass too far is the last one"
    assert tab.problems == []


def test_sampling_opens_with_this_text(visit, app):
    tab = opened(visit, app, "?p=What+is+gravity%3F&t=0.5")
    pick(tab, "Sampling")
    tab.page.get_by_role("link", name="Open this text in the chapter on sampling").click()
    tab.page.wait_for_function("() => document.querySelector('h1')?.innerText === 'Sampling'")
    tab.settle()
    assert tab.page.get_by_label("Your prompt").input_value() == "What is gravity?"
    assert "t=0.5" in tab.page.url


def test_two_tabs_keep_their_own_answers(visit, app):
    first, second = (opened(visit, app) for _ in range(2))
    enter(first, "What is the sun?")
    enter(second, "What is snow?")
    assert "p=What+is+the+sun" in first.page.url
    for tab, text in ((first, "sun"), (second, "snow")):
        tab.page.locator(".play").click()
        pick(tab, "Text")
        letters = "".join(tab.page.locator(".letters bdi").all_inner_texts())
        assert text in letters


def test_a_browser_closed_in_mid_stream_harms_nobody(visit, app):
    leaving, staying = opened(visit, app), opened(visit, app)
    box = leaving.page.get_by_label("Your prompt")
    box.fill("Once upon a time")
    box.press("Enter")
    leaving.page.wait_for_function(
        "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'running'"
    )
    leaving.page.context.close()
    enter(staying, "What is the capital of Spain?")
    assert len(staying.page.locator(".answer").inner_text()) > 3
    assert staying.problems == []

"""Every page in a browser, and what only a browser can show of the frame."""

import re

import pytest

from widgets import book

SCREENS = [(1280, "light"), (390, "dark")]
PAGES = [chapter for chapter in book.contents() if chapter.number]
# What axe finds in an empty Streamlit page; nothing of ours may add to it.
BASELINE: set[str] = set()
CARD = "document.querySelector('.press-enter-card').shadowRoot.querySelector('.card')"

pytestmark = pytest.mark.browser


def address(chapter: book.Chapter) -> str:
    return chapter.slug if chapter.number else ""


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
@pytest.mark.parametrize("chapter", book.contents(), ids=lambda chapter: chapter.slug)
def test_page(visit, app, chapter, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    tab = visit(width, scheme)
    tab.open(f"{app}/{address(chapter)}")
    assert tab.title() == (chapter.title if chapter.number else book.TITLE)
    assert tab.page.locator("[data-testid=stException]").count() == 0
    assert tab.page.get_by_text("BidiComponent Error").count() == 0
    assert tab.problems == []
    overflow = tab.page.evaluate(
        """() => [...document.querySelectorAll('html, [data-testid=stMain]')]
            .map((e) => e.scrollWidth - e.clientWidth)"""
    )
    assert max(overflow) <= 1, "the page scrolls sideways"
    found = {v["id"]: v for v in Axe().run(tab.page).response["violations"]}
    added = {
        name: [(node["target"], node["failureSummary"]) for node in found[name]["nodes"]]
        for name in found.keys() - BASELINE
    }
    assert not added


@pytest.mark.parametrize("chapter", PAGES[-1:], ids=lambda chapter: chapter.slug)
def test_deep_link_into_a_server_that_nobody_has_visited(visit, fresh_app, chapter):
    tab = visit()
    tab.open(f"{fresh_app}/{chapter.slug}?shared=77")
    assert tab.title() == chapter.title
    assert tab.page.get_by_text("Page not found").count() == 0
    sidebar = tab.page.get_by_test_id("stSidebar")
    assert sidebar.get_by_text("Glossary", exact=True).count() == 1, "the page ran without app.py"
    assert sidebar.get_by_test_id("stSidebarNav").count() == 0, "Streamlit's own list of pages"
    assert tab.page.url.endswith(f"/{chapter.slug}?shared=77")
    assert tab.problems == []


def test_an_address_that_does_not_exist_gives_the_cover(visit, app):
    tab = visit()
    tab.open(f"{app}/nowhere")
    assert tab.title() == book.TITLE


def test_pages_are_turned_in_both_directions(visit, app):
    tab = visit()
    tab.open(app)
    for chapter in PAGES:
        link = f"{chapter.number} {chapter.title}"
        tab.page.get_by_test_id("stSidebar").get_by_role("link", name=link).click()
        tab.page.wait_for_function(
            "t => document.querySelector('h1')?.innerText === t", arg=chapter.title
        )
        tab.settle()
        assert tab.page.url.endswith(f"/{chapter.slug}")
        assert tab.page.title().startswith(chapter.title)
    before, _ = book.neighbors(PAGES[-1])
    tab.page.get_by_test_id("stMain").get_by_role("link", name=f"Back: {before.title}").click()
    tab.page.wait_for_function(
        "t => document.querySelector('h1')?.innerText === t", arg=before.title
    )
    tab.page.go_back()
    tab.page.wait_for_function(
        "t => document.querySelector('h1')?.innerText === t", arg=PAGES[-1].title
    )
    assert tab.problems == []


def test_the_map_on_the_cover_leads_to_a_chapter(visit, app):
    tab = visit()
    tab.open(app)
    last = PAGES[-1]
    tab.page.get_by_test_id("stMain").get_by_role(
        "link", name=re.compile(f"^{last.number}.*{last.title}")
    ).click()
    tab.page.wait_for_function("t => document.querySelector('h1')?.innerText === t", arg=last.title)


def test_progress_survives_a_reload(visit, app):
    tab = visit()
    tab.open(app)
    words = tab.page.get_by_test_id("stSidebar").get_by_text("chapters opened")
    assert words.inner_text() == f"0 of {len(PAGES)} chapters opened"
    tab.open(f"{app}/{PAGES[0].slug}")
    assert words.inner_text() == f"1 of {len(PAGES)} chapters opened"
    tab.page.reload()
    tab.settle()
    assert words.inner_text() == f"1 of {len(PAGES)} chapters opened"
    tab.open(app)
    assert tab.page.get_by_text("you stopped here").count() == 1
    assert tab.page.get_by_text(f"Go on with {PAGES[0].title}").count() == 1


def test_progress_does_without_storage(visit, app):
    tab = visit()
    tab.page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})"
    )
    tab.open(f"{app}/{PAGES[0].slug}")
    assert tab.title() == PAGES[0].title
    assert tab.page.get_by_text("BidiComponent Error").count() == 0


def test_damaged_progress_is_forgotten(visit, app):
    tab = visit()
    tab.page.add_init_script(
        'localStorage.setItem(\'press-enter\', \'{"opened": 5, "last": [], "right"\')'
    )
    tab.open(f"{app}/{PAGES[0].slug}")
    words = tab.page.get_by_test_id("stSidebar").get_by_text("chapters opened")
    assert words.inner_text() == f"1 of {len(PAGES)} chapters opened"
    tab.page.add_init_script(
        'localStorage.setItem(\'press-enter\', \'{"opened": 5, "right": null, "total": 3}\')'
    )
    tab.open(app)
    assert words.inner_text() == f"0 of {len(PAGES)} chapters opened"
    assert tab.problems == []


def hidden(tab) -> bool:
    return tab.page.evaluate(f"{CARD}.hidden")


def first_term(tab):
    return tab.page.locator('a[href^="#term-"]').first


def test_a_term_opens_its_card_by_keyboard(visit, app):
    tab = visit()
    tab.open(f"{app}/{PAGES[0].slug}")
    assert hidden(tab)
    for _ in range(60):
        tab.page.keyboard.press("Tab")
        if not hidden(tab):
            break
    term = tab.page.evaluate("document.activeElement.getAttribute('href')")
    assert term.startswith("#term-")
    assert "In AI." in tab.page.evaluate(f"{CARD}.innerText")
    tab.page.keyboard.press("Escape")
    assert hidden(tab)
    assert tab.page.evaluate("document.activeElement.getAttribute('href')") == term
    tab.page.keyboard.press("Enter")
    assert not hidden(tab)
    assert "#term" not in tab.page.url


def test_a_term_opens_its_card_on_hover(visit, app):
    tab = visit()
    tab.open(f"{app}/{PAGES[0].slug}")
    first_term(tab).hover()
    assert not hidden(tab)
    tab.page.mouse.move(5, 5)
    tab.page.wait_for_function(f"{CARD}.hidden")


def test_a_term_opens_its_card_on_tap(visit, app):
    tab = visit(390, "dark", has_touch=True)
    tab.open(f"{app}/{PAGES[0].slug}")
    first_term(tab).tap()
    assert not hidden(tab)
    box = tab.page.evaluate(
        f"(b => [b.left, b.right, b.top, b.bottom])({CARD}.getBoundingClientRect())"
    )
    assert 0 <= box[0] < box[1] <= 390 and 0 <= box[2] < box[3] <= 900
    tab.page.locator("h1").first.tap()
    assert hidden(tab)


def test_the_glossary_is_searched_by_keyboard(visit, app):
    tab = visit()
    tab.open(f"{app}/{PAGES[0].slug}")
    sidebar = tab.page.get_by_test_id("stSidebar")
    sidebar.get_by_text("Glossary", exact=True).focus()
    tab.page.keyboard.press("Enter")
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.type("softmax")
    entry = sidebar.locator("details.entry summary").first
    assert entry.inner_text() == "softmax"
    entry.focus()
    tab.page.keyboard.press("Enter")
    assert sidebar.get_by_text("shares that add to 1").first.is_visible()


def test_the_source_panel_shows_its_lit_line(visit, app):
    tab = visit()
    seen = 0
    for chapter in PAGES:
        tab.open(f"{app}/{chapter.slug}")
        for panel in tab.page.locator("pre[aria-label^='Source of']").all():
            if not panel.is_visible() or panel.locator(".lit").count() == 0:
                continue
            seen += 1
            line = panel.locator(".lit").first
            inside = line.evaluate(
                """(line) => { const a = line.getBoundingClientRect();
                    const b = line.closest('pre').getBoundingClientRect();
                    return a.top >= b.top - 1 && a.bottom <= b.bottom + 1; }"""
            )
            assert inside, "the lit line is scrolled out of its panel"
            assert re.match(r"\d+", line.inner_text())
            assert panel.get_attribute("tabindex") == "0", "the keyboard can't scroll the panel"
    assert seen > 0


def test_embedded_pages_have_no_margin(visit, app):
    tab = visit()
    tab.open(f"{app}/{PAGES[0].slug}?embed=true")
    assert tab.title() == PAGES[0].title
    assert not tab.page.get_by_test_id("stSidebar").is_visible()
    first_term(tab).hover()
    assert not hidden(tab), "terms open in an embedded page too"


def test_the_theme_changes_while_the_page_is_open(visit, app):
    tab = visit()
    tab.open(f"{app}/{PAGES[0].slug}")
    text = "getComputedStyle(document.querySelector('a[href^=\"#term-\"]')).color"
    light = tab.page.evaluate(text)
    tab.page.emulate_media(color_scheme="dark")
    tab.page.wait_for_function(f"{text} !== '{light}'")
    first_term(tab).hover()
    tab.page.wait_for_function(
        f"getComputedStyle({CARD}).backgroundColor.match(/\\d+/g).every(c => c < 64)"
    )


def test_the_line_on_the_cover_answers_while_you_type(visit, app):
    tab = visit()
    tab.open(app)
    line = tab.page.locator("textarea").first
    before = tab.page.locator(".bars li").all_inner_texts()
    line.fill("One day")
    tab.page.wait_for_function(
        "b => [...document.querySelectorAll('*')].flatMap(e => e.shadowRoot ? "
        "[...e.shadowRoot.querySelectorAll('.bars li')] : []).map(e => e.innerText).join() !== b",
        arg=",".join(before),
    )
    after = tab.page.locator(".bars li").all_inner_texts()
    assert len(after) == 8 and after != before
    line.press("Enter")
    tab.page.wait_for_function(
        "[...document.querySelectorAll('*')].some(e => e.shadowRoot?.querySelector('textarea')"
        "?.value.length > 'One day'.length)"
    )
    tab.settle()
    assert tab.problems == []


def test_the_source_panel_has_two_versions(visit, frame_page):
    tab = visit(390, "dark")
    tab.open(frame_page)
    tabs = tab.page.get_by_role("tablist", name="Version of the code").get_by_role("tab")
    assert tabs.all_inner_texts() == ["Readable", "Fast · ran here"]
    code = tab.page.get_by_role("region", name="Source of causal_softmax")
    fast = code.inner_text()
    tabs.nth(1).focus()
    tab.page.keyboard.press("ArrowLeft")
    assert tabs.nth(0).get_attribute("aria-selected") == "true"
    assert tabs.nth(0).evaluate("e => e === e.getRootNode().activeElement")
    readable = code.inner_text()
    assert "def causal_softmax(" in readable and readable != fast
    assert code.locator(".lit").all_inner_texts()[0].split()[1:3] == ["this", "line:"]
    assert tab.page.get_by_text("(1, 2) float32, from −∞ to 0.25").count() == 1


def test_long_lines_scroll_inside_the_panel_only(visit, frame_page):
    tab = visit(390)
    tab.open(frame_page)
    code = tab.page.get_by_role("region", name="Source of causal_softmax")
    assert code.evaluate("e => e.scrollWidth > e.clientWidth")
    assert tab.page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 391
    code.focus()
    tab.page.keyboard.press("ArrowRight")
    tab.page.wait_for_function(
        "[...document.querySelectorAll('*')].some(e => e.shadowRoot?.querySelector('pre')?.scrollLeft > 0)"
    )


def test_a_closed_panel_opens_at_its_lit_line(visit, frame_page):
    tab = visit()
    tab.open(frame_page)
    panel = tab.page.locator("pre[aria-label='Source of highlight']")
    assert not panel.is_visible()
    tab.page.locator("summary", has_text="highlight").click()
    line = panel.locator(".lit").first
    assert line.is_visible()
    assert line.evaluate(
        "e => e.getBoundingClientRect().bottom <= e.closest('pre').getBoundingClientRect().bottom + 1"
    )


def test_answers_are_graded_and_remembered(visit, frame_page):
    tab = visit()
    tab.open(frame_page)
    question = tab.page.locator(".st-key-question_0")
    score = tab.page.get_by_role("status").filter(has_text="of 2 right")
    question.get_by_text("this", exact=True).click()
    question.get_by_text("no, that").wait_for()
    assert score.inner_text() == "0 of 2 right."
    question.get_by_text("that", exact=True).click()
    question.get_by_text("yes").wait_for()
    tab.page.get_by_text("1 of 2 right.").wait_for()
    tab.page.reload()
    tab.settle()
    assert score.inner_text() == "0 of 2 right. Before, 1 of 2."
    assert tab.problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_button_that_commits_can_be_read_before_and_after(visit, frame_page, scheme):
    tab = visit(scheme=scheme)
    tab.open(frame_page)
    button = tab.page.get_by_role("button", name="Commit")
    contrast = """e => {
      const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
      const light = (color) => numbers(color).slice(0, 3)
        .map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
      let ground = e;
      while ((numbers(getComputedStyle(ground).backgroundColor)[3] ?? 1) === 0) ground = ground.parentElement;
      const [a, b] = [getComputedStyle(e).color, getComputedStyle(ground).backgroundColor].map(light);
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }"""
    assert button.is_disabled() and button.evaluate(contrast) >= 4.5
    tab.page.get_by_text("heads", exact=True).click()
    button.and_(tab.page.locator(":enabled")).wait_for()
    tab.page.wait_for_timeout(400)  # the colors change by a transition
    assert button.evaluate(contrast) >= 4.5

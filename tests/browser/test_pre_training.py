"""Chapter 15 in a browser: own text, a run that is watched, left, reloaded, taken away, brought back."""

import io
import zipfile

import pytest

from widgets import jobs

pytestmark = pytest.mark.browser
STORY = "The old fox lived by the river. One day it met a small bird, and they ate bread.\n\n"
TEXT = "".join(STORY.replace("fox", name) for name in ("fox", "cat", "dog", "hen", "owl")) * 12
BOARD = ".st-key-pre_training_live"


def opened(app, visit, **screen):
    tab = visit(**screen)
    tab.open(f"{app}/pre_training")
    return tab


def violations(tab):
    from axe_playwright_python.sync_playwright import Axe

    return [
        (v["id"], [node["target"] for node in v["nodes"]])
        for v in Axe().run(tab.page).response["violations"]
    ]


def number(tab, label, value):
    field = tab.page.get_by_label(label, exact=True)
    if not field.is_visible():
        tab.page.get_by_text("Steps, learning rate, batch, tokenizer, precision").click()
    field.fill(str(value))
    field.press("Enter")
    tab.settle()


def start(tab, steps, batch=2):
    number(tab, "Steps", steps)
    number(tab, "Batch, sequences", batch)
    tab.page.get_by_role("button", name="Train it").click()


def step(tab):
    return int(tab.page.locator(f"{BOARD} .root[data-step]").get_attribute("data-step"))


def draws(tab):
    return int(tab.page.locator(f"{BOARD} .root[data-step]").get_attribute("data-draws"))


def wait_for_step(tab, least):
    tab.page.wait_for_function(
        """least => [...document.querySelectorAll('*')].map(e => e.shadowRoot)
            .some(s => s?.querySelector('.samples') && +s.querySelector('.root').dataset.step >= least)""",
        arg=least,
    )


def stop(tab):
    tab.page.get_by_role("button", name="Stop").first.click()
    tab.page.get_by_role("button", name="Download the model").wait_for()
    tab.settle()


def test_own_text_is_uploaded_learned_taken_away_and_brought_back(app, visit):
    tab = opened(app, visit)
    tab.page.get_by_text("My own text").click()
    files = tab.page.locator(".st-key-pre_training_file input[type=file]")
    files.set_input_files(
        {"name": "cat.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n\xff\xfe"}
    )
    tab.page.get_by_text("is no text in UTF-8").wait_for()
    files.set_input_files({"name": "tale.txt", "mimeType": "text/plain", "buffer": TEXT.encode()})
    tab.page.get_by_text(f"tale.txt: {len(TEXT):,} characters").wait_for()
    assert tab.page.get_by_text("are copies of an earlier one").is_visible()
    start(tab, 60)
    tab.page.get_by_role("button", name="Download the model").wait_for()
    assert step(tab) == 60
    assert "learned" not in tab.page.locator(f"{BOARD} .stage").inner_text()
    assert tab.page.get_by_label("Let it go on from").input_value() == "Once upon a time"
    tab.page.get_by_role("button", name="Write").click()
    tab.page.get_by_text("temperature 0.7").wait_for()
    with tab.page.expect_download() as told:
        tab.page.get_by_role("button", name="Download the model").click()
    data = told.value.path().read_bytes()
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert sorted(names) == ["card.json", "model.safetensors", "tokenizer.json"]
    tab.page.get_by_text("Bring back a model that you downloaded").click()
    back = tab.page.locator(".st-key-pre_training_model input[type=file]")
    back.set_input_files({"name": "evil.zip", "mimeType": "application/zip", "buffer": data[:900]})
    tab.page.get_by_text("no zip that can be read").wait_for()
    back.set_input_files({"name": "my-gpt.zip", "mimeType": "application/zip", "buffer": data})
    tab.page.get_by_text("weights is back").wait_for()
    assert tab.problems == []


def test_a_run_goes_on_after_a_lost_connection_another_page_and_a_reload(app, visit):
    tab, connections = visit(), []

    def connect(socket):
        socket.connect_to_server()
        connections.append(socket)

    tab.page.route_web_socket("**/_stcore/stream", connect)
    tab.open(f"{app}/pre_training")
    start(tab, 4000)
    wait_for_step(tab, 3)
    before = step(tab)
    connections[-1].close(code=1001)
    wait_for_step(tab, before + 5)
    said = tab.page.get_by_text("s of work").inner_text()
    tab.page.get_by_text("s of work").filter(has_not_text=said).wait_for()
    assert len(connections) == 2, "it was the old connection all the time"
    own = "Cannot send rerun backMessage when disconnected"  # Streamlit says what has happened
    tab.problems[:] = [problem for problem in tab.problems if not problem.startswith(own)]
    tab.page.get_by_test_id("stSidebar").get_by_role("link", name="1 Functions").click()
    tab.page.wait_for_function("document.querySelector('h1')?.innerText === 'Functions'")
    tab.page.get_by_test_id("stSidebar").get_by_role("link", name="15 Pre-training").click()
    tab.page.locator(BOARD).wait_for()
    before = step(tab)
    wait_for_step(tab, before + 5)
    tab.page.reload()
    tab.page.locator(BOARD).wait_for()
    assert step(tab) >= before, "the reload began anew"
    wait_for_step(tab, step(tab) + 5)
    stop(tab)
    assert tab.problems == []


def test_the_browser_fetches_what_is_new_while_python_says_nothing(app, visit):
    tab, deaf = visit(), []

    def connect(socket):
        server = socket.connect_to_server()
        server.on_message(lambda message: None if deaf else socket.send(message))

    tab.page.route_web_socket("**/_stcore/stream", connect)
    tab.open(f"{app}/pre_training")
    start(tab, 4000)
    wait_for_step(tab, 3)
    with tab.page.expect_response(lambda answer: "/component/widgets.live" in answer.url) as told:
        pass
    answer = told.value
    assert answer.ok and "json" in answer.headers["content-type"]
    folder = answer.url.rsplit("/", 1)[0]
    assert tab.page.request.get(f"{folder}/").status == 404, "the names of the files are secret"
    deaf.append(True)
    before = draws(tab)
    wait_for_step(tab, step(tab) + 200)
    assert draws(tab) - before >= 5
    deaf.clear()
    tab.page.reload()
    tab.page.locator(BOARD).wait_for()
    stop(tab)
    assert tab.problems == []


def test_where_nothing_can_be_fetched_python_draws(app, visit):
    tab, refused = visit(), []

    def refuse(route):
        refused.append(route.request.url)
        route.abort()

    tab.page.route("**/component/widgets.live**", refuse)
    tab.open(f"{app}/pre_training")
    start(tab, 4000)
    wait_for_step(tab, 3)
    drawn = draws(tab)
    wait_for_step(tab, step(tab) + 40)
    assert refused and draws(tab) > drawn
    stop(tab)
    assert not [problem for problem in tab.problems if "net::ERR_FAILED" not in problem]


def test_pause_sample_and_another_rate_while_it_runs(app, visit):
    tab = opened(app, visit)
    start(tab, 4000)
    wait_for_step(tab, 3)
    samples = tab.page.locator(f"{BOARD} .samples li")
    tab.page.get_by_role("button", name="Sample now").click()
    samples.nth(1).wait_for()
    slider = tab.page.get_by_role("slider", name="Learning rate from now on")
    slider.focus()
    slider.press("End")
    tab.page.get_by_text("10 ×").first.wait_for()
    tab.page.get_by_role("button", name="Pause").click()
    tab.page.get_by_role("button", name="Go on").wait_for()
    paused = step(tab)
    tab.page.wait_for_timeout(600)
    assert step(tab) == paused
    assert violations(tab) == []
    tab.page.locator(f"{BOARD} svg.main").press("ArrowLeft")
    assert "training loss" in tab.page.locator(f"{BOARD} .say").inner_text()
    tab.page.get_by_role("button", name="Go on").click()
    wait_for_step(tab, paused + 3)
    stop(tab)
    assert tab.problems == []


def test_two_learners_do_not_see_each_other(app, visit):
    first, second = opened(app, visit), opened(app, visit, width=390, scheme="dark")
    start(first, 4000)
    wait_for_step(first, 2)
    second.page.reload()
    second.settle()
    assert second.page.locator(BOARD).count() == 0
    stop(first)


@pytest.mark.skipif(jobs.PLACES > 4, reason="as many tabs as cores are too many here")
def test_the_queue_is_shown_and_a_closed_tab_frees_its_place(app, visit):
    running = [opened(app, visit) for _ in range(jobs.PLACES)]
    for tab in running:
        start(tab, 5000)
        wait_for_step(tab, 1)
    waiting = opened(app, visit)
    start(waiting, 5000)
    waiting.page.get_by_text("number 1 in the queue").wait_for()
    running[0].page.context.close()
    wait_for_step(waiting, 2)
    for tab in (*running[1:], waiting):
        stop(tab)


def test_what_copies_cost_is_drawn_while_it_is_learned(app, visit):
    tab = opened(app, visit)
    tab.page.get_by_role("button", name="Train three models").click()
    chart = tab.page.locator(".st-key-pre_training_copies")
    chart.locator("svg polyline").nth(5).wait_for()
    line = chart.locator("svg polyline").first.get_attribute("points").split()
    chart.locator(".root > svg").press("End")
    said = chart.locator(".say").inner_text()
    assert "training: step" in said
    tab.page.wait_for_function(
        """least => [...document.querySelectorAll('*')].map(e => e.shadowRoot)
            .some(s => s?.querySelector('svg polyline')?.getAttribute('points').split(' ').length > least)""",
        arg=len(line),
    )
    assert chart.locator(".say").inner_text() == said
    tab.page.get_by_role("button", name="Stop", exact=True).click()
    tab.page.get_by_text("Ended,").wait_for()
    assert tab.problems == []


def test_the_law_and_the_time_machine_on_a_phone(app, visit):
    tab = opened(app, visit, width=390, scheme="dark")
    assert "112 wide" not in tab.page.locator(".st-key-pre_training_ladder .keys").inner_text()
    tab.page.get_by_role("button", name="I have no idea: show me").click()
    tab.page.locator(".st-key-pre_training_forecast .keys").get_by_text("112 wide").wait_for()
    tab.settle()
    chart = tab.page.locator(".st-key-pre_training_forecast .root > svg")
    chart.press("End")
    assert "loss" in tab.page.locator(".st-key-pre_training_forecast .say").inner_text()
    band = tab.page.locator(".st-key-pre_training_forecast .root > svg .band")
    before = band.get_attribute("d")
    tab.page.get_by_text("Leave out the points").click()
    tab.settle()
    assert band.get_attribute("d") != before
    machine = tab.page.locator(".st-key-pre_training_time")
    slider = machine.locator("input")
    last = machine.locator(".say").inner_text()
    slider.press("Home")
    assert machine.locator(".say").inner_text() != last
    assert "After 0.25 million tokens" in machine.locator(".say").inner_text()
    wide = tab.page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    assert wide <= 390
    assert violations(tab) == []
    assert tab.problems == []

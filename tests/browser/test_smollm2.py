"""Every page that offers a model, with SmolLM2 chosen: 30 layers, 9 heads, 49,152 tokens."""

import os
from unittest import mock

import pytest

from tests.browser.conftest import serve
from tests.browser.test_attention import ARCS, FIND, head_of, shown, wait_for
from widgets import attention_view as views

pytestmark = [pytest.mark.browser, pytest.mark.smollm2]
SCREENS = [(1280, "light"), (390, "dark")]


@pytest.fixture(scope="module")
def app(fetched, tmp_path_factory):
    """A server that sees what has been fetched."""
    with (
        mock.patch.dict(os.environ, {"MICROGPT_CACHE": str(fetched)}),
        serve(tmp_path_factory.mktemp("server") / "log.txt") as url,
    ):
        yield url


@pytest.fixture(params=SCREENS, ids=["wide", "narrow"])
def opened(request, visit, app):
    width, scheme = request.param

    def open_page(address):
        tab = visit(width=width, scheme=scheme)
        tab.open(f"{app}/{address}")
        return tab

    return open_page


def whole(tab) -> bool:
    """Nothing went wrong, and nothing is wider than the screen."""
    assert tab.problems == []
    assert tab.page.locator("[data-testid=stException], [data-testid=stAlert]").count() == 0
    return tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_press_enter_folds_the_layers_and_opens_every_head(opened):
    tab = opened("press_enter?m=smollm2&p=What+is+gravity%3F&n=12")
    tab.page.wait_for_selector(".machine")
    assert "gravit" in tab.page.locator(".answer").inner_text().lower()
    names = tab.page.locator(".stage .name:visible").all_inner_texts()
    assert "Layer 30 attention" in names and len(names) < 20, "the layers between are folded"
    tab.page.locator(".stage:has(.name:text-is('Layer 30 attention'))").click()
    heads = tab.page.locator(".inside [data-head]")
    assert heads.count() >= 9
    heads.nth(8).click()
    assert whole(tab)


def test_sampling_draws_from_all_its_tokens(opened):
    tab = opened("sampling?m=smollm2&p=The+capital+of+France+is")
    tab.page.wait_for_function(
        "() => document.querySelector('[data-testid=stMain]').innerText.includes('smollm2')"
    )
    assert whole(tab)


def test_tokens_shows_its_table(opened):
    tab = opened("tokens?tokens_model=smollm2&text=What+is+gravity%3F")
    assert "49,152 rows of 576 numbers" in tab.page.locator("[data-testid=stMain]").inner_text()
    assert whole(tab)


def test_attention_opens_any_of_its_270_heads(opened, smollm2):
    tab = opened("attention?m=smollm2&l=30&h=9")
    tab.page.evaluate("document.__find = " + FIND)
    wait_for(tab, "true", ARCS)
    assert head_of(tab) == (29, 8)
    view = views.compute(smollm2, views.PRESETS[0])
    assert shown(tab) == view.row(29, 8, len(view.ids) - 1).tolist()
    tab.page.get_by_label("Layer", exact=True).select_option(index=11)
    assert shown(tab) == view.row(11, 8, len(view.ids) - 1).tolist()
    assert "The next sections look into" in tab.page.locator("[data-testid=stMain]").inner_text()
    assert whole(tab)

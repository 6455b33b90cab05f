"""Reading addresses with the standard library: time-outs, sentences, and the package index.

The interpreter that runs the course may have no pip (uv makes environments without it), so the
index's own page is read: the same one that pip reads (PEP 503).
"""

import http.client
import os
import re
import ssl
import urllib.error
import urllib.request
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

INDEX = "https://pypi.org/simple"
TIMEOUT = 20  # seconds that a server or a proxy may be silent
LONGEST_WAIT = 900  # seconds for all that pip does
LARGEST_PAGE = 2**22  # bytes


class Failed(ValueError):
    """The network did not give what was asked; another way may."""


class Stopped(Exception):
    """The reader asked to stop."""


class Response:
    """An open answer whose errors, at any moment, are sentences."""

    def __init__(self, answer, url):
        self.answer, self.url, self.headers = answer, url, answer.headers

    def read(self, size: int) -> bytes:
        """At most `size` bytes, as soon as there are any; b"" at the end."""
        return told(self.url, lambda: self.answer.read1(size))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.answer.close()


def told(url: str, ask):
    """What `ask` returns; where the network fails, `Failed` with a sentence that says how."""
    try:
        return ask()
    except urllib.error.HTTPError as error:
        error.close()
        raise Failed(f"{url} answers {error.code} {error.reason}.") from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, TimeoutError):
            raise Failed(f"{url} did not answer for {TIMEOUT} seconds.") from None
        raise Failed(f"{url} can't be reached: {reason}.") from None


def open_url(url: str) -> Response:
    """Open an http or https address, by the system's proxy if there is one."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"{url} is no address that can be loaded: http and https are.")
    request = urllib.request.Request(url, headers={"User-Agent": "press-enter"})
    handlers = []
    if urlsplit(url).scheme == "https":
        handlers.append(urllib.request.HTTPSHandler(context=certificates()))
    opener = urllib.request.build_opener(*handlers)
    return Response(told(url, lambda: opener.open(request, timeout=TIMEOUT)), url)


def certificates() -> ssl.SSLContext:
    """The system's trust, and that of the file that pip or others are told to use."""
    context = ssl.create_default_context()
    for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE"):
        if Path(os.environ.get(name) or "-").is_file():
            context.load_verify_locations(os.environ[name])
    return context


class Links(HTMLParser):
    """Every address that a page links to."""

    def __init__(self):
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.found += [value for name, value in attributes if tag == "a" and name == "href"]


def find_on_index(package: str, file: str) -> str:
    """The address of a file of a package, from the index that this user has set, or PyPI."""
    names = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
    index = next((os.environ[name] for name in names if os.environ.get(name)), INDEX)
    page = f"{index.rstrip('/')}/{re.sub('[-_.]+', '-', package).lower()}/"
    with open_url(page) as response:
        parts, base = list(iter(lambda: response.read(LARGEST_PAGE), b"")), response.answer.geturl()
    links = Links()
    links.feed(b"".join(parts)[:LARGEST_PAGE].decode("utf-8", "replace"))
    for link in filter(None, links.found):
        url = urljoin(base, link)
        if unquote(urlsplit(url).path.rsplit("/", 1)[-1]) == file:
            return url.split("#")[0]
    raise Failed(f"{page} knows no {file}.")

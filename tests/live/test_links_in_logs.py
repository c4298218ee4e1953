"""A link's token is its key: whatever is asked, and however wrongly, it is not in the log of the web process."""

import socket

import pytest

from tests.live.conftest import MakeDesk
from tests.live.running import Desk, until

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("links")]

TOKEN = "Tok3nOfALinkThatNobodyElseHas"
BROKEN_WSGI = "Content-Type: text/plain; charset*=utf-8''%00"
"""No codec has this name, and Django finds out before it has a request: gunicorn logs the error with its URI."""
MALFORMED = {
    "another-version": "GET {uri} HTTP/9.1\r\n\r\n",
    "no-version": "GET {uri}\r\n\r\n",
    "too-many-words": "GET {uri} x HTTP/1.1\r\n\r\n",
    "a-space-too-many": "GET  {uri} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no-url": "GET http://[{uri} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no-ascii": "GET {uri}\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no-method": "G@T {uri} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no-header": "GET {uri} HTTP/1.1\r\nHo st: localhost\r\n\r\n",
    "no-chunk": "POST {uri} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "elsewhere": "GET {uri} HTTP/1.1\r\nHost: localhost\r\nSCRIPT_NAME: /elsewhere\r\n\r\n",
    "too-long": "GET {uri}?" + "x" * 9000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no-codec": "POST {uri} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n" + BROKEN_WSGI + "\r\n\r\n",
}


@pytest.fixture(scope="module")
def desk(open_desk: MakeDesk) -> Desk:
    made = open_desk()
    made.start("web")
    made.await_doors()
    return made


def status_of(desk: Desk, request: str) -> str:
    with socket.create_connection(("127.0.0.1", desk.web_port), timeout=30) as line:
        line.sendall(request.encode("latin-1"))
        line.shutdown(socket.SHUT_WR)
        return line.recv(100).decode("latin-1").split(" ")[1]


@pytest.mark.parametrize("door", ["p", "first", "r"])
@pytest.mark.parametrize("wrong", MALFORMED)
def test_a_malformed_request_leaves_no_token_in_the_log(desk: Desk, door: str, wrong: str) -> None:
    before = len(desk.log("web"))
    assert status_of(desk, MALFORMED[wrong].format(uri=f"/{door}/{TOKEN}"))[0] in "45"
    if wrong == "no-codec":
        said = until(lambda: desk.log("web")[before:], what="nothing is logged")
        assert f"Error handling request POST /{door}/…" in said
        assert "ValueError" in said
    assert TOKEN not in desk.log("web")

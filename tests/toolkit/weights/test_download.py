"""Downloads from a server that drops, lies and sends wrong bytes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from toolkit.errors import WeightsError
from toolkit.weights import download as module
from toolkit.weights.download import Request, fetch

CONTENT = bytes(range(256)) * 4000  # about 1 MB
SHA = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """What it does is chosen by the path."""

    asked: list[tuple[str, str | None]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        first = int(wanted.split("=")[1].rstrip("-")) if wanted else 0
        getattr(self, f"do_{self.path.strip('/').replace('-', '_')}")(first, len(self.server.asked))

    def send(self, first: int, *, length: int | None = None, upto: int | None = None, content: bytes = CONTENT) -> None:
        if first >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - first if length is None else length))
        self.end_headers()
        self.wfile.write(content[first : len(content) if upto is None else upto])

    def do_good(self, first: int, _: int) -> None:
        self.send(first)

    def do_drops(self, first: int, _: int) -> None:
        self.send(first, upto=min(len(CONTENT), first + 300_000))
        self.close_connection = True

    def do_without_ranges(self, first: int, call: int) -> None:
        self.send(0, upto=400_000 if call == 1 else None)
        self.close_connection = True

    def do_wrong_bytes(self, first: int, _: int) -> None:
        self.send(first, content=b"\0" * len(CONTENT))

    def do_longer(self, first: int, _: int) -> None:
        self.send(first, content=CONTENT + b"x" * 1000)

    def do_endless(self, first: int, _: int) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(100):
                self.wfile.write(b"x" * 100_000)
        except OSError:
            pass

    def do_shorter(self, first: int, _: int) -> None:
        self.send(first, content=CONTENT[:1000])

    def do_silent_short(self, first: int, _: int) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(CONTENT[:1000])

    def do_other_part(self, first: int, call: int) -> None:
        if call == 1:
            self.do_drops(first, call)
            return
        self.send_response(206)
        self.send_header("Content-Range", f"bytes 5-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"x" * 10)

    def do_busy(self, first: int, call: int) -> None:
        if call < 3:
            self.send_error(503)
        else:
            self.send(first)

    def do_gone(self, first: int, _: int) -> None:
        self.send_error(404)

    def do_never(self, first: int, _: int) -> None:
        self.send(first, upto=first)
        self.close_connection = True


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found = Server(("127.0.0.1", 0), Handler)
    found.asked = []
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()
    thread.join()


def ask(server: Server, path: str, folder: Path, **known: object) -> Request:
    settings = {"size": len(CONTENT), "sha256": SHA} | known
    return Request(f"http://127.0.0.1:{server.server_port}/{path}", folder / "store" / "a.pth", **settings)


@pytest.mark.parametrize("path", ["good", "drops", "without-ranges", "busy"])
@pytest.mark.parametrize("known", [True, False])
def test_the_file_arrives_whole_whatever_the_connection_does(
    path: str, known: bool, server: Server, tmp_path: Path
) -> None:
    request = ask(server, path, tmp_path, **({} if known else {"size": None}))
    seen: list[tuple[int, int | None]] = []
    fetch(request, lambda here, total: seen.append((here, total)), pause=0.0)
    assert request.target.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [path.name for path in request.target.parent.iterdir()] == ["a.pth"]


def test_what_arrived_before_is_continued(server: Server, tmp_path: Path) -> None:
    request = ask(server, "good", tmp_path)
    request.target.parent.mkdir()
    (request.target.parent / "a.pth.part").write_bytes(CONTENT[:500_000])
    fetch(request)
    assert server.asked == [("/good", "bytes=500000-")] and request.target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("wrong-bytes", "other bytes than the published file"),
        ("longer", "has 1025000 bytes, and the published file 1024000"),
        ("endless", "sends more than the 1024000 bytes"),
        ("shorter", "has 1000 bytes, and the published file 1024000"),
        ("other-part", "another part of the file"),
        ("gone", "404"),
        ("never", "cannot be fetched"),
        ("silent-short", "cannot be fetched: "),
    ],
)
def test_lies_are_one_sentence_and_leave_nothing_in_the_place(
    path: str, says: str, server: Server, tmp_path: Path
) -> None:
    request = ask(server, path, tmp_path)
    with pytest.raises(WeightsError, match=says) as caught:
        fetch(request, attempts=2, pause=0.0)
    assert "\n" not in str(caught.value)
    assert not request.target.exists()
    if path == "wrong-bytes":
        assert not list(request.target.parent.iterdir())


def test_a_part_of_another_file_is_found_out(server: Server, tmp_path: Path) -> None:
    request = ask(server, "good", tmp_path)
    request.target.parent.mkdir()
    (request.target.parent / "a.pth.part").write_bytes(b"x" * 1000)
    with pytest.raises(WeightsError, match="other bytes"):
        fetch(request)
    fetch(request)
    assert request.target.read_bytes() == CONTENT


def test_nobody_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be fetched"):
        fetch(Request("http://127.0.0.1:9/a", tmp_path / "a"), attempts=2, pause=0.0)


def test_the_proxy_of_the_environment_is_asked(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(Handler, "do_http://weights.example/good".replace("-", "_"), Handler.do_good, raising=False)
    request = Request("http://weights.example/good", tmp_path / "a.pth", len(CONTENT), SHA)
    fetch(request)
    assert request.target.read_bytes() == CONTENT


def test_a_full_or_read_only_place_is_one_sentence(server: Server, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file stands where the folder should")
    with pytest.raises(Exception, match="cannot write"):
        fetch(ask(server, "good", tmp_path))


def test_constants_allow_for_slow_lines() -> None:
    assert module.ATTEMPTS >= 3 and module.TIMEOUT >= 10

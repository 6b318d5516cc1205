"""Fetches a published file: resumable, bounded, checked, and only moved to its place when it is whole."""

from __future__ import annotations

import hashlib
import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import WeightsError
from toolkit.files import disk_errors_named
from toolkit.version import VERSION
from toolkit.weights.manifest import Official

ATTEMPTS, PAUSE, TIMEOUT = 5, 1.0, 30.0
"""Connections that are tried without a byte of progress, seconds between them, and seconds without an answer."""
_CHUNK = 1 << 20
_LARGEST = 8 << 30
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")

OnBytes = Callable[[int, int | None], None]
"""Called with the bytes that are here, and how many there will be (None: the server does not say)."""


@dataclass(frozen=True)
class Request:
    """One file to fetch."""

    url: str
    target: Path
    size: int | None = None
    sha256: str | None = None


class _Broken(Exception):
    """The connection ended early, or never began; another may do better."""


def download(entry: Official, target: Path, progress: OnBytes | None = None) -> Path:
    """Fetch a file of the manifest (see `fetch`).

    Raises:
        WeightsError: It has to be fetched by hand, or it cannot be fetched.
    """
    if entry.url is None:
        raise WeightsError(
            f"{entry.name!r} has to be fetched by hand: get {entry.files} from {entry.page} ({entry.licence}), then "
            f"'toolkit weights import {entry.files} --as {entry.name}'"
        )
    return fetch(Request(entry.url, target, entry.size, entry.sha256), progress)


def fetch(request: Request, progress: OnBytes | None = None, *, attempts: int = ATTEMPTS, pause: float = PAUSE) -> Path:
    """Fetch a file into its place; what arrived before a failure is kept beside it and continued by the next call.

    Proxies come from the environment (https_proxy, no_proxy), as everywhere.

    Raises:
        WeightsError: The server does not answer, sends another size, or other bytes than the published ones.
        OutputError: The place cannot be written.
    """
    partial = request.target.with_name(f"{request.target.name}.part")
    with disk_errors_named(request.target):
        request.target.parent.mkdir(parents=True, exist_ok=True)
        _drop_too_large(partial, request.size)
        failures = 0
        while True:
            before = _length(partial)
            try:
                _receive(request, partial, progress)
                break
            except _Broken as error:
                failures = 0 if _length(partial) > before else failures + 1
                if failures >= attempts:
                    raise WeightsError(
                        f"{request.url} cannot be fetched: {error}; {_length(partial)} bytes are kept in {partial}, "
                        "and the same command goes on from there"
                    ) from error
                time.sleep(pause)
        _check(request, partial)
        partial.replace(request.target)
    return request.target


def _receive(request: Request, partial: Path, progress: OnBytes | None) -> None:
    """One connection: continue behind what is there, or begin again where the server cannot."""
    here = _length(partial)
    if request.size is not None and here == request.size:
        return
    headers = {"User-Agent": f"toolkit/{VERSION}", "Accept-Encoding": "identity"}
    if here:
        headers["Range"] = f"bytes={here}-"
    try:
        asked = urllib.request.Request(request.url, headers=headers)
        # an opener of its own, since the library's keeps the proxies of its first use
        with urllib.request.build_opener().open(asked, timeout=TIMEOUT) as answer:
            first, total = _place(answer, here)
            if request.size is not None and total is not None and total != request.size:
                raise WeightsError(f"{request.url} has {total} bytes, and the published file {request.size}")
            limit = request.size or total or _LARGEST
            with open(partial, "r+b" if first and partial.exists() else "wb") as file:
                file.seek(first)
                file.truncate()
                here = _copy(answer, file, first, limit, total or request.size, progress, request.url)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and here:  # nothing behind what is here: it is whole, or something else
            if request.size is None:
                return
            partial.unlink()
            raise _Broken("the server has fewer bytes than are here") from error
        if error.code >= 500 or error.code == 429:
            raise _Broken(f"the server answers {error.code} {error.reason}") from error
        raise WeightsError(
            f"{request.url} cannot be fetched: the server answers {error.code} {error.reason}"
        ) from error
    except urllib.error.URLError as error:
        raise _Broken(f"{error.reason}") from error
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise _Broken(str(error) or type(error).__name__) from error
    expected = request.size if total is None else total
    if expected is not None and here < expected:
        raise _Broken(f"the connection ended after {here} of {expected} bytes")


def _place(answer: http.client.HTTPResponse, here: int) -> tuple[int, int | None]:
    """At which byte the answer begins, and how long the whole file is, if the server says."""
    length = answer.headers.get("Content-Length", "")
    sent = int(length) if length.isdecimal() and len(length) < 16 else None
    if answer.status != 206:
        return 0, sent
    match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if match is None or int(match.group(1)) != here:
        raise WeightsError(f"{answer.url} answers with another part of the file than was asked for")
    return here, None if match.group(3) == "*" else int(match.group(3))


def _copy(
    answer: http.client.HTTPResponse, file: object, here: int, limit: int, total: int | None, progress: OnBytes | None,
    url: str,
) -> int:  # fmt: skip
    while True:
        try:
            block = answer.read(min(_CHUNK, limit - here + 1))
        except http.client.IncompleteRead as error:
            block, ended = error.partial, True
        else:
            ended = False
        here += len(block)
        if here > limit:
            raise WeightsError(f"{url} sends more than the {limit} bytes of the published file")
        file.write(block)  # type: ignore[attr-defined]
        if progress is not None:
            progress(here, total)
        if ended or not block:
            return here


def _check(request: Request, partial: Path) -> None:
    found = _length(partial)
    if request.size is not None and found != request.size:
        partial.unlink(missing_ok=True)
        raise WeightsError(f"{request.url} gave {found} bytes, and the published file has {request.size}")
    if request.sha256 is None:
        return
    digest = hashlib.sha256()
    with open(partial, "rb") as file:
        while block := file.read(_CHUNK):
            digest.update(block)
    if digest.hexdigest() != request.sha256:
        partial.unlink()
        raise WeightsError(
            f"{request.url} gave other bytes than the published file (sha256 {digest.hexdigest()[:12]} instead of "
            f"{request.sha256[:12]}); nothing was kept"
        )


def _drop_too_large(partial: Path, size: int | None) -> None:
    if size is not None and _length(partial) > size:
        partial.unlink()


def _length(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0

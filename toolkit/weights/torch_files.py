"""What torch.save writes, in its three formats (zip; stream; the tar of its first years), read as plain data."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from typing import Any

from toolkit.weights.pickle_calls import calls, storage_dtype
from toolkit.weights.pickles import Blob, Call, DamagedPickle, PickleReader, Window
from toolkit.weights.stored_tensors import StoredBytes, StoredTensor, stored_tensor

MAGIC = 0x1950A86A20F9469CFC6C
MAGIC_BYTES = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""The end of a pickle of that number, with which the older format begins, in all of pickle's protocols."""
ENTRIES_LIMIT, DIRECTORY_LIMIT = 100_000, 16 * 2**20
"""Largest number of entries of a zip, and largest size of its directory in bytes."""


class TorchReader:
    """Reads torch's formats and remembers which calls stayed inert."""

    def __init__(self) -> None:
        """Begin with no calls."""
        self.inert: dict[str, int] = {}

    def pickle(self, window: Window, persistent: Call | None = None, *, nested: bool = True) -> Any:
        """One pickle; torch streams inside its bytes are read, too, if `nested`."""
        reader = PickleReader(calls(self._blob if nested else None), persistent)
        try:
            return reader.load(window)
        finally:
            for name, count in reader.inert.items():
                self.inert[name] = self.inert.get(name, 0) + count

    def zip(self, data: Any) -> Any:
        """A zip as torch writes it since 1.6.

        Raises:
            DamagedPickle: It is no such zip, or it declares more than it holds.
        """
        entries = _entries(data)
        roots = [name.removesuffix("data.pkl") for name in entries if name.rpartition("/")[2] == "data.pkl"]
        if len(roots) != 1:
            raise DamagedPickle("a zip that torch did not write: it has no single data.pkl")
        root = roots[0]

        def read(name: str) -> bytes:
            return _entry_bytes(data, entries[name])

        found: dict[tuple[str, Any, int], StoredBytes] = {}
        order = f"{root}byteorder"
        if order in entries and read(order).strip() != b"little":
            raise DamagedPickle("its numbers are big-endian: write it again on another machine")

        def persistent(args: tuple[Any, ...]) -> StoredBytes:
            kind, key, count = _storage_id(args[0])
            name = f"{root}data/{key}"
            entry = entries.get(name)
            nbytes = count * storage_dtype(kind).itemsize
            if entry is None or entry.file_size < nbytes:
                raise DamagedPickle(f"a storage of {count} numbers that the file does not hold")
            whole = StoredBytes(storage_dtype(kind), count, lambda: read(name)[:nbytes])
            return found.setdefault((key, whole.dtype, count), whole)  # one for all tensors that are parts of it

        return self.pickle(Window(read(f"{root}data.pkl")), persistent)

    def stream(self, data: Any, start: int = 0, end: int | None = None, *, nested: bool = True) -> Any:
        """The format before 1.6: pickles, then the storages' numbers.

        Raises:
            DamagedPickle: It is cut short or declares more than it holds.
        """
        window = Window(data, start, end)
        magic, protocol = self.pickle(window, nested=False), self.pickle(window, nested=False)
        about = self.pickle(window, nested=False)
        if magic != MAGIC or protocol != 1001 or not isinstance(about, dict) or about.get("little_endian") is not True:
            raise DamagedPickle("no stream of torch.save")
        found: dict[str, StoredBytes] = {}

        def persistent(args: tuple[Any, ...]) -> StoredBytes:
            kind, key, count = _storage_id(args[0])
            dtype = storage_dtype(kind)
            known = found.setdefault(key, StoredBytes(dtype, count))
            if known.dtype != dtype or known.count != count:
                raise DamagedPickle(f"two storages of one name {key[:80]!r}")
            return known

        content = self.pickle(window, persistent, nested=nested)
        keys = self.pickle(window, nested=False)
        if not isinstance(keys, list) or set(map(str, keys)) != set(found):
            raise DamagedPickle("its storages are not those that it lists")
        for key in keys:
            storage = found[str(key)]
            storage.place(_counted_bytes(window, storage.count, storage.dtype.itemsize))
        return content

    def tar(self, data: Any) -> Any:
        """The format of torch 0.1: a tar of storages, tensors and a pickle.

        Raises:
            DamagedPickle: It is damaged.
        """
        try:
            with tarfile.open(fileobj=_Stream(data), mode="r:") as archive:
                members = {member.name: member for member in archive.getmembers()[:8] if member.isreg()}
                parts = {name: (members[name].offset_data, members[name].size) for name in _TAR_PARTS}
        except (tarfile.TarError, KeyError, EOFError, ValueError, OSError) as error:
            raise DamagedPickle(f"no tar that torch wrote ({error})") from error
        windows = {name: Window(data, first, min(first + size, len(data))) for name, (first, size) in parts.items()}
        tensors = self._tar_tensors(windows["tensors"], self._tar_storages(windows["storages"]))

        def persistent(args: tuple[Any, ...]) -> StoredTensor:
            key = args[0][1] if isinstance(args[0], tuple) and len(args[0]) > 1 else args[0]
            if str(key) not in tensors:
                raise DamagedPickle("a tensor that the file does not hold")
            return tensors[str(key)]

        return self.pickle(windows["pickle"], persistent, nested=False)

    def _tar_storages(self, window: Window) -> dict[str, StoredBytes]:
        found = {}
        for _ in range(self._tar_count(window)):
            entry = self.pickle(window, nested=False)
            if not isinstance(entry, tuple) or len(entry) != 3:
                raise DamagedPickle("a storage without a description")
            dtype = storage_dtype(entry[2])
            (count,) = struct.unpack("<q", _exactly(window, 8))
            found[str(entry[0])] = _placed(dtype, count, window)
        if self.pickle(window, nested=False):
            raise DamagedPickle("storages that are views of others")
        return found

    def _tar_tensors(self, window: Window, storages: dict[str, StoredBytes]) -> dict[str, StoredTensor]:
        found = {}
        for _ in range(self._tar_count(window)):
            entry = self.pickle(window, nested=False)
            if not isinstance(entry, tuple) or len(entry) != 3:
                raise DamagedPickle("a tensor without a description")
            axes, _unused = struct.unpack("<ii", _exactly(window, 8))
            if not 0 <= axes <= 16:
                raise DamagedPickle(f"a tensor of {axes} axes")
            shape, strides = (struct.unpack(f"<{axes}q", _exactly(window, 8 * axes)) for _ in range(2))
            (offset,) = struct.unpack("<q", _exactly(window, 8))
            found[str(entry[0])] = stored_tensor(storages.get(str(entry[1])), offset, shape, strides)
        return found

    def _tar_count(self, window: Window) -> int:
        count = self.pickle(window, nested=False)
        if not isinstance(count, int) or not 0 <= count <= ENTRIES_LIMIT:
            raise DamagedPickle("no number of parts")
        return count

    def _blob(self, value: Any) -> Any:
        """A storage that was embedded as a stream of its own, as NVIDIA's pickles have one per tensor."""
        if isinstance(value, Blob):
            return self.stream(value.data, value.start, value.start + value.size, nested=False)
        if isinstance(value, (bytes, bytearray)):
            return self.stream(bytes(value), nested=False)
        raise DamagedPickle("an embedded stream that is not bytes")


_TAR_PARTS = ("storages", "tensors", "pickle")


def _storage_id(identity: Any) -> tuple[Any, str, int]:
    """Kind, key and number of entries from a persistent id; where the tensor lay (cuda:0, ...) does not matter."""
    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
        raise DamagedPickle("a reference that is not a storage")
    kind, key, count = identity[1], identity[2], identity[4]
    if type(count) is not int or not 0 <= count < 2**48 or not isinstance(key, (str, int)):
        raise DamagedPickle("a storage without a size")
    if len(identity) > 5 and identity[5] is not None:
        raise DamagedPickle("a storage that is a view of another")
    return kind, str(key), count


def _counted_bytes(window: Window, count: int, itemsize: int) -> Blob:
    (declared,) = struct.unpack("<q", _exactly(window, 8))
    nbytes = count * itemsize
    if declared != count or nbytes > window.end - window.place:
        raise DamagedPickle(f"a storage of {declared} numbers that the file does not hold")
    blob = Blob(window.data, window.place, nbytes)
    window.place += nbytes
    return blob


def _placed(dtype: Any, count: int, window: Window) -> StoredBytes:
    nbytes = count * dtype.itemsize
    if not 0 <= nbytes <= window.end - window.place:
        raise DamagedPickle(f"a storage of {count} numbers that the file does not hold")
    blob = Blob(window.data, window.place, nbytes)
    window.place += nbytes
    return StoredBytes(dtype, count, blob.read)


def _exactly(window: Window, count: int) -> bytes:
    data = window.read(count)
    if len(data) != count:
        raise DamagedPickle("it is cut short")
    return data


def _entries(data: Any) -> dict[str, zipfile.ZipInfo]:
    """The zip's directory, whose size its last bytes must bound before it is read."""
    tail_start = max(0, len(data) - 2**16 - 1024)
    tail = bytes(data[tail_start:])
    last = tail.rfind(b"PK\x05\x06")
    if last < 0 or last + 22 > len(tail):
        raise DamagedPickle("a zip that is cut short")
    count, directory = struct.unpack("<HI", tail[last + 10 : last + 16])
    wide = tail.rfind(b"PK\x06\x06", 0, last)
    if wide >= 0 and wide + 48 <= len(tail):
        count, directory = struct.unpack("<QQ", tail[wide + 32 : wide + 48])
    if count > ENTRIES_LIMIT or directory > min(DIRECTORY_LIMIT, len(data)):
        raise DamagedPickle(f"a zip with {count} entries")
    try:
        with zipfile.ZipFile(_Stream(data)) as archive:
            return {entry.filename: entry for entry in archive.infolist()}
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, struct.error, UnicodeError) as error:
        raise DamagedPickle(f"no sound zip ({error})") from error


def _entry_bytes(data: Any, entry: zipfile.ZipInfo) -> bytes:
    """An entry's bytes, which torch never compresses, checked by their sum."""
    start, size = entry.header_offset, entry.file_size
    head = bytes(data[start : start + 30])
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
        raise DamagedPickle(f"its entry {entry.filename[-80:]!r} is compressed, as torch's never are")
    if len(head) < 30 or head[:4] != b"PK\x03\x04":
        raise DamagedPickle(f"its entry {entry.filename[-80:]!r} is not where it should be")
    name, extra = struct.unpack("<HH", head[26:30])
    first = start + 30 + name + extra
    if first + size > len(data):
        raise DamagedPickle(f"its entry {entry.filename[-80:]!r} declares more than the file holds")
    found = bytes(data[first : first + size])
    if zlib.crc32(found) != entry.CRC:
        raise DamagedPickle(f"its entry {entry.filename[-80:]!r} is damaged (its checksum differs)")
    return found


class _Stream(io.RawIOBase):
    """A memory map as a file that is never open."""

    def __init__(self, data: Any) -> None:
        self._data, self._place = data, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._place = max(0, offset + (0, self._place, len(self._data))[whence])
        return self._place

    def tell(self) -> int:
        return self._place

    def read(self, count: int = -1) -> bytes:
        end = len(self._data) if count is None or count < 0 else min(len(self._data), self._place + count)
        found = bytes(self._data[self._place : end])
        self._place += len(found)
        return found

# SPDX-License-Identifier: BSD-2-Clause
"""The IDX file form of MNIST: a big-endian header (magic number, 32-bit size per dimension), then elements.

The magic number is two zero bytes, one byte for the element type and one for the number of dimensions.
Source: the table "the IDX file format" on http://yann.lecun.com/exdb/mnist/.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["images", "labels"]

GZIP_MAGIC = b"\x1f\x8b"
_UBYTE = 0x08
_SHORT = 0x0B
_TYPE_NAMES = {
    _UBYTE: "unsigned byte",
    0x09: "signed byte",
    _SHORT: "16-bit integer",
    0x0C: "32-bit integer",
    0x0D: "32-bit float",
    0x0E: "64-bit float",
}
_N_DIMS: dict[Kind, int] = {"images": 3, "labels": 1}
# 256 classes fit a byte; label files of richer sets use the next larger integer of the format.
_TYPES: dict[Kind, tuple[int, ...]] = {"images": (_UBYTE,), "labels": (_UBYTE, _SHORT)}
_FETCH_AGAIN = "copy or download the file again"


class DatasetError(ValueError):
    """A data set that cannot be used: one sentence with the file, what is wrong with it, and the way out."""


def problem(where: Path | str, found: str, expected: str, way_out: str) -> DatasetError:
    """Every error of this package has the same four parts in the same order."""
    return DatasetError(f"{where}: found {found}, expected {expected}; {way_out}.")


def _read_bytes(path: Path) -> bytes:
    """The file's content, decompressed when it is gzip, whatever its name ends in.

    The content decides and not the suffix, because browsers and copying tools decompress without renaming.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise problem(
            path, f"that it cannot be read ({error.strerror})", "a readable file", "check its permissions"
        ) from error
    if not content.startswith(GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error, struct.error) as error:
        raise problem(path, f"damaged gzip data ({error})", "a complete gzip file", _FETCH_AGAIN) from error


def _magic_text(kind: Kind) -> str:
    return " or ".join(f"0x{code << 8 | _N_DIMS[kind]:08x}" for code in _TYPES[kind])


def _parse_header(path: Path, content: bytes, kind: Kind) -> tuple[int, tuple[int, ...]]:
    """Check the header; return the element type's code and the sizes, outermost dimension first."""
    expected_magic = f"the magic number {_magic_text(kind)} of IDX {kind}"
    if len(content) < 4:
        raise problem(path, f"{len(content)} bytes", expected_magic, _FETCH_AGAIN)
    magic = int.from_bytes(content[:4], "big")
    code, n_dims = content[2], content[3]
    other: Kind = "labels" if kind == "images" else "images"
    if magic >> 16 or code not in _TYPE_NAMES:
        raise problem(
            path, f"the magic number 0x{magic:08x}", expected_magic, "this is no IDX file, replace it"
        )
    if n_dims == _N_DIMS[other]:
        raise problem(
            path,
            f"{other} (magic number 0x{magic:08x})",
            expected_magic,
            "the image file and the label file look swapped, exchange their names",
        )
    if kind == "images" and n_dims == 4 and len(content) >= 20:
        size = " x ".join(map(str, struct.unpack(">4I", content[4:20])))
        raise problem(
            path,
            f"colour images, or images of several channels ({size})",
            "grey images of 3 dimensions (number x height x width)",
            "make them grey, such as images.mean(axis=-1).astype(np.uint8) for channels that come last, and write them "
            "with write_idx of erbium.sw_model.datasets",
        )
    if n_dims != _N_DIMS[kind]:
        raise problem(
            path,
            f"{n_dims} dimensions (magic number 0x{magic:08x})",
            expected_magic,
            "write it with write_idx",
        )
    if code not in _TYPES[kind]:
        allowed = " or ".join(f"0x{c:02x} ({_TYPE_NAMES[c]})" for c in _TYPES[kind])
        raise problem(
            path,
            f"the element type 0x{code:02x} ({_TYPE_NAMES[code]})",
            allowed,
            "convert the elements and write the file with write_idx",
        )
    n_header = 4 + 4 * n_dims
    if len(content) < n_header:
        raise problem(path, f"{len(content)} bytes", f"a header of {n_header} bytes", _FETCH_AGAIN)
    shape = struct.unpack(f">{n_dims}I", content[4:n_header])
    if 0 in shape:
        size = " x ".join(str(n) for n in shape)
        raise problem(path, f"the size {size}", "at least 1 in every dimension", "replace the empty file")
    return code, shape


def read_idx(path: Path, kind: Kind) -> NDArray[Any]:
    """Read one IDX file of images or labels, gzipped or not.

    Parameters
    ----------
    path : Path
        The file.
    kind : {"images", "labels"}
        What the file has to hold.

    Returns
    -------
    ndarray
        Images: uint8 of shape (n, height, width). Labels: uint8 or uint16 of shape (n,). Read-only.

    Raises
    ------
    DatasetError
        If the file cannot be read, is damaged, or holds something else.
    """
    content = _read_bytes(path)
    code, shape = _parse_header(path, content, kind)
    n_header = 4 + 4 * len(shape)
    n_bytes = math.prod(shape) * (2 if code == _SHORT else 1)
    n_found = len(content) - n_header
    if n_found != n_bytes:
        size = " x ".join(str(n) for n in shape)
        what = "the file is truncated" if n_found < n_bytes else "something follows the data"
        raise problem(
            path,
            f"{n_found} bytes after the header",
            f"{n_bytes} for {size} {kind if len(shape) == 1 else 'pixels'}",
            f"{what}, {_FETCH_AGAIN}",
        )
    if code == _UBYTE:
        return np.frombuffer(content, dtype=np.uint8, offset=n_header).reshape(shape)
    signed = np.frombuffer(content, dtype=">i2", offset=n_header).reshape(shape)
    if signed.min() < 0:
        index = int(signed.argmin())
        raise problem(
            path,
            f"the label {signed[index]} at index {index}",
            "labels from 0 up",
            "number the classes from 0",
        )
    labels = signed.astype(np.uint16)
    labels.setflags(write=False)
    return labels


def write_idx(path: Path, array: NDArray[Any]) -> None:
    """Write an array as an IDX file; the same array always gives the same bytes.

    Parameters
    ----------
    path : Path
        The file to write; gzipped if its suffix is ``.gz``.
    array : ndarray
        uint8 of any shape with 1 to 255 dimensions: images (n, height, width), labels (n,). For more than
        256 classes also int16 or uint16 with values up to 32767, the largest 16-bit integer of the format.

    Raises
    ------
    DatasetError
        If the element type, a value or the number of dimensions has no place in the format.
    """
    path = Path(path)
    if not 1 <= array.ndim <= 255:
        raise problem(path, f"an array of {array.ndim} dimensions", "1 to 255", "reshape the array")
    if array.dtype == np.uint8:
        code, elements = _UBYTE, np.ascontiguousarray(array)
    elif array.dtype in (np.int16, np.uint16):
        if array.size and int(array.max()) > 0x7FFF:
            raise problem(path, f"the value {array.max()}", "at most 32767", "number the classes from 0")
        code, elements = _SHORT, np.ascontiguousarray(array.astype(">i2"))
    else:
        raise problem(
            path,
            f"an array of {array.dtype}",
            "uint8, or 16-bit integers for labels",
            "convert it with astype",
        )
    content = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape) + elements.tobytes()
    if path.suffix == ".gz":
        # Without a time of writing in its header, the same array gives the same file.
        content = gzip.compress(content, compresslevel=6, mtime=0)
    path.write_bytes(content)

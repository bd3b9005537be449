# SPDX-License-Identifier: BSD-2-Clause
"""IDX files: what is written can be read again, and what every kind of damage says."""

import gzip
import struct

import numpy as np
import pytest

from erbium.sw_model.datasets import DatasetError, read_idx, write_idx


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("shape", [(4, 5, 3), (1, 1, 1), (3, 28, 28)])
def test_images_survive_a_round_trip(tmp_path, suffix, shape):
    images = np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8)
    path = tmp_path / f"some{suffix}"
    write_idx(path, images)
    assert path.read_bytes().startswith(b"\x1f\x8b") == (suffix == ".gz")
    again = read_idx(path, "images")
    assert again.dtype == np.uint8
    assert np.array_equal(again, images)
    assert not again.flags.writeable


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_labels_survive_a_round_trip(tmp_path, dtype):
    labels = np.array([0, 3, 127 if dtype == np.uint8 else 32767], dtype=dtype)
    write_idx(tmp_path / "labels", labels)
    again = read_idx(tmp_path / "labels", "labels")
    assert again.dtype == (np.uint8 if dtype == np.uint8 else np.uint16)
    assert again.tolist() == labels.tolist()
    assert not again.flags.writeable


def test_the_header_is_the_published_one(tmp_path):
    write_idx(tmp_path / "images", np.array([[[1, 2, 3]], [[4, 5, 255]]], dtype=np.uint8))
    assert (tmp_path / "images").read_bytes() == bytes.fromhex(
        "00000803 00000002 00000001 00000003 010203 0405ff"
    )


def test_writing_twice_gives_the_same_file(tmp_path):
    labels = np.arange(9, dtype=np.uint8)
    write_idx(tmp_path / "a.gz", labels)
    write_idx(tmp_path / "b.gz", labels)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros(3, dtype=np.float32), "found an array of float32, expected uint8"),
        (np.array(3, dtype=np.uint8), "found an array of 0 dimensions, expected 1 to 255"),
        (np.array([40000], dtype=np.uint16), "found the value 40000, expected at most 32767"),
    ],
)
def test_what_idx_cannot_hold_is_not_written(tmp_path, array, expected):
    with pytest.raises(DatasetError, match=expected):
        write_idx(tmp_path / "x", array)
    assert not (tmp_path / "x").exists()


IMAGE_HEADER = struct.pack(">IIII", 0x803, 26, 5, 3)


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("images", b"", "found 0 bytes, expected the magic number 0x00000803 of IDX images; copy or"),
        ("images", b"\0\0\x08", "found 3 bytes, expected the magic number 0x00000803"),
        ("images", IMAGE_HEADER[:10], "found 10 bytes, expected a header of 16 bytes"),
        ("images", IMAGE_HEADER, "found 0 bytes after the header, expected 390 for 26 x 5 x 3 pixels"),
        ("images", IMAGE_HEADER + bytes(389), "found 389 bytes after the header, expected 390"),
        ("images", IMAGE_HEADER + bytes(389), "the file is truncated, copy or download the file again"),
        ("images", IMAGE_HEADER + bytes(391), "found 391 bytes after the header, expected 390"),
        ("images", IMAGE_HEADER + bytes(391), "something follows the data, copy or download"),
        ("images", struct.pack(">IIII", 0x803, 2**32 - 1, 2**31, 3), "found 0 bytes after the header"),
        ("images", struct.pack(">IIII", 0x803, 0, 5, 3), "found the size 0 x 5 x 3, expected at least 1"),
        ("images", struct.pack("<IIII", 0x803, 1, 1, 1), "found the magic number 0x03080000"),
        ("images", b"<!DOCTYPE html>", "found the magic number 0x3c21444f, expected the magic number 0x"),
        (
            "images",
            b"\0\0\x07\x03" + bytes(12),
            "0x00000703, expected the magic number 0x00000803 of IDX im",
        ),
        (
            "images",
            b"\0\0\x0d\x03" + bytes(12),
            "found the element type 0x0d (32-bit float), expected 0x08",
        ),
        (
            "images",
            b"\0\0\x0b\x03" + bytes(12),
            "(16-bit integer), expected 0x08 (unsigned byte); convert",
        ),
        ("images", b"\0\0\x08\x02" + bytes(12), "found 2 dimensions (magic number 0x00000802), expected"),
        (
            "labels",
            struct.pack(">II", 0x801, 26) + bytes(25),
            "found 25 bytes after the header, expected 26",
        ),
        (
            "labels",
            struct.pack(">II", 0x801, 26) + bytes(25),
            "expected 26 for 26 labels; the file is trunc",
        ),
        (
            "labels",
            struct.pack(">II", 0xC01, 26) + bytes(104),
            "expected 0x08 (unsigned byte) or 0x0b (16-",
        ),
        (
            "labels",
            struct.pack(">IIh", 0xB01, 1, -2),
            "found the label -2 at index 0, expected labels from 0",
        ),
        (
            "labels",
            b"\x12\x34\x56\x78",
            "expected the magic number 0x00000801 or 0x00000b01 of IDX labels",
        ),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_damaged_file(tmp_path, kind, content, expected, suffix):
    path = tmp_path / f"file{suffix}"
    path.write_bytes(gzip.compress(content) if suffix else content)
    with pytest.raises(DatasetError) as caught:
        read_idx(path, kind)
    text = str(caught.value)
    assert text.startswith(f"{path}: found ")
    assert expected in text
    assert text.endswith(".")


@pytest.mark.parametrize("damage", ["truncated", "flipped", "checksum", "header", "garbage"])
def test_a_damaged_gzip(tmp_path, damage):
    path = tmp_path / "images.gz"
    write_idx(path, np.random.default_rng(5).integers(0, 256, (20, 5, 3), dtype=np.uint8))
    good = path.read_bytes()
    path.write_bytes(
        {
            "truncated": good[:-9],
            "flipped": good[:12] + bytes([good[12] ^ 0xFF]) + good[13:],
            "checksum": good[:-8] + bytes([good[-8] ^ 1]) + good[-7:],
            "header": good[:5],
            "garbage": good + b"garbage",
        }[damage]
    )
    with pytest.raises(DatasetError) as caught:
        read_idx(path, "images")
    text = str(caught.value)
    assert text.startswith(f"{path}: found damaged gzip data (")
    assert text.endswith("), expected a complete gzip file; copy or download the file again.")

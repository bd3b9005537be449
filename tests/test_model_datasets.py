# SPDX-License-Identifier: BSD-2-Clause
"""Data sets: which source is taken, how it is split, and what a folder says that holds no usable set."""

import gzip
import lzma
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from erbium.sw_model.datasets import DatasetError, Split, load, mnist_part, write_idx

TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"


def small_set(n_train=26, n_test=7, height=5, width=3, n_classes=4, seed=1):
    rng = np.random.default_rng(seed)

    def labels(n):
        dtype = np.uint8 if n_classes <= 256 else np.uint16
        return np.append(np.arange(n - 1) % n_classes, min(n, n_classes) - 1).astype(dtype)

    def images(n):
        return rng.integers(0, 256, (n, height, width), dtype=np.uint8)

    return {
        TRAIN_IMAGES: images(n_train),
        TRAIN_LABELS: labels(n_train),
        TEST_IMAGES: images(n_test),
        TEST_LABELS: labels(n_test),
    }


def write_set(folder, arrays, suffix=".gz"):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        write_idx(folder / f"{name}{suffix}", array)
    return folder


def load_folder(folder):
    return load(folder, environ={}, allow_download=False)


def all_arrays(dataset):
    return [a for s in (dataset.train, dataset.validation, dataset.test) for a in (s.images, s.labels)]


def assert_same_content(a, b):
    assert a.digest == b.digest
    for left, right in zip(all_arrays(a), all_arrays(b), strict=True):
        assert left.dtype == right.dtype
        assert np.array_equal(left, right)


# A folder


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("dotted", [False, True])
def test_every_spelling_of_the_names(tmp_path, suffix, dotted):
    arrays = small_set()
    names = {name: name.replace("-idx", ".idx") if dotted else name for name in arrays}
    folder = write_set(tmp_path / "set", {names[name]: array for name, array in arrays.items()}, suffix)
    dataset = load_folder(folder)
    assert np.array_equal(dataset.test.labels, arrays[TEST_LABELS])
    assert np.array_equal(dataset.test.images, arrays[TEST_IMAGES].reshape(7, 15))


def test_a_name_in_gz_whose_file_is_not(tmp_path):
    folder = write_set(tmp_path, small_set())
    path = folder / f"{TRAIN_IMAGES}.gz"
    path.write_bytes(gzip.decompress(path.read_bytes()))
    assert len(load_folder(folder).train) == 22


def test_the_split(tmp_path):
    arrays = small_set(n_train=26)
    dataset = load_folder(write_set(tmp_path / "clothes", arrays))
    assert (dataset.name, dataset.notice) == ("clothes", "")
    assert dataset.source == f"the folder {tmp_path / 'clothes'}"
    assert (dataset.height, dataset.width, dataset.n_pixels, dataset.n_classes) == (5, 3, 15, 4)
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (22, 4, 7)
    images = np.concatenate([dataset.train.images, dataset.validation.images])
    labels = np.concatenate([dataset.train.labels, dataset.validation.labels])
    assert np.array_equal(images, arrays[TRAIN_IMAGES].reshape(26, 15))
    assert np.array_equal(labels, arrays[TRAIN_LABELS])
    assert np.array_equal(dataset.test.images, arrays[TEST_IMAGES].reshape(7, 15))
    assert np.array_equal(dataset.test.labels, arrays[TEST_LABELS])


@pytest.mark.parametrize(("n_classes", "dtype"), [(2, np.uint8), (256, np.uint8), (300, np.uint16)])
def test_any_number_of_classes(tmp_path, n_classes, dtype):
    dataset = load_folder(write_set(tmp_path, small_set(n_train=400, n_classes=n_classes)))
    assert dataset.n_classes == n_classes
    assert dataset.train.labels.dtype == dataset.test.labels.dtype == dtype


def test_arrays_are_read_only(tmp_path):
    for dataset in (
        load_folder(write_set(tmp_path, small_set())),
        load(environ={}, allow_download=False, cache_dir=tmp_path),
    ):
        for array in all_arrays(dataset):
            assert not array.flags.writeable
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0


def test_a_split_leaves_the_callers_array_writable():
    images = np.zeros((2, 3), dtype=np.uint8)
    split = Split(images, np.zeros(2, dtype=np.uint8))
    assert len(split) == 2
    assert images.flags.writeable
    assert not split.images.flags.writeable


@pytest.mark.parametrize(
    ("images", "labels", "expected"),
    [
        (np.zeros((2, 3)), np.zeros(2, np.uint8), r"images: found float64 of shape \(2, 3\)"),
        (np.zeros((2, 3, 3), np.uint8), np.zeros(2, np.uint8), r"images: .* expected uint8 of shape \(n, p"),
        (np.zeros((2, 3), np.uint8), np.zeros(3, np.uint8), r"labels: .* of shape \(3,\), .*shape \(2,\)"),
        (np.zeros((2, 3), np.uint8), np.zeros(2, np.int64), "labels: found int64"),
    ],
)
def test_a_split_checks_its_arrays(images, labels, expected):
    with pytest.raises(ValueError, match=expected):
        Split(images, labels)


def test_the_digest_is_of_the_content(tmp_path):
    arrays = small_set()
    first = load_folder(write_set(tmp_path / "a", arrays))
    assert_same_content(first, load_folder(write_set(tmp_path / "b", arrays, suffix="")))
    assert len(first.digest) == 16
    for name in arrays:
        changed = dict(arrays, **{name: arrays[name].copy()})
        changed[name].flat[0] ^= 1
        assert load_folder(write_set(tmp_path / f"not {name}", changed)).digest != first.digest
    turned = {k: a.reshape(len(a), 3, 5) if a.ndim == 3 else a for k, a in arrays.items()}
    assert load_folder(write_set(tmp_path / "c", turned)).digest != first.digest


# A wrong folder is an error, never a reason to load something else


def check_error(folder, *parts, **kwargs):
    with pytest.raises(DatasetError) as caught:
        load(folder, **({"environ": {}} | kwargs))
    text = str(caught.value)
    for part in parts:
        assert part in text
    assert "found " in text
    assert "expected " in text
    assert "; " in text
    assert text.endswith(".")
    assert "\n" not in text


def test_no_such_folder(tmp_path):
    folder = tmp_path / "nowhere"
    check_error(
        folder, f"{folder} (named by --data): found no such folder, expected a folder with", "ERBIUM_DATA"
    )


def test_the_variable_names_no_folder(tmp_path):
    folder = tmp_path / "nowhere"
    environ = {"ERBIUM_DATA": str(folder)}
    check_error(None, f"{folder} (named by ERBIUM_DATA): found no such folder", environ=environ)


def test_the_folder_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    check_error(tmp_path / "file", "found a file, expected a folder with the four IDX files")


def test_the_folder_is_empty(tmp_path):
    check_error(tmp_path, "found an empty folder, expected the four IDX files", TRAIN_IMAGES, TEST_LABELS)


@pytest.mark.parametrize("name", small_set())
def test_a_file_is_missing(tmp_path, name):
    folder = write_set(tmp_path, small_set())
    (folder / f"{name}.gz").unlink()
    check_error(
        folder, f"found no file {name}, expected the four", "add it, or point --data or ERBIUM_DATA at"
    )


def test_a_file_cannot_be_read(tmp_path, monkeypatch):
    folder = write_set(tmp_path, small_set())

    # Not by taking the permission away, which the superuser does not notice.
    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    check_error(folder, f"{TRAIN_IMAGES}.gz: found that it cannot be read (Permission denied)", "permissions")


def test_the_folder_cannot_be_listed(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)
    check_error(tmp_path, "found that it cannot be listed (Permission denied)", "check its permissions")


def test_images_and_labels_are_swapped(tmp_path):
    arrays = small_set()
    arrays[TRAIN_IMAGES], arrays[TRAIN_LABELS] = arrays[TRAIN_LABELS], arrays[TRAIN_IMAGES]
    folder = write_set(tmp_path, arrays)
    check_error(
        folder,
        f"{folder / TRAIN_IMAGES}.gz: found labels (magic number 0x00000801), expected the magic",
        "the image file and the label file look swapped, exchange their names",
    )


def test_the_label_file_holds_images(tmp_path):
    arrays = small_set()
    arrays[TEST_LABELS] = arrays[TEST_IMAGES]
    folder = write_set(tmp_path, arrays)
    check_error(folder, f"{folder / TEST_LABELS}.gz: found images (magic number 0x00000803)", "look swapped")


@pytest.mark.parametrize(("name", "n"), [(TRAIN_LABELS, 26), (TEST_LABELS, 7)])
@pytest.mark.parametrize("change", [-1, 1])
def test_one_label_per_image(tmp_path, name, n, change):
    arrays = small_set()
    arrays[name] = np.resize(arrays[name], n + change)
    image_file = name.replace("labels-idx1", "images-idx3")
    check_error(
        write_set(tmp_path, arrays),
        f"{name}.gz: found {n + change} labels, expected {n}, one per image of {image_file}.gz; take",
    )


def test_train_and_test_images_differ_in_size(tmp_path):
    arrays = small_set() | {TEST_IMAGES: small_set(height=6)[TEST_IMAGES]}
    check_error(
        write_set(tmp_path, arrays),
        f"{TEST_IMAGES}.gz: found images of 6 x 3 pixels, expected 5 x 3 as in {TRAIN_IMAGES}.gz",
    )


def test_a_test_label_that_no_training_label_has(tmp_path):
    arrays = small_set()
    arrays[TEST_LABELS] = np.array([0, 1, 9, 3, 0, 0, 0], dtype=np.uint8)
    check_error(
        write_set(tmp_path, arrays),
        f"{TEST_LABELS}.gz: found the label 9 at index 2, expected 0 to 3 as in {TRAIN_LABELS}.gz",
    )


def test_one_class_is_not_enough(tmp_path):
    arrays = {name: a * 0 if a.ndim == 1 else a for name, a in small_set().items()}
    check_error(write_set(tmp_path, arrays), "found the label 0 only, expected at least two classes")


def test_too_few_images_to_keep_some_for_validation(tmp_path):
    check_error(
        write_set(tmp_path, small_set(n_train=5)), f"{TRAIN_IMAGES}.gz: found 5 images, expected at least 6"
    )


# Which source


def test_the_argument_goes_before_the_variable(tmp_path):
    first = write_set(tmp_path / "first", small_set(seed=1))
    second = write_set(tmp_path / "second", small_set(seed=2))
    environ = {"ERBIUM_DATA": str(second)}
    assert load(first, environ=environ).name == "first"
    assert load(environ=environ).name == "second"


@pytest.mark.parametrize("environ", [{}, {"ERBIUM_DATA": ""}])
def test_the_part_of_mnist_stands_in_and_says_so(tmp_path, environ):
    dataset = load(environ=environ, allow_download=False, cache_dir=tmp_path)
    assert dataset.name == "MNIST, 12,000 images"
    assert dataset.source == "the part of MNIST that comes with Erbium"
    assert dataset.notice.startswith("MNIST is not available (downloads are off and the cache ")
    assert "so the 12,000 images of MNIST that come with Erbium stand in" in dataset.notice
    assert dataset.notice.endswith(
        "point --data or ERBIUM_DATA at a folder with the four IDX files to use other data."
    )
    assert (dataset.height, dataset.width, dataset.n_classes) == (28, 28, 10)
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (10_000, 1_000, 1_000)
    assert list(tmp_path.iterdir()) == []


def test_the_part_of_mnist_can_be_asked_for_and_is_that(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset = load(Path("mnist-12000"), environ={}, allow_download=False)
    assert (dataset.notice, dataset.digest) == ("", "a55ab5bf01ec4240")
    # Of the file that everybody has: the first ten labels, and the sum of the first image.
    assert dataset.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert dataset.test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert dataset.train.images[0].astype(int).sum() == 27_525


@pytest.mark.skipif(
    not os.environ.get("ERBIUM_DATA"), reason="all of MNIST is not here; ERBIUM_DATA names its folder"
)
def test_the_part_of_mnist_is_packed_of_all_of_it():
    whole, few = load(), mnist_part.load_part()
    for all_of, some in (
        (whole.train, few.train),
        (whole.validation, few.validation),
        (whole.test, few.test),
    ):
        assert np.array_equal(all_of.images[: len(some)], some.images)
        assert np.array_equal(all_of.labels[: len(some)], some.labels)
    with pytest.raises(DatasetError, match="name a folder that holds MNIST"):
        mnist_part.packed(few)


@pytest.mark.parametrize("content", [None, b"", b"no archive", lzma.compress(b"short")])
def test_a_damaged_part_is_a_sentence(tmp_path, monkeypatch, content):
    monkeypatch.setattr(mnist_part, "FILE", tmp_path / "part.xz")
    if content is not None:
        mnist_part.FILE.write_bytes(content)
    with pytest.raises(
        DatasetError, match=r"part.xz cannot be read .*; install Erbium anew, or point --data"
    ):
        load(Path("mnist-12000"), environ={})


def test_the_digits_can_be_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    digits = load(Path("digits"), environ={}, allow_download=False)
    assert (digits.name, digits.n_pixels, digits.notice) == ("digits", 64, "")
    # A folder of that name is what it says.
    write_set(tmp_path / "digits", small_set())
    assert load(Path("digits"), environ={}, allow_download=False).n_pixels == 15


def test_the_digits_are_split_by_class_and_always_alike(tmp_path):
    dataset = load(environ={}, n_inputs=64)
    assert_same_content(dataset, load(Path("digits"), environ={}))
    assert dataset.digest == "0eaec92303114625"
    # 16 grey levels become 0 to 255, rounded.
    levels = {(level * 255 + 8) // 16 for level in range(17)}
    assert set(np.unique(dataset.train.images).tolist()) == levels
    assert max(levels) == 255
    for split, share in ((dataset.train, 5 / 7), (dataset.validation, 1 / 7), (dataset.test, 1 / 7)):
        counts = np.bincount(split.labels, minlength=10)
        assert np.all(np.abs(counts - share * 179.7) < 5)


def test_a_folder_needs_neither_network_nor_scikit_learn(tmp_path):
    write_set(tmp_path, small_set())
    script = (
        "import sys, pathlib\n"
        "from erbium.sw_model import datasets\n"
        "datasets.load(pathlib.Path(sys.argv[1]))\n"
        "assert not {'sklearn', 'pooch', 'requests', 'amaranth'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)


# The data of this machine


@pytest.mark.skipif(not os.environ.get("ERBIUM_DATA"), reason="ERBIUM_DATA names no data set")
def test_the_named_data_set():
    dataset = load()
    n_file = len(dataset.train) + len(dataset.validation)
    assert dataset.notice == ""
    assert len(dataset.validation) == n_file // 6
    if dataset.name in ("MNIST", "Fashion-MNIST"):  # known by their content, not by the folder's name
        assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (50_000, 10_000, 10_000)
        assert (dataset.height, dataset.width, dataset.n_classes) == (28, 28, 10)
        assert np.bincount(dataset.test.labels).sum() == 10_000


# --- Near misses, and labels that are no classes ---


def relabelled(change):
    arrays = small_set()
    for name in (TRAIN_LABELS, TEST_LABELS):
        arrays[name] = change(arrays[name].astype(np.int64)).astype(np.uint8)
    return arrays


@pytest.mark.parametrize(
    ("change", "texts"),
    [
        (
            lambda labels: labels + 1,
            [
                "found labels from 1 to 4, expected classes that are numbered from 0; subtract 1",
                "write_idx(FILE, read_idx(FILE, 'labels') - 1), both of erbium.sw_model.datasets",
            ],
        ),
        (lambda labels: labels * 0 + 5, ["found the label 5 only, expected at least two classes"]),
        (
            lambda labels: labels * 2,
            ["found labels from 0 to 6 and no image of class 1, 3, 5, expected an image of each class"],
        ),
        (
            np.sort,
            [
                "found images of class 3 only among those that are kept for validation",
                "in which the classes are mixed",
            ],
        ),
    ],
    ids=["from 1", "one class", "gaps", "sorted"],
)
def test_labels_that_number_no_classes_from_0(tmp_path, change, texts):
    arrays = relabelled(change)
    if texts[0].startswith("found images of class 3"):
        arrays[TRAIN_LABELS] = np.repeat(np.arange(4, dtype=np.uint8), [8, 8, 6, 4])
    check_error(write_set(tmp_path / "a", arrays), *texts)


def renamed(folder, name, to):
    (folder / f"{name}.gz").rename(folder / to)
    return folder


def test_near_misses_are_named(tmp_path):
    folder = renamed(write_set(tmp_path / "upper", small_set()), TRAIN_IMAGES, f"{TRAIN_IMAGES}.GZ")
    check_error(folder, f"there is {TRAIN_IMAGES}.GZ: rename it to {TRAIN_IMAGES}.gz")
    folder = renamed(write_set(tmp_path / "copy", small_set()), TEST_LABELS, "t10k-labels_idx1-ubyte (1).gz")
    check_error(folder, f"there is t10k-labels_idx1-ubyte (1).gz: rename it to {TEST_LABELS}.gz")
    folder = write_set(tmp_path / "zip", small_set())
    (folder / f"{TEST_IMAGES}.gz").unlink()
    (folder / f"{TEST_IMAGES}.zip").write_bytes(b"PK\x03\x04")
    check_error(folder, f"there is {TEST_IMAGES}.zip: it is a zip, so unpack it to {TEST_IMAGES}")
    folder = write_set(tmp_path / "inside", small_set())
    (folder / TEST_IMAGES).mkdir()
    (folder / f"{TEST_IMAGES}.gz").rename(folder / TEST_IMAGES / TEST_IMAGES)
    check_error(
        folder, f"{TEST_IMAGES} is a folder and not the file, move {folder / TEST_IMAGES / TEST_IMAGES} out"
    )
    (tmp_path / "torch").mkdir()
    raw = write_set(tmp_path / "torch" / "MNIST" / "raw", small_set())
    check_error(tmp_path / "torch", f"look in {raw}, which holds all four")
    check_error(raw / f"{TRAIN_IMAGES}.gz", "found a file", f"name its folder, {raw}")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "0.png").touch()
    check_error(tmp_path / "pictures", "there are 1 pictures, which write_idx")


def test_colour_images_are_called_so(tmp_path):
    arrays = small_set()
    arrays[TRAIN_IMAGES] = np.repeat(arrays[TRAIN_IMAGES][..., None], 3, -1)
    check_error(
        write_set(tmp_path, arrays),
        "found colour images, or images of several channels (26 x 5 x 3 x 3), expected grey images of 3 dimensions",
        "images.mean(axis=-1)",
    )


def test_small_networks_bring_their_own_data(tmp_path):
    none = {"ERBIUM_DATA": ""}
    assert load(environ=none, n_inputs=64).name == "digits"
    tiny = load(environ=none, n_inputs=16)
    assert (tiny.name, tiny.n_pixels, tiny.n_classes) == ("tiny digits", 16, 4)
    assert load(Path("tiny-digits"), environ=none).digest == tiny.digest
    mine = write_set(tmp_path / "mine", {**small_set(height=4, width=4)})
    assert load(environ={"ERBIUM_DATA": str(mine)}, n_inputs=16).name == "mine"
    assert load(environ={"ERBIUM_DATA": str(mine)}, n_inputs=64).name == "digits"
    assert load(mine, environ=none, n_inputs=64).name == "mine"

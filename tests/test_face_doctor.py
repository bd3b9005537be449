# SPDX-License-Identifier: BSD-2-Clause
"""What `erbium doctor` says."""

import platform
from importlib import metadata

import pytest

from erbium import doctor
from erbium.sw_model.datasets.folder import FILE_NAMES


def row(rows, name):
    (found,) = [r for r in rows if r.name == name]
    return found


def test_everything_installed_is_found():
    rows = doctor.report()
    assert row(rows, "Python").version == platform.python_version()
    for name, distribution in (("NumPy", "numpy"), ("Numba", "numba"), ("Amaranth", "amaranth")):
        assert row(rows, name).found
        assert row(rows, name).version == metadata.version(distribution)
    assert row(rows, "Verilator").found
    assert row(rows, "Yosys").found


def test_what_is_missing_has_a_hint_and_only_that():
    for r in doctor.report():
        assert r.purpose
        assert bool(r.hint) != r.found, r


def test_names_are_unique():
    names = [r.name for r in doctor.report()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("need", "found", "code"),
    [("required", True, 0), ("required", False, 1), ("optional", True, 0), ("optional", False, 0)],
)
def test_exit_code(need, found, code):
    good = doctor.Row("a", "does a", "required", True)
    assert doctor.exit_code([good, doctor.Row("b", "does b", need, found), good]) == code


def test_without_any_program(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    rows = doctor.report()
    assert {r.name for r in rows if r.need == "required" and not r.found} == {
        "C++ compiler",
        "GNU make",
        "Perl",
    }
    assert not row(rows, "Icarus Verilog").found
    assert doctor.exit_code(rows) == 1


def test_a_package_that_is_not_installed(monkeypatch):
    def missing(distribution):
        raise metadata.PackageNotFoundError(distribution)

    monkeypatch.setattr(metadata, "version", missing)
    rows = doctor.report()
    assert row(rows, "Numba").hint == 'pip install "numba>=0.60"'
    assert row(rows, "cocotb").hint == 'pip install "cocotb<2.2,>=2.1"'


def test_no_data_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("ERBIUM_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    images = row(doctor.report(), "Images")
    assert (images.found, images.need) == (False, "optional")
    assert "downloaded on first use" in images.hint


def test_the_data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("ERBIUM_DATA", str(tmp_path))
    for file in FILE_NAMES[:3]:
        (tmp_path / f"{file}.gz").touch()
    images = row(doctor.report(), "Images")
    assert (images.found, images.need) == (False, "required")
    assert FILE_NAMES[3] in images.hint
    (tmp_path / FILE_NAMES[3]).touch()
    assert row(doctor.report(), "Images").found

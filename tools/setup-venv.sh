#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# usage: tools/setup-venv.sh PYTHON VENV
#
# Creates the virtual environment VENV with the interpreter PYTHON and installs this project into it, editable and
# with everything that the tests, bitstreams and documentation need. uv does that in seconds; pip takes over where uv cannot be had.
set -eu

python=$1
venv=$2
OLDEST=3.11   # requires-python in pyproject.toml

is_new_enough() {
    "$1" -c "import sys; sys.exit(sys.version_info < tuple(map(int, '$OLDEST'.split('.'))))" 2>/dev/null
}

if ! is_new_enough "$venv/bin/python"; then
    if ! command -v "$python" >/dev/null 2>&1; then
        echo "Erbium needs Python $OLDEST or newer, and '$python' was not found; point at another one with" \
             "'make PYTHON=python3.12 ...'." >&2
        exit 1
    fi
    if ! is_new_enough "$python"; then
        version=$("$python" -c 'import platform; print(platform.python_version())' 2>/dev/null || echo "unknown")
        echo "Erbium needs Python $OLDEST or newer, and '$python' is version $version; point at another one with" \
             "'make PYTHON=python3.12 ...'." >&2
        exit 1
    fi
    echo "Creating $venv."
    if ! "$python" -m venv --clear "$venv" >/dev/null 2>&1; then
        # Debian ships venv without its pip; uv needs neither.
        command -v uv >/dev/null 2>&1 && uv venv -q --clear -p "$python" "$venv" || {
            echo "'$python -m venv' failed; on Debian and Ubuntu it comes with" \
                 "'sudo apt-get install python3-venv'." >&2
            exit 1
        }
    fi
fi

has_pip() { "$venv/bin/python" -m pip --version >/dev/null 2>&1; }

if [ -x "$venv/bin/uv" ]; then
    uv="$venv/bin/uv"
elif command -v uv >/dev/null 2>&1; then
    uv=uv
elif has_pip && "$venv/bin/python" -m pip install -q --disable-pip-version-check uv; then
    uv="$venv/bin/uv"
else
    uv=
fi

echo "Installing Erbium and what it needs into $venv."
# WebAssembly is compiled at its first call; two first calls at once get in each other's way.
prepare() {
    echo "Preparing the FPGA tools: once, about a minute."
    for tool in yosys nextpnr-ecp5 nextpnr-ice40 nextpnr-himbaechel-gowin ecppack icepack; do
        "$venv/bin/yowasp-$tool" --version >/dev/null 2>&1 || true
    done
}

# Of what every command loads the bytecode is made now, as pip does it: without it the first command, and where nobody
# may write into $venv each one, waits another second or two.
with_uv() {
    "$uv" pip install -q -p "$venv/bin/python" --compile-bytecode -e . &&
        "$uv" pip install -q -p "$venv/bin/python" -e '.[test,fpga,docs,sweep,page]'
}

if [ -n "$uv" ] && with_uv; then
    prepare
    exit 0
fi
echo "uv could not do it; trying pip."
has_pip || "$venv/bin/python" -m ensurepip >/dev/null
"$venv/bin/python" -m pip install -q --disable-pip-version-check -e '.[test,fpga,docs,sweep,page]'
prepare

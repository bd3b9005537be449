#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Makes sure that Icarus Verilog is there, for the benches that run under it.
#
# Installs it from the system's package manager when that needs no password. Otherwise says why not and which
# command to type, and succeeds: the tests that need Icarus are skipped then. Under CI=true a missing simulator
# is a failure, because a test that silently does not run is worse than a red one.
# ERBIUM_NO_SYSTEM_PACKAGES=1 keeps this script's hands off the system.
set -eu

OLDEST=11   # the same number as ICARUS_OLDEST in verif/simulators.py

found_version() {
    iverilog -V 2>/dev/null | sed -n '1s/^Icarus Verilog version \([0-9][0-9]*\).*/\1/p'
}

is_good() {
    command -v iverilog >/dev/null 2>&1 && version=$(found_version) && [ "${version:-0}" -ge "$OLDEST" ]
}

give_up() {  # reason, command to type
    echo "Icarus Verilog is not installed: $1. To run its tests: $2" >&2
    case "${CI:-}" in
        true|1) echo "CI=true: a missing simulator is a failure." >&2; exit 1 ;;
        *) exit 0 ;;
    esac
}

is_good && exit 0

if command -v apt-get >/dev/null 2>&1; then
    manager=apt-get; install="apt-get install -y --no-install-recommends iverilog"; needs_root=yes
elif command -v dnf >/dev/null 2>&1; then
    manager=dnf; install="dnf install -y iverilog"; needs_root=yes
elif command -v pacman >/dev/null 2>&1; then
    manager=pacman; install="pacman -S --noconfirm iverilog"; needs_root=yes
elif command -v brew >/dev/null 2>&1; then
    manager=brew; install="brew install icarus-verilog"; needs_root=no
else
    give_up "no package manager that this script knows was found" \
            "install version $OLDEST or newer from https://github.com/steveicarus/iverilog"
fi

if [ "$needs_root" = no ] || [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    give_up "installing it needs root" "sudo $install"
fi

if [ "${ERBIUM_NO_SYSTEM_PACKAGES:-}" = 1 ]; then
    give_up "ERBIUM_NO_SYSTEM_PACKAGES=1 is set" "${as_root:+sudo }$install"
fi

echo "Installing Icarus Verilog with $manager."
if [ "$manager" = apt-get ]; then
    export DEBIAN_FRONTEND=noninteractive
    # A fresh image has no package lists, so fetch them when the first attempt finds nothing.
    $as_root $install >/dev/null 2>&1 || { $as_root apt-get update -q && $as_root $install; } || true
else
    $as_root $install || true
fi

is_good || give_up "$manager did not provide version $OLDEST or newer" "${as_root:+sudo }$install"

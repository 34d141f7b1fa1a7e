#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Makes the manual pages from doc/man/*.N.scd.
#   docs.sh FOLDER      into FOLDER
#   docs.sh --install   under the installation's prefix (meson install calls this)
set -euo pipefail
shopt -s nullglob

top=$(cd "$(dirname "$0")/.." && pwd)
pages=("$top"/doc/man/*.[1-8].scd)
of_the_tree='hostftl-sim.1' # of programs that are not installed

# Prints where the page goes: FOLDER/NAME.N, or PREFIX/share/man/manN/NAME.N.
place_of() {
    local name=$1
    if [ "$2" = --install ]; then
        echo "$MESON_INSTALL_DESTDIR_PREFIX/share/man/man${name##*.}/$name"
    else
        echo "$2/$name"
    fi
}

[ $# -eq 1 ] || { echo "usage: docs.sh FOLDER | --install" >&2; exit 2; }
for page in "${pages[@]}"; do
    name=$(basename "$page" .scd)
    [ "$1" != --install ] || [[ " $of_the_tree " != *" $name "* ]] || continue
    place=$(place_of "$name" "$1")
    mkdir -p "$(dirname "$place")"
    scdoc <"$page" >"$place.new" || { rm -f "$place.new"; echo "docs: $page" >&2; exit 1; }
    mv "$place.new" "$place"
done
[ "$1" = --install ] || echo "docs: ${#pages[@]} manual pages in $1"

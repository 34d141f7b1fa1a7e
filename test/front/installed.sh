#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The installed tree is enough: the examples are built against it through pkg-config, in C and the
# loop as C++ sees the header, and run on a drive that the installed tool made.
set -euo pipefail
[ "$HFTL_SANITIZE" = none ] || { echo "a library with sanitizers is for tests"; exit 77; }
command -v meson >/dev/null || { echo "meson is not installed"; exit 77; }
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
fail() { echo "installed: $*"; exit 1; }

meson install -C "$HFTL_BUILD" --no-rebuild --quiet --destdir "$tree" >"$tree/log" 2>&1 ||
    { cat "$tree/log"; fail "meson install"; }
pc=$(find "$tree" -name hostftl.pc)
[ -n "$pc" ] || fail "no hostftl.pc"
export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$tree
read -ra flags <<<"$(pkg-config --cflags --libs hostftl)"
LD_LIBRARY_PATH=$(dirname "$(find "$tree" -name libhostftl.so)")
export LD_LIBRARY_PATH
tool=$(find "$tree" -type f -name hostftl -path '*bin/*')
for name in bash-completion/completions/hostftl man/man1/hostftl.1 man/man3/hostftl.3; do
    find "$tree" -path "*/$name*" | grep -q . || fail "no $name in the tree"
done
[ "$(find "$tree" -name 'libhostftl.so.*' -type l | wc -l)" -ge 1 ] || fail "no soname link"
readelf -d "$LD_LIBRARY_PATH/libhostftl.so" | grep -q 'SONAME.*libhostftl\.so\.0' ||
    fail "the soname is not libhostftl.so.0"

"$tool" emu create -q --kind zoned --size 64M "$tree/d.img"
"$tool" format -q "$tree/d.img"
for example in sync epoll; do
    cc -std=gnu11 -Wall -Wextra -Wpedantic -Werror "$HFTL_SOURCE/examples/$example.c" \
        "${flags[@]}" -o "$tree/$example"
    timeout 60 "$tree/$example" "$tree/d.img" >"$tree/said" 2>&1 ||
        { cat "$tree/said"; fail "examples/$example.c does not work"; }
    cat "$tree/said"
done
grep -q ', 0 words wrong' "$tree/said" || fail "epoll said something else"
printf '#include <hostftl/hostftl.h>\nint main() { return hftl_status_errno(HFTL_OK); }\n' \
    >"$tree/plus.cc"
if command -v g++ >/dev/null; then
    g++ -std=c++11 -Wall -Wextra -Wpedantic -Werror "$tree/plus.cc" "${flags[@]}" -o "$tree/plus"
    "$tree/plus" || fail "the library does not work from C++"
fi
# What it exports has a version, and nothing else is visible.
nm -D --defined-only --with-symbol-versions "$LD_LIBRARY_PATH/libhostftl.so" |
    awk '$2 == "T" && $3 !~ /@@HOSTFTL_0$/ { print; bad = 1 } END { exit bad }' ||
    fail "a symbol without a version"

#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A function that does nothing but look ahead is called for all that, at each level of optimization
# and in all of the program's units at once: gcc drops calls that have no effect it knows of.
set -euo pipefail
cd "$HFTL_SOURCE"

case $(uname -m) in
x86_64) instruction='\<prefetch' ;;
aarch64) instruction='\<prfm' ;;
*)
    echo "it is not known what a fetch looks like on $(uname -m)"
    exit 77
    ;;
esac
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/ahead.c" <<'END'
#include "base/fetch.h"

static __attribute__((noinline)) void look_ahead(const char *line)
{
    fetch_to_read(line);
    fetch_to_write(line + 64);
}

int main(int argc, char **argv)
{
    look_ahead(argv[0]);
    return argc - 1;
}
END
for flags in -O0 -O2 -O3 '-O3 -flto'; do
    # shellcheck disable=SC2086
    cc -std=c11 $flags -Isrc -o "$folder/ahead" "$folder/ahead.c"
    found=$(objdump -d "$folder/ahead" | grep -c "$instruction" || true)
    if [ "$found" != 2 ]; then
        echo "cc $flags: $found fetches of 2 are left"
        exit 1
    fi
done
if grep -rln '__builtin_prefetch' src bench sim | grep -v '^src/base/fetch.h$'; then
    echo "these fetch by themselves: base/fetch.h says why that is as good as nothing"
    exit 1
fi

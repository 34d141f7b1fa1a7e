#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Each header can be included first and alone; the public ones in C++ too, without a warning.
set -euo pipefail
cd "$HFTL_SOURCE"

warnings=(-Wall -Wextra -Wpedantic -Werror)
failed=0

alone() { # HEADER COMPILER...
    local header=$1
    shift
    "$@" "${warnings[@]}" -fsyntax-only -Iinclude -Isrc -I. - <<END || failed=1
#include "$header"
extern int so_that_there_is_something;
END
}

for header in include/hostftl/*.h; do
    alone "${header#include/}" cc -std=c11 -x c
    command -v g++ >/dev/null && alone "${header#include/}" g++ -std=c++11 -x c++
done
while read -r header; do
    alone "${header#src/}" cc -std=gnu11 -x c
done < <(git ls-files 'src/*.h' 'sim/*.h' 2>/dev/null || find src sim -name '*.h')

command -v g++ >/dev/null || echo "without C++: g++ is not installed"
exit "$failed"

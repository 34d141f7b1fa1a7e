#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# In a small tree of its own, plants one fault a rule and expects tidy to name file, line and rule;
# then takes it away and expects silence.
set -euo pipefail

for program in git clang-format; do
    command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cd "$tree"
git init -q .
mkdir -p tools src/base src/core src/format src/media include/hostftl build
cp "$HFTL_SOURCE/tools/tidy.py" tools/
cp "$HFTL_SOURCE/.clang-format" .
printf '/build/\n__pycache__/\n' >.gitignore
head='/* SPDX-License-Identifier: BSD-3-Clause */'

library() { echo "$1" | cc -shared -fPIC -nostdlib -x c -o build/libhostftl.so -; }

tidy() { tools/tidy.py --build build; }

# fault RULE FILE LINE: FILE, which stands there now, must be found; then it is removed.
fault() {
    local said
    if said=$(tidy); then
        echo "not seen: $1 in $2"
        exit 1
    fi
    if ! grep -q "^$2:$3: $1: " <<<"$said" || [ "$(wc -l <<<"$said")" -ne 2 ]; then
        printf 'expected %s:%s: %s and nothing else; tidy said:\n%s\n' "$2" "$3" "$1" "$said"
        exit 1
    fi
    rm -f "$2"
    echo "seen: $1 in $2"
}

put() { cat >"$1"; }

library 'int hftl_open;'
[ "$(tidy)" = "tidy: 0 findings" ] || { tidy; exit 1; }

printf '%s\n#include "core/map.h"\n' "$head" | put src/base/a.h
fault rooms src/base/a.h 2
printf '%s\n#include "media/emu.h"\n' "$head" | put src/core/a.h
fault rooms src/core/a.h 2
printf '%s\n#include <hostftl/hostftl.h>\n' "$head" | put src/media/a.h
fault rooms src/media/a.h 2
printf '%s\n#include <unistd.h>\n' "$head" | put src/core/a.c
fault rooms src/core/a.c 2
printf '%s\n#include <time.h>\n' "$head" | put src/format/a.c
fault rooms src/format/a.c 2
printf '%s\n#include "a.h"\n' "$head" | put src/core/a.c
fault rooms src/core/a.c 2

library 'int leaked;'
fault symbols src/libhostftl.map 0
library 'int hftl_open;'

{
    printf '%s\nint f(int x)\n{\n' "$head"
    seq -f '    x += %g;' 58
    printf '    return x;\n}\n'
} | put src/core/a.c
fault function-size src/core/a.c 3
{ echo "$head"; seq -f 'extern int a%g;' 800; } | put src/core/a.h
fault file-size src/core/a.h 801
put src/core/a.c <<END
$head
int f(int x)
{
    if (x)
        for (;;) {
            while (x)
                if (x > 1)
                    return x;
        }
    return 0;
}
END
fault nesting src/core/a.c 7
printf '%s\n/* %s */\n' "$head" "$(printf 'a%.0s' {1..95})" | put src/core/a.c
fault columns src/core/a.c 2
printf '%s\nint *p, q [2];\n' "$head" | put src/core/a.c
fault format src/core/a.c 2
echo 'extern int a;' | put src/core/a.h
fault licence src/core/a.h 1
printf '%s\nvoid *f(void)\n{\n    return malloc(1);\n}\n' "$head" | put src/core/a.c
fault allocation src/core/a.c 4
printf '%s\n/* TO%s: later */\n' "$head" DO | put src/core/a.c
fault words src/core/a.c 2
printf '%s\n# see /wo%s/tree\n' "# ${head:3:-3}" rk | put tools/a.sh
fault words tools/a.sh 2

# What looks like a fault and is none.
put src/core/a.c <<END
$head
#include "core/a.h"

/* malloc(1) in words, "free(1)" in a string, a member of that name. */
int f(struct world *w)
{
    w->free(w, "malloc(1)");
    return 0;
}
END
[ "$(tidy)" = "tidy: 0 findings" ] || { tidy; exit 1; }

# An exception excuses its file from its rule, and must be needed.
printf '%s\nint *p, q [2];\n' "$head" | put src/core/a.c
printf '# %s\nformat src/core/a.c a table in columns\n' "${head:3:-3}" |
    put tools/tidy-exceptions.txt
[ "$(tidy)" = "tidy: 0 findings" ] || { tidy; exit 1; }
rm src/core/a.c
fault exceptions tools/tidy-exceptions.txt 2
echo "every rule sees its fault"

#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The manuals of the library, of the plugin and of the management socket say what the headers and
# the plugin say.
set -eu
library=$HFTL_SOURCE/doc/man/hostftl.3.scd
plugin=$HFTL_SOURCE/doc/man/nbdkit-hostftl-plugin.1.scd
rpc=$HFTL_SOURCE/doc/man/hostftl-rpc.7.scd
include=$HFTL_SOURCE/include/hostftl
failed=0
found=0
methods=0

complain()
{
    echo "manual: $*"
    failed=1
}

# Each line of HFTL_STATUS_LIST: name, errno, text, in the list's order.
listed=$(sed -n 's/^ *X(\([A-Z_]*\), \([A-Z0-9]*\), "\(.*\)").*/\1|\2|\3/p' "$include/types.h")
told=$(awk '/^\*HFTL_[A-Z_]*\* \(/ {
                name = $1; gsub(/\*|HFTL_/, "", name); error = $2; gsub(/[()]/, "", error)
                getline text; sub(/^\t/, "", text); print name "|" error "|" text }' "$library")
if [ "$listed" != "$told" ]; then
    complain "ERRORS of hostftl(3) and HFTL_STATUS_LIST differ: the list has"
    echo "$listed"
fi
[ "$(echo "$listed" | wc -l)" -gt 20 ] || complain "the list was not understood"

for function in $(cat "$include/hostftl.h" "$include/observe.h" | grep -o 'hftl_[a-z_]*(' |
    tr -d '(' | sort -u); do
    cat "$include/hostftl.h" "$include/observe.h" |
        grep -q "HFTL_PUBLIC.*[ *]$function(" || continue
    found=$((found + 1))
    grep -q "\*$function\*()" "$library" || complain "hostftl(3) does not name $function"
done
[ $found -gt 15 ] || complain "only $found functions found"

for key in $(sed -n 's/.*strcmp(key, "\([a-z-]*\)").*/\1/p' \
    "$HFTL_SOURCE/src/front/nbdkit_plugin.c"); do
    grep -q "\*$key=" "$plugin" || complain "nbdkit-hostftl-plugin(1) does not name $key="
done

# Each point of HFTL_TRACE_LIST: name, at, argument, meaning, in the list's order.
points=$(tr -d '\\\n' <"$include/observe.h" |
    grep -oE 'X\([A-Z_]+, +[a-z_]+, +"[^"]*", +"[^"]*", +"[^"]*"\)' |
    sed -E 's/X\([A-Z_]+, +([a-z_]+), +"([^"]*)", +"([^"]*)", +"([^"]*)"\)/\1|\2|\3|\4/')
told=$(awk '/^\|  \*[a-z_]*\*$/ {
                row = $2; gsub(/\*/, "", row)
                for (i = 0; i < 3; i++) { getline; sub(/^:  /, ""); row = row "|" $0 }
                print row }' "$rpc")
if [ "$points" != "$told" ]; then
    complain "TRACE POINTS of hostftl-rpc(7) and HFTL_TRACE_LIST differ: the list has"
    echo "$points"
fi
[ "$(echo "$points" | wc -l)" -gt 21 ] || complain "the list of points was not understood"

# Each method of the table has a paragraph that begins with it.
for method in $(sed -nE 's/^ *\{"([a-z.]+)", "[a-z ]*", [a-z_]+, (true|false)\},$/\1/p' \
    "$HFTL_SOURCE/src/front/rpc_methods.c"); do
    methods=$((methods + 1))
    grep -qE "^\*$method\*|^\*[a-z.]+\*, \*$method\*" "$rpc" ||
        complain "hostftl-rpc(7) does not name $method"
done
[ $methods -gt 10 ] || complain "only $methods methods found"

for page in "$library" "$plugin" "$rpc"; do
    scdoc <"$page" >/dev/null || complain "$page is not scdoc"
done
exit $failed

#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The manual of the library and of the plugin say what the headers and the plugin say.
set -eu
library=$HFTL_SOURCE/doc/man/hostftl.3.scd
plugin=$HFTL_SOURCE/doc/man/nbdkit-hostftl-plugin.1.scd
include=$HFTL_SOURCE/include/hostftl
failed=0
found=0

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

for function in $(grep -ho 'hftl_[a-z_]*(' "$include/hostftl.h" | tr -d '(' | sort -u); do
    grep -q "HFTL_PUBLIC.*[ *]$function(" "$include/hostftl.h" || continue
    found=$((found + 1))
    grep -q "\*$function\*()" "$library" || complain "hostftl(3) does not name $function"
done
[ $found -gt 15 ] || complain "only $found functions found"

for key in $(sed -n 's/.*strcmp(key, "\([a-z-]*\)").*/\1/p' \
    "$HFTL_SOURCE/src/front/nbdkit_plugin.c"); do
    grep -q "\*$key=" "$plugin" || complain "nbdkit-hostftl-plugin(1) does not name $key="
done

for page in "$library" "$plugin"; do
    scdoc <"$page" >/dev/null || complain "$page is not scdoc"
done
exit $failed

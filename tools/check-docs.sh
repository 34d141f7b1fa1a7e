#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Compares what each verb's parser knows, what its --help says and what its manual page says: the
# same options with the same arguments, the same verbs, the exit codes. Prints each difference.
#   check-docs.sh [BUILD]     HOSTFTL: the program (BUILD/hostftl)   HFTL_MAN: the pages (doc/man)
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
hostftl=${HOSTFTL:-${1:-$top/build}/hostftl}
man=${HFTL_MAN:-$top/doc/man}
found=0

differ() {
    echo "check-docs: $*"
    found=1
}

# Both lists sorted, a line each: prints what only one of them has.
compare() {
    local what=$1 name_a=$2 name_b=$3 a=$4 b=$5 line
    while read -r line; do
        [ -z "$line" ] || differ "$what: $line: in $name_a, not in $name_b"
    done < <(comm -23 <(sort -u <<<"$a") <(sort -u <<<"$b"))
    while read -r line; do
        [ -z "$line" ] || differ "$what: $line: in $name_b, not in $name_a"
    done < <(comm -13 <(sort -u <<<"$a") <(sort -u <<<"$b"))
}

# "-o --output=FORMAT" or "--force", a line each.
options_of_parser() { "$hostftl" help --options "$@"; }

options_of_help() {
    "$hostftl" "$@" --help |
        sed -nE 's/^ +((-.), )?(--[a-z-]+(=[A-Z]+)?)( .*)?$/\2 \3/p' | sed 's/^ //'
}

# The part of a page under a heading; the whole page when there is no heading of that name.
section() {
    awk -v want="# $2" '$0 == want { on = 1; next } /^# / { on = 0 } on' "$1"
}

# Options that are defined: at the start of a line, alone or several after one another.
options_in() {
    grep -E '^\*-' | grep -oE '\*(-., )?--[a-z-]+\*(=_[A-Z]+_)?' |
        sed -E 's/[*_]//g; s/^(-.), /\1 /'
}

common=$'-o --output=FORMAT\n-v --verbose\n-q --quiet\n-? --help'

check_verb() {
    local words=$1 page part parser text
    read -ra verb <<<"$words"
    page=$man/hostftl-${verb[0]}.1.scd
    part=OPTIONS
    [ ${#verb[@]} -eq 1 ] || part=${words^^}
    if [ ! -f "$page" ]; then
        differ "$words: there is no page $page"
        return
    fi
    parser=$(options_of_parser "${verb[@]}")
    compare "$words" parser --help "$parser" "$(options_of_help "${verb[@]}")"
    text=$(section "$page" "$part" | options_in || true)
    # A page for several verbs says the common options once, before them.
    if [ "$part" != OPTIONS ] && section "$page" DESCRIPTION | tr '\n' ' ' |
        grep -qF -- '*-o, --output*=_FORMAT_, *-v, --verbose*, *-q, --quiet* and *-?, --help*'
    then
        text+=$'\n'$common
    fi
    compare "$words" parser "$(basename "$page")" "$parser" "$text"
    for code in 0 1 16; do
        section "$page" "EXIT CODES" | grep -qE "\*$code\*" ||
            differ "$words: exit code $code: not in $(basename "$page")"
    done
}

verbs_of_help() {
    "$hostftl" --help | sed -nE 's/^  ([a-z][a-z -]*[a-z])  +[A-Z].*/\1/p' | grep -v '^help'
}

verbs=$(verbs_of_help)
[ -n "$verbs" ] || differ "$hostftl --help lists no verbs"
compare verbs --help hostftl.1.scd "$verbs" \
    "$(section "$man/hostftl.1.scd" VERBS | sed -nE 's/^\*([a-z][a-z -]*)\*$/\1/p')"
compare "common options" parser hostftl.1.scd "$common" \
    "$(section "$man/hostftl.1.scd" "COMMON OPTIONS" | options_in)"
while read -r words; do
    check_verb "$words"
done <<<"$verbs"

[ "$found" -eq 0 ] && echo "check-docs: $(wc -l <<<"$verbs") verbs: parser, --help and manual agree"
exit "$found"

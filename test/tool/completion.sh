#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What bash offers after "hostftl ...": the verbs, their options and the values that are known.
set -euo pipefail
[ -x "$HOSTFTL" ] || { echo "the tool is not built"; exit 77; }
# shellcheck source=/dev/null
. "$HFTL_SOURCE/tools/completion/hostftl"
failed=0

# offers "WORDS..." EXPECTED...: the last of the words is what is being typed.
offers() {
    local line=$1 word
    shift
    read -ra COMP_WORDS <<<"$line"
    COMP_WORDS[0]=$HOSTFTL
    [[ $line != *' ' ]] || COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    _hostftl
    for word in "$@"; do
        printf '%s\n' "${COMPREPLY[@]}" | grep -qxF -- "$word" || {
            echo "completion: after \"$line\" there is no $word but: ${COMPREPLY[*]}"
            failed=1
        }
    done
}

offers "hostftl " emu format info serve help
offers "hostftl fo" format
offers "hostftl emu " create info zones serve-raw
offers "hostftl help emu " create
offers "hostftl emu create --ki" --kind=
offers "hostftl emu create --kind = z" zoned
offers "hostftl emu create --kind " ocssd zoned
offers "hostftl info -o j" json
offers "hostftl format --f" --force
offers "hostftl --v" --version
cd "$HFTL_SOURCE"
offers "hostftl info READ" README.md
# Every verb, and every option of each.
while read -r verb; do
    read -ra words <<<"$verb"
    while read -r option; do
        offers "hostftl $verb $option" "$option"
    done < <("$HOSTFTL" help --options "${words[@]}" | sed -E 's/^-. //; s/=.*/=/' | grep '^--')
done < <("$HOSTFTL" --help | sed -nE 's/^  ([a-z][a-z -]*[a-z])  +[A-Z].*/\1/p' | grep -v '^help')
exit "$failed"

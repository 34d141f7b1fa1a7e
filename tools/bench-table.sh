#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs workloads: bench-table.sh FOLDER. A table is printed, and FOLDER/bench.csv has the same with
# the machine that it is of.
#
# On mem the figures are the engine's own: the medium costs a copy. On delay, a drive that is as
# slow as one but does not compute, latencies and throughput are what such a drive would leave.
set -euo pipefail
shopt -s nullglob

[ $# -eq 1 ] || { echo "usage: bench-table.sh FOLDER" >&2; exit 2; }
hostftl=$1/hostftl
csv=$1/bench.csv
[ -x "$hostftl" ] || { echo "bench: $hostftl is not built" >&2; exit 1; }

mem=mem:1G,kind=zoned,chunk-blocks=64
ocssd=mem:1G,kind=ocssd,groups=1,pus=2,chunk-blocks=128
slow=delay:mem:128M,kind=ocssd
# medium, then further options
suite=(
    "$mem --workload fresh-write"
    "$mem --workload fresh-random-write"
    "$mem --workload random-write"
    "$mem --workload random-write --distribution zipf"
    "$mem --workload random-write --distribution 90:10"
    "$mem --workload random-read"
    "$mem --workload mixed"
    "$mem --workload trim-mix"
    "$mem --workload fsync --qd 8"
    "$mem --workload sequential-write --block-size 128K"
    "$mem --workload sequential-read --block-size 128K"
    "$ocssd --workload random-write"
    "$slow --workload fresh-write"
    "$slow --workload fresh-write --qd 1"
    "$slow --workload random-read"
)

# shellcheck disable=SC2016 # jq's variables
row='[.medium, .workload, .distribution, .request_bytes / 1024, .depth,
    (.metrics | (.operations_per_second | .median, .lowest, .highest | floor),
    (.cpu_ns_per_operation.median | floor),
    (.cpu_per_floor.median | if . == null then "" else . * 100 | round / 100 end),
    ([.write_p50_ns, .read_p50_ns, .write_p99_ns, .read_p99_ns, .write_p999_ns, .read_p999_ns,
      .write_max_ns, .read_max_ns] | map(if .median == null then "" else .median / 1000 | floor end)
      | .[]),
    ([.waf.median, .medium_writes_per_operation.median, .medium_reads_per_operation.median]
      | map(if . == null then "" else . * 1000 | round / 1000 end) | .[])),
    .memory_bytes, .machine.processor, .machine.processors, .machine.kernel] | @csv'
head=medium,workload,distribution,kib,qd,ops_median,ops_lowest,ops_highest,cpu_ns,floors
head+=,write_p50_us,read_p50_us,write_p99_us,read_p99_us,write_p999_us,read_p999_us
head+=,write_max_us,read_max_us,waf,writes_per_op,reads_per_op
echo "$head,engine_bytes,processor,processors,kernel" >"$csv"
for one in "${suite[@]}"; do
    read -ra words <<<"$one"
    echo "hostftl bench --medium ${words[*]}" >&2
    timeout 600 "$hostftl" bench --seconds 2 --runs 3 -o json --medium "${words[@]}" |
        jq -rs ".[-1].data | $row" >>"$csv"
done
tail -n 1 "$csv" | awk -F, '{ print "On " $(NF - 2) ", " $(NF - 1) " processors, Linux " $NF }'
sed 's/mem:\([0-9]*[MG]\),kind=\([a-z]*\)[^"]*/mem \1 \2/; s/"//g' "$csv" |
    cut -d, -f1-21 | column -s, -t
echo "The same in $csv"

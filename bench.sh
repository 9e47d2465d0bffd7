#!/usr/bin/env bash
# Runs all benchmarks and prints their figures as tables. With -write it puts them
# into docs/benchmarks.md and draws the curves in docs/benchmarks. COUNT (7) is how often each runs, BENCHTIME (300ms) how
# long.
set -euo pipefail
cd "$(dirname "$0")/bench"
export GOWORK=off # see bench/doc.go

target=()
case "${1:-}" in
"") ;;
-write) target=(-write ../docs/benchmarks.md -plots ../docs/benchmarks) ;;
*) echo "usage: bench.sh [-write]" >&2; exit 2 ;;
esac

program=$(mktemp)
trap 'rm -f "$program"' EXIT
go test -c -o "$program" .
bench() { "$program" -test.run '^$' -test.benchtime "${BENCHTIME:-300ms}" "$@"; }
# The benchmarks run by turns, so that a slow minute does not affect only one.
for _ in $(seq "${COUNT:-7}"); do
	bench -test.cpu 1 -test.bench '^Benchmark(Request|JSON)$'
	bench -test.cpu 1,2 -test.bench '^BenchmarkParallel$'
	bench -test.cpu 1 -test.bench '^BenchmarkKeys$'
	bench -test.cpu 1 -test.bench '^BenchmarkGrowth$'
	bench -test.cpu 1 -test.bench '^BenchmarkInbound$' -test.benchtime 2x
	bench -test.bench '^BenchmarkServer$' -test.benchtime 1x
done | go run ./cmd/table "${target[@]}"

#!/usr/bin/env bash
# Runs all benchmarks and prints their figures as tables, or with -write puts
# them into docs/benchmarks.md: COUNT times (7) all of them, each for BENCHTIME
# (300ms).
set -euo pipefail
cd "$(dirname "$0")/bench"
export GOWORK=off # see bench/doc.go

target=()
case "${1:-}" in
"") ;;
-write) target=(-write ../docs/benchmarks.md) ;;
*) echo "usage: bench.sh [-write]" >&2; exit 2 ;;
esac

program=$(mktemp)
trap 'rm -f "$program"' EXIT
go test -c -o "$program" .
bench() { "$program" -test.run '^$' -test.benchtime "${BENCHTIME:-300ms}" "$@"; }
# What slows the machine down for a while should not meet one benchmark alone.
for _ in $(seq "${COUNT:-7}"); do
	bench -test.cpu 1 -test.bench '^Benchmark(Request|JSON)$'
	bench -test.cpu 1,2 -test.bench '^BenchmarkParallel$'
	bench -test.cpu 1 -test.bench '^BenchmarkKeys$'
	bench -test.cpu 1 -test.bench '^BenchmarkInbound$' -test.benchtime 2x
done | go run ./cmd/table "${target[@]}"

#!/usr/bin/env bash
# buildtime.sh [PACKAGE...] prints how long "go build" takes from an empty build
# cache, for each program. It downloads modules beforehand.
set -euo pipefail
cd "$(dirname "$0")"

(($#)) || set -- ./cmd/anymail ./examples/quickstart ./cmd/anymail-gateway
cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT
TIMEFORMAT='%R %U %S'
printf '%-22s %8s %12s\n' program seconds "CPU seconds"
for package in "$@"; do
	go list -deps "$package" >/dev/null # downloads modules
	rm -rf "${cache:?}"/*
	times=$({ time GOCACHE=$cache go build -o /dev/null "$package" >&3 2>&3; } 3>&2 2>&1)
	awk -v package="$package" '{ printf "%-22s %8.1f %12.1f\n", package, $1, $2 + $3 }' <<<"$times"
done

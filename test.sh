#!/usr/bin/env bash
# Runs the tests of all modules. Arguments go to "go test", for example -race.
set -euo pipefail
cd "$(dirname "$0")"

failed=()
for dir in $(go list -m -f '{{.Dir}}'); do
	echo "== ${dir#"$PWD"}/"
	(cd "$dir" && go test "$@" ./...) || failed+=("${dir#"$PWD"}/")
done
echo "== /bench/"
(cd bench && GOWORK=off go test "$@" ./...) || failed+=("/bench/")
if ((${#failed[@]})); then
	echo "failed: ${failed[*]}"
	exit 1
fi
echo "all modules passed"

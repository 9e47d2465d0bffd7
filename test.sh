#!/usr/bin/env bash
# Runs the tests of all modules. Arguments go to "go test", for example -race.
set -euo pipefail
cd "$(dirname "$0")"

failed=()
# One command for the whole workspace: a package that waits for a browser or a
# server does not keep the next module's waiting.
go test "$@" $(go list -m -f '{{.Dir}}/...') || failed+=(workspace)
for dir in bench deploy; do
	(cd $dir && GOWORK=off go test "$@" ./...) || failed+=("$dir")
done
if ((${#failed[@]})); then
	echo "failed: ${failed[*]}"
	exit 1
fi
echo "all modules passed"

#!/usr/bin/env bash
# Runs the tests of all modules. Arguments go to "go test", for example -race.
set -euo pipefail
cd "$(dirname "$0")"

failed=()
for dir in $(go list -m -f '{{.Dir}}'); do
	echo "== ${dir#"$PWD"}/"
	(cd "$dir" && go test "$@" ./...) || failed+=("${dir#"$PWD"}/")
done
for dir in bench deploy; do
	echo "== /$dir/"
	(cd $dir && GOWORK=off go test "$@" ./...) || failed+=("/$dir/")
done
if ((${#failed[@]})); then
	echo "failed: ${failed[*]}"
	exit 1
fi
echo "all modules passed"

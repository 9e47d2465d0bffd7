#!/usr/bin/env bash
# release.sh VERSION has the modules of this repository require each other at
# VERSION, commits that, and tags every module. Push what it prints.
set -euo pipefail
cd "$(dirname "$0")"

version=${1:?usage: ./release.sh v1.2.3}
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || { echo "$version is not a version such as v1.2.3"; exit 2; }
[ -z "$(git status --porcelain)" ] || { echo "there are changes that are not committed"; exit 1; }

root=$(sed -n 's/^module //p' go.mod)
tags=("$version")
sed -i "\|^replace $root|d" go.work # of the release before
for dir in $(go list -m -f '{{.Dir}}'); do
	for required in $(sed -nE "s|^(require)?[[:space:]]*($root[^ ]*) v.*|\2|p" "$dir/go.mod"); do
		go mod edit -require="$required@$version" "$dir/go.mod"
		if [[ $dir = "$PWD"/cmd/* ]]; then
			# "go install" refuses a program whose go.mod replaces modules, so
			# go.work replaces them.
			go mod edit -dropreplace="$required" "$dir/go.mod"
			go work edit -replace="$required@$version=.${required#"$root"}/"
		fi
	done
	path=$(sed -n 's/^module //p' "$dir/go.mod")
	[[ $path != "$root"/* ]] || tags+=("${path#"$root"/}/$version")
done
go build ./... ./cmd/anymail/... ./cmd/anymail-gateway/...
git commit -qam "Release $version"
for tag in "${tags[@]}"; do git tag "$tag"; done
echo "git push origin HEAD ${tags[*]}"

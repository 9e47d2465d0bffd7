#!/usr/bin/env bash
# archives.sh VERSION DIR makes an archive of the programs for each platform in
# DIR, and SHA256SUMS. PLATFORMS is another list of platforms.
set -euo pipefail

version=$1 dir=$(mkdir -p "$2" && cd "$2" && pwd)
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
for platform in ${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64}; do
	name=anymail-$version-${platform/\//-}
	deploy/build.sh "$version" "${platform%/*}" "${platform#*/}" "$work/$name" anymail anymail-gateway
	cp LICENSE README.md CHANGELOG.md "$work/$name"
	# Without times and owners, so that the same programs make the same archive.
	tar -C "$work" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -c "$name" | gzip -n9 >"$dir/$name.tar.gz"
done
cd "$dir"
sha256sum anymail-*.tar.gz >SHA256SUMS

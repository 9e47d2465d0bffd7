#!/usr/bin/env bash
# build.sh VERSION OS ARCH DIR PROGRAM... builds static programs of cmd/ into DIR.
# The same sources, version and Go make the same bytes.
set -euo pipefail

version=$1 os=$2 arch=$3 dir=$(mkdir -p "$4" && cd "$4" && pwd)
cd "$(dirname "$0")/.."
suffix=
[ "$os" != windows ] || suffix=.exe
for program in "${@:5}"; do
	CGO_ENABLED=0 GOOS=$os GOARCH=$arch go build -trimpath -buildvcs=false \
		-ldflags="-s -w -X github.com/goanymail/anymail/internal/cli.version=$version" \
		-o "$dir/$program$suffix" "./cmd/$program"
done

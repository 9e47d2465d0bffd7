#!/usr/bin/env bash
# release.sh VERSION has the modules of this repository require each other at
# VERSION, commits that, tags every module, and prints what to push. It refuses
# what it cannot finish before it changes anything: the work is done in a second
# checkout, and the branch and the tags follow when all modules have built.
set -euo pipefail
cd "$(dirname "$0")"

refuse() { echo "release.sh: $*" >&2; exit 1; }

(($# == 1)) || { echo "usage: ./release.sh v1.2.3" >&2; exit 2; }
version=$1
for tool in git go; do
	command -v "$tool" >/dev/null || refuse "$tool is not installed"
done
number='(0|[1-9][0-9]*)'
[[ $version =~ ^v$number\.$number\.$number(-[0-9A-Za-z.-]+)?$ ]] || refuse "$version is not a version such as v1.2.3"
[[ $version =~ ^v[01]\. ]] || refuse "$version: Go requires module paths that end in /${version%%.*}"
[ "$(git branch --show-current)" = main ] || refuse "the branch is not main"
[ -z "$(git status --porcelain)" ] || refuse "there are changes that are not committed"
grep -qE "^## ${version//./\\.}( |$)" CHANGELOG.md || refuse "CHANGELOG.md has no section \"## $version\""

unset GOWORK
root=$(sed -n 's/^module //p' go.mod)
tags=("$version")
dirs=() # of the modules, relative
for dir in $(go list -m -f '{{.Dir}}'); do
	dir=${dir#"$PWD"} dir=.$dir
	path=$(sed -n 's/^module //p' "$dir/go.mod")
	[[ $path/ = "$root${dir#.}/" ]] || refuse "the module in $dir is called $path"
	[[ $dir = . ]] || tags+=("${dir#./}/$version")
	dirs+=("$dir")
done
# "~" sorts before everything, as a pre-release does.
newest=$({ git tag --list 'v[0-9]*' && echo "$version"; } | tr - '~' | sort -V | tail -1 | tr '~' -)
[ "$newest" = "$version" ] || refuse "$version is not above $newest"
for tag in "${tags[@]}"; do
	! git rev-parse -q --verify "refs/tags/$tag" >/dev/null || refuse "the tag $tag exists"
done
if git remote get-url origin >/dev/null 2>&1; then
	there=$(git ls-remote origin) || refuse "origin does not answer"
	for tag in "${tags[@]}"; do
		! grep -q "refs/tags/$tag\$" <<<"$there" || refuse "the tag $tag exists at origin"
	done
	main=$(sed -n 's|[[:space:]]refs/heads/main$||p' <<<"$there")
	[ -z "$main" ] || git merge-base --is-ancestor "$main" HEAD 2>/dev/null || refuse "origin has commits that are not here"
fi

checkout=$(mktemp -d)
trap 'git worktree remove --force "$checkout"' EXIT
git worktree add -q --detach "$checkout" HEAD
(
	cd "$checkout"
	for old in $(sed -nE "s|^(replace)?[[:space:]]*($root[^ ]*) (v[^ ]+) => .*|\2@\3|p" go.work); do
		go work edit -dropreplace="$old" # of the release before
	done
	for dir in "${dirs[@]}"; do
		for required in $(sed -nE "s|^(require)?[[:space:]]*($root[^ ]*) v.*|\2|p" "$dir/go.mod"); do
			go mod edit -require="$required@$version" "$dir/go.mod"
			if [[ $dir = ./cmd/* ]]; then
				# "go install" refuses a program whose go.mod replaces modules, so
				# go.work replaces them.
				go mod edit -dropreplace="$required" "$dir/go.mod"
				go work edit -replace="$required@$version=.${required#"$root"}/"
			fi
		done
		[[ $dir != ./cmd/* ]] || ! grep -q '=>' "$dir/go.mod" || refuse "$dir/go.mod replaces another module, so \"go install\" would refuse it"
	done
	go build "${dirs[@]/%//...}"
	git commit -qam "Release $version"
)
commit=$(git -C "$checkout" rev-parse HEAD)
git merge -q --ff-only "$commit"
printf "create refs/tags/%s $commit\n" "${tags[@]}" | git update-ref --stdin # all or none

# GitHub starts no workflow for tags if more than three are pushed at once:
# https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#push
echo "git push origin main $version"
((${#tags[@]} == 1)) || echo "git push origin ${tags[*]:1}"

#!/usr/bin/env bash
# Builds everything of a release into a folder: the gateway for each platform, the
# schema, the packages for clients, bills of materials, and the checksums of all.
#
#   tools/release.sh VERSION DIST      BUF and SBOM name buf and cyclonedx-gomod
#
# Every artefact has the version, and says so where it can. docs/release.md tells what
# remains to be done to publish it.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${1:?usage: release.sh VERSION DIST} dist=$(realpath -m "${2:?usage: release.sh VERSION DIST}")
if [[ ! $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-(dev|alpha|beta|rc))?$ ]]; then
	echo "release: the version '$version' is not of the form 1.2.3, or 1.2.3-rc (dev, alpha, beta)" >&2
	exit 2
fi
if [[ -n $(git status --porcelain) && -z ${DIRTY:-} ]]; then
	echo "release: the tree has changes that are not committed; DIRTY=1 builds it all the same" >&2
	exit 1
fi
commit=$(git rev-parse HEAD)
when=$(git show -s --format=%ct HEAD)
name=admin-gateway_$version
rm -rf "$dist"
mkdir -p "$dist"

# pack ARCHIVE FOLDER FILE... makes the same bytes of the same files.
pack() {
	local archive=$1 folder=$2
	shift 2
	tar --sort=name --mtime="@$when" --owner=0 --group=0 --numeric-owner -C "$folder" -cf - "$@" | gzip -n >"$archive"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for platform in linux/amd64 linux/arm64 darwin/arm64; do
	echo "release: the gateway for $platform"
	folder=$work/$platform
	mkdir -p "$folder"
	GOOS=${platform%/*} GOARCH=${platform#*/} CGO_ENABLED=0 go build -ldflags "-s -w -X main.release=$version" -o "$folder/gateway" ./cmd/gateway
	pack "$dist/${name}_${platform/\//_}.tar.gz" "$folder" gateway
	"${SBOM:-cyclonedx-gomod}" bin -json -version "$version" -output "$dist/${name}_${platform/\//_}.cdx.json" "$folder/gateway" 2>"$work/sbom" || {
		cat "$work/sbom" >&2
		exit 1
	}
done

native=$work/$(go env GOHOSTOS)/$(go env GOHOSTARCH)/gateway
if [[ -x $native ]]; then
	says=$("$native" --version)
	if [[ $says != "$version "* ]]; then
		echo "release: the gateway says '$says', and not $version" >&2
		exit 1
	fi
	"$native" schema --output "$work/schema" >/dev/null
	pack "$dist/${name}_schema.tar.gz" "$work/schema" .
fi

# The packages' own tools write bills of materials where they know their dependencies.
tools/clients.sh build "$dist/clients" "$version"
while IFS= read -r -d '' artefact; do
	case $artefact in
	*"${version%-*}"* | *.json | */list | */pom.xml) ;;
	*)
		echo "release: $artefact has another version in its name" >&2
		exit 1
		;;
	esac
done < <(find "$dist/clients" -type f -print0)

(cd "$dist" && find . -type f -printf '%P\0' | sort -z | xargs -0 sha256sum) >"$work/sums"
mv "$work/sums" "$dist/SHA256SUMS"
echo "release: $version of commit $commit: $(wc -l <"$dist/SHA256SUMS") files in $dist, with their checksums in SHA256SUMS"

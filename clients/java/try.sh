#!/usr/bin/env bash
# Installs the jar into empty projects, as a user does: try.sh ARTEFACTS WORK.
# It leaves WORK/example and WORK/runner. Exit code 77: skipped, and a line says why.
set -euo pipefail
artefacts=$(realpath "$1")
mkdir -p "$2"
work=$(realpath "$2")
here=$(realpath "$(dirname "$0")")

central=https://repo.maven.apache.org/maven2/io/grpc/grpc-api/1.85.1/grpc-api-1.85.1.pom
skip() { echo "java: skipped: $1"; exit 77; }
for tool in javac mvn curl; do
	command -v "$tool" >/dev/null || skip "$tool is missing"
done
mvn() {
	command mvn -B -q -Dstyle.color=never "$@" >&2 && return
	curl -sfI --max-time 10 "$central" >/dev/null || skip "Maven Central cannot be reached"
	exit 1
}

pom=$(find "$artefacts" -name 'admin-gateway-client-*.pom' | head -n 1)
[[ -n $pom ]] || { echo "java: no admin-gateway-client-*.pom in $artefacts" >&2; exit 1; }
name=$(basename "$pom" .pom)
version=${name#admin-gateway-client-}
mvn org.apache.maven.plugins:maven-install-plugin:3.1.4:install-file -Dfile="$artefacts/$name.jar" -DpomFile="$pom"

# project NAME SOURCES MAIN
project() {
	rm -rf "$work/$1.project"
	cp -r "$2" "$work/$1.project"
	cd "$work/$1.project"
	mvn -Dadmin-gateway.version="$version" package \
		org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory=target/lib
	printf '#!/bin/sh\nexec java -cp "%s/target/classes:%s/target/lib/*" %s "$@"\n' \
		"$work/$1.project" "$work/$1.project" "$3" >"$work/$1"
	chmod +x "$work/$1"
}
project runner "$here/conformance" Runner
project example "$here/../../examples/java" Example

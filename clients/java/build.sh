#!/usr/bin/env bash
# Builds the jar, its pom and its sources: build.sh SCHEMA VERSION OUT, in a copy of this folder.
# Exit code 77: skipped, and a line on stdout says why.
set -euo pipefail
schema=$(realpath "$1") version=$2 out=$(realpath "$3")
cd "$(dirname "$0")"

central=https://repo.maven.apache.org/maven2/io/grpc/grpc-api/1.85.1/grpc-api-1.85.1.pom
skip() { echo "java: skipped: $1"; exit 77; }
for tool in javac mvn curl; do
	command -v "$tool" >/dev/null || skip "$tool is missing"
done
[[ $(javac -version 2>&1) =~ ^javac\ ([0-9]+) && ${BASH_REMATCH[1]} -ge 17 ]] || skip "javac is older than 17"

mvn() {
	SCHEMA=$schema command mvn -B -q -Dstyle.color=never "$@" >&2 && return
	curl -sfI --max-time 10 "$central" >/dev/null || skip "Maven Central cannot be reached"
	exit 1
}
dependency() { mvn "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:$1" "${@:2}"; }

sed -i "s|<version>0.0.0-dev</version>|<version>$version</version>|" pom.xml

formatter=com.google.googlejavaformat:google-java-format:1.28.0:jar:all-deps
dependency copy -Dartifact=$formatter -DoutputDirectory=target/format
exports=()
for package in api code file parser tree util; do
	exports+=(--add-exports "jdk.compiler/com.sun.tools.javac.$package=ALL-UNNAMED")
done
mapfile -t written < <(find src conformance -name '*.java')
java "${exports[@]}" -jar target/format/*.jar --dry-run --set-exit-if-changed "${written[@]}" >&2

mvn package

# What is written by hand is compiled again, with all warnings: what is generated has some.
dependency build-classpath -Dmdep.outputFile=target/classpath
mapfile -t written < <(find src/main/java -name '*.java')
javac -Xlint:all -Werror --release 17 -d target/lint -cp "target/classes:$(<target/classpath)" "${written[@]}"

name=admin-gateway-client-$version
cp "target/$name.jar" "target/$name-sources.jar" "$out"
cp pom.xml "$out/$name.pom"

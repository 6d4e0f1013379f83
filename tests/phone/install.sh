#!/usr/bin/env bash
# Installs what the tests of virtual phones and of the app need beside Python: a JDK, Maven and npm,
# compilers, an ssh client. (adbd, bubblewrap and the like are fetched by the tests themselves, and
# not installed.) It never asks for a password: without root or a sudo that needs none it does
# nothing, and pytest says at its end what was missing.
set -euo pipefail

if [ "$(id -u)" = 0 ]; then
  as_root=(env)
elif sudo -n true 2>/dev/null; then
  as_root=(sudo -n env)
else
  exit 0
fi
command -v apt-get >/dev/null || exit 0

missing=()
for pair in javac:openjdk-17-jdk-headless mvn:maven npm:npm gcc:gcc g++:g++ setpriv:util-linux \
  ssh:openssh-client; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
# A compiler can be there without the C library to compile against.
[ -e /usr/include/stdio.h ] || missing+=(libc6-dev)

# The tests fetch by apt, too, and it knows of no archive before its first update.
if [ ${#missing[@]} -gt 0 ] || [ -z "$(apt-get indextargets 'Created-By: Packages')" ]; then
  "${as_root[@]}" apt-get update -qq
fi
[ ${#missing[@]} -gt 0 ] || exit 0

if ! apt-cache show openjdk-17-jdk-headless >/dev/null 2>&1; then
  missing=("${missing[@]/openjdk-17-jdk-headless/default-jdk-headless}")
fi
echo "installing what the tests of phones need: ${missing[*]}"
"${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null

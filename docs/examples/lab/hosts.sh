#!/usr/bin/env bash
# Joins hosts to a lab over ssh; they leave it when this ends.
#
#   hosts.sh tls://lab.example:8786 rack1 rack2
#
# Each host has mobilebench on the PATH of its non-interactive shells, or MOBILEBENCH names it.
# Certificates are those of `mobilebench lab init`, here or in MOBILEBENCH_LAB_CERTIFICATES.
set -euo pipefail
lab=$1
shift
here=${MOBILEBENCH_LAB_CERTIFICATES:-$HOME/.config/mobilebench/lab}
there=.config/mobilebench/lab

for host in "$@"; do
  ssh "$host" "umask 077; mkdir -p $there"
  scp -q "$here"/{ca.pem,member.pem,member.key} "$host:$there/"
done
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
for host in "$@"; do
  # A terminal there, so that its end reaches the program.
  ssh -tt "$host" "$(printf '%q ' "${MOBILEBENCH:-mobilebench}" lab join "$lab" --name "$host")" \
    </dev/null &
done
wait

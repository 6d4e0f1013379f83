#!/usr/bin/env bash
# What action.yml runs: installs this checkout, gates, and says the verdict as the step's output.
# macOS has bash 3.2: no mapfile, and no empty arrays under -u.
set -euo pipefail

if [ -z "${MOBILEBENCH:-}" ]; then
  environment="${RUNNER_TEMP:?}/mobilebench"
  "${PYTHON:-python3}" -m venv "$environment"
  programs="$environment/bin"
  [ -d "$programs" ] || programs="$environment/Scripts" # Windows
  "$programs/python" -m pip install --quiet --disable-pip-version-check \
    -c "$GITHUB_ACTION_PATH/constraints.txt" "$GITHUB_ACTION_PATH[${EXTRAS:-agent}]"
  MOBILEBENCH="$programs/mobilebench"
fi

results="${RESULTS:-results}"
mkdir -p "$results"
arguments=(gate --results "$results" --junit "$results/gate.xml" --summary "$GITHUB_STEP_SUMMARY")
add() {
  if [ -n "$2" ]; then arguments+=("$1" "$2"); fi
}
add --baseline "${BASELINE:-}"
add --candidate "${CANDIDATE:-}"
add --data "${DATA:-}"
add --policy "${POLICY:-}"
while IFS= read -r device; do add --device "$device"; done <<<"${DEVICES:-}"
while IFS= read -r argument; do
  if [ -n "$argument" ]; then arguments+=("$argument"); fi
done <<<"${ARGUMENTS:-}"
if [ -n "${SUITE:-}" ]; then arguments+=(-- "$SUITE"); fi

code=0
"$MOBILEBENCH" "${arguments[@]}" || code=$?
case $code in
  0) verdict=PASS ;;
  1) verdict=FAIL ;;
  3) verdict=INCONCLUSIVE ;;
  4) verdict=INVALID ;;
  *) verdict=ERROR ;;
esac
printf 'verdict=%s\ncode=%s\n' "$verdict" "$code" >>"$GITHUB_OUTPUT"
if [ "$verdict" = INCONCLUSIVE ] && [ "${ALLOW_INCONCLUSIVE:-}" = true ]; then
  echo "::warning::mobilebench gate: INCONCLUSIVE, which this job allows"
  exit 0
fi
if [ "$code" != 0 ]; then echo "::error::mobilebench gate: $verdict"; fi
exit "$code"

#!/usr/bin/env bash
# Hosts that compress for a lab, as an array of jobs: sbatch slurm.sh tls://lab.example:8786
# They leave when their time is over; another host makes the stages that they had not finished.
#SBATCH --job-name=mobilebench
#SBATCH --array=1-8
#SBATCH --cpus-per-task=4
#SBATCH --mem=12G
#SBATCH --time=04:00:00
#SBATCH --signal=B:INT@60
set -euo pipefail
exec mobilebench lab join "$1" --name "slurm-${SLURM_JOB_ID}" --compress 2

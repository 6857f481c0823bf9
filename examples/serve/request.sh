#!/bin/sh
# Asks a model of handwritten digits that `symk serve digits.symk` serves:
#     sh request.sh [URL of the server]
# digit.json is a request in row format: one picture of 8 x 8 gray values from 0 to 1.
set -e
model=${1:-http://localhost:8501}/v1/models/digits
curl -sS "$model"                                  # the versions and whether they answer
echo
curl -sS "$model/metadata"                         # names, dtypes and shapes of inputs and outputs
echo
curl -sS -d @"$(dirname "$0")/digit.json" "$model:predict"
echo

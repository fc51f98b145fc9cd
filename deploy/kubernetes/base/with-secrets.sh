#!/bin/sh
# Starts what follows. Each file of the folder where secrets are mounted becomes a variable of its name.
set -eu
for file in "${SECRETS:-/run/secrets/pedigree}"/*; do
  value=$(cat "$file")
  export "${file##*/}=$value"
done
exec "$@"

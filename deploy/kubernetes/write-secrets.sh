#!/bin/sh
# Writes new secrets for an overlay into the file that it is told, with mode 0600; never over old ones, which the database was made with.
set -eu
if [ $# -ne 1 ]; then
  echo "usage: sh write-secrets.sh overlays/cpu/secrets.env" >&2
  exit 2
fi
if [ -e "$1" ]; then
  echo "$1 is there already, and stays as it is. Remove it first where no database was made with it." >&2
  exit 1
fi
new() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
umask 077
postgres=$(new)
redis=$(new)
key=$(new)
secret=$(new)
cat > "$1" <<END
POSTGRES_PASSWORD=$postgres
REDIS_PASSWORD=$redis
DATABASE_URL=postgresql://pedigree:$postgres@postgres:5432/pedigree
REDIS_URL=redis://:$redis@redis:6379/0
AWS_ACCESS_KEY_ID=$key
AWS_SECRET_ACCESS_KEY=$secret
END

#!/bin/sh
# A base backup of the running PostgreSQL, verified: deploy/backup.sh FOLDER. Run it each night as PostgreSQL's user.
#
# PGHOST, PGPORT, PGUSER, PGPASSWORD (or a .pgpass) name the server; PGBIN the folder of its programs, if not in PATH.
# Together with the WAL files that archive-wal.sh keeps it gives back any moment since. Prints the backup's folder.
set -eu
folder=$1
bin=${PGBIN:+$PGBIN/}
name=$folder/base-$(date -u +%Y%m%dT%H%M%SZ)
"${bin}pg_basebackup" --pgdata="$name.unfinished" --wal-method=stream --checkpoint=fast --manifest-checksums=SHA256 --no-password
"${bin}pg_verifybackup" --quiet "$name.unfinished"
mv "$name.unfinished" "$name"
sync "$folder"
echo "$name"

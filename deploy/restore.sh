#!/bin/sh
# A new data folder from a base backup and the WAL since: deploy/restore.sh BACKUP WAL DATA ['2027-02-03 04:05:06+09']
#
# Without a time: all that there is. Run it as PostgreSQL's user. It verifies the backup and refuses a folder that is
# there already. Start the server on DATA afterwards: it reads the WAL, stops at that time, and then is a server of its
# own. docs/operations.md says what to check before tills are let back in.
set -eu
backup=$1
wal=$2
data=$3
until=${4:-}
bin=${PGBIN:+$PGBIN/}
if [ -e "$data" ]; then
    echo "$data is there already: move it away first, it may be needed." >&2
    exit 1
fi
"${bin}pg_verifybackup" --quiet "$backup"
cp -R "$backup" "$data.unfinished"
chmod 700 "$data.unfinished"
{
    echo "restore_command = 'cp \"$wal/%f\" \"%p\"'"
    echo "recovery_target_action = 'promote'"
    if [ -n "$until" ]; then
        echo "recovery_target_time = '$until'"
    fi
} >>"$data.unfinished/postgresql.auto.conf"
touch "$data.unfinished/recovery.signal"
mv "$data.unfinished" "$data"
echo "$data"

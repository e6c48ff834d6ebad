#!/bin/sh
# Keep one WAL file: archive_command = '/opt/kanpu/deploy/archive-wal.sh %p /srv/backup/wal/%f'
# PostgreSQL throws the file away once this ends with 0, so it must be whole and on the disk by then. A file of that name
# with other content is another cluster's: it is never written over.
set -eu
from=$1
to=$2
if [ -e "$to" ]; then
    cmp -s "$from" "$to"
    exit
fi
cp "$from" "$to.unfinished"
sync "$to.unfinished"
mv "$to.unfinished" "$to"
sync "$(dirname "$to")"

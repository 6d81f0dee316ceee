# hang.sh NUMBER LINES: says its line and never ends, so that a test can cut the
# power in the middle of it.
sh ./say.sh "$@" || exit 1
sync
exec sleep 3600

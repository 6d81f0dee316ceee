# again.sh NUMBER LINES TARGET NAME VALUE: asks once for a restart to TARGET and
# to be run again; the variable NAME remembers that it did (VALUE is its value).
sh ./say.sh "$@" || exit 1
[ "$5" = asked ] && exit 0
{
	echo "$4=asked"
	echo "SMSTSRebootRequested=$3"
	echo SMSTSRetryRequested=true
} >>"$BOOTYARD_TSENV"

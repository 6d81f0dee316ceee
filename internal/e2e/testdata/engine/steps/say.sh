# say.sh NUMBER LINES [WORD...]: writes a numbered line to the console and puts
# the number behind LINES in the variable Lines, which lives as long as the run.
echo "LINE $*" >/dev/ttyS0
echo "Lines=$2,$1" >>"$BOOTYARD_TSENV"

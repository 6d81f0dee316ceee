# tell.sh: what the installed system made of its settings.
name=$(hostname)
zone=$(date -d 2026-01-04 +%z)
address=$(ip -4 -o addr show scope global | tr -s ' ' | cut -d' ' -f4 | tr '\n' ' ')
keyboard=$(sed -n 's/^XKBLAYOUT=//p' /etc/default/keyboard | tr -d '"')
echo "TELLS name=$name zone=$zone keyboard=$keyboard address=$address" >/dev/ttyS0

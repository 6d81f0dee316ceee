#!/bin/sh
# Writes what this machine is; run by the example sequence inventory.xml.
set -eu
mkdir -p /var/lib/bootyard
uname -a >/var/lib/bootyard/inventory.txt

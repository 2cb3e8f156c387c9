#!/bin/sh
# /usr/bin/wirespan: the package's own Node with the same flags as the service.
home=/usr/lib/wirespan
# shellcheck disable=SC2046 # the flags are words
exec "$home/node" $(cat "$home/cli/node-flags") "$home/cli/start.cjs" "$@"

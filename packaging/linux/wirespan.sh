#!/bin/sh
# /usr/bin/wirespan: the package's own Node with the flags that the service has.
home=/usr/lib/wirespan
# shellcheck disable=SC2046 # the flags are words
exec "$home/node" $(cat "$home/cli/node-flags") "$home/dist/wirespan.cjs" "$@"

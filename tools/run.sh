#!/bin/sh
# Run by every npm script: setup as far as the verb needs it, then this clone's own Node.
# Plain sh, because the machine's node may be too old to run our TypeScript. Ends with exec, so
# that the pid npm signals is the agent's.
set -eu
# SIGHUP makes a service reload its configuration, which has not been read yet. On a terminal, SIGHUP means that the user has gone.
if [ "${1:-}" = agent ] && ! [ -t 2 ]; then hangup='again=yes'; else hangup='end_setup 143'; fi
again=
trap "$hangup" HUP
cd "$(dirname "$0")/.."

verb=${1:?usage: tools/run.sh agent|test|unit|native|long|kernels|packaging|fuzz|build|check|gen|package|bench|backends|demo [ARGS]}
shift
group=
case $(uname -m) in
  x86_64) arch=x64 ;;
  aarch64) arch=arm64 ;;
  *) arch=$(uname -m) ;;
esac
node=node_modules/node-linux-$arch/bin/node
# The folders of ip and nft, which are not on PATH after su.
PATH=$PATH:/usr/sbin:/sbin
export PATH

# Runs setup in its own process group: a signal must also end the apt or the compiler
# that a shell in the foreground would wait for.
setup() {
  setsid sh tools/setup.sh "$arch" "$1" </dev/null &
  group=$!
  trap 'end_setup 143' TERM
  trap 'end_setup 130' INT
  again=yes
  while [ -n "$again" ]; do
    again=
    status=0
    wait "$group" || status=$?
  done
  trap - TERM INT
  [ "$status" -eq 0 ] || exit "$status"
}

end_setup() { # end_setup STATUS
  while [ -n "$group" ] && kill -TERM "-$group" 2>/dev/null; do sleep 0.2; done
  exit "$1"
}

case $verb in
  unit | check | fuzz | backends) setup packages ;;
  gen) setup everything ;;
  agent | build | package | bench | demo) setup bundle ;;
  test | native | long) setup tests ;;
  kernels) setup guests ;;
  packaging) setup packaging ;;
  *)
    echo "wirespan: tools/run.sh does not know the verb $verb" >&2
    exit 2
    ;;
esac
PATH=$PWD/${node%/node}:$PATH
# Stripped types and bytecode are cached: half the startup time, a quarter of the memory.
NODE_COMPILE_CACHE=$PWD/node_modules/.cache/wirespan
export NODE_COMPILE_CACHE

case $verb in
  # One thread collects a heap of some 20 MB faster, and young objects do not need 48 MB; each thread of the pool uses
  # memory of its own. For the others see agent/garbage.ts.
  # shellcheck disable=SC2046 # the flags are words
  agent) exec "$node" $(cat cli/node-flags) cli/start.cjs "$@" ;;
  test) exec "$node" tools/test.ts check,kernel,native,backend,unit "$@" ;;
  native) exec "$node" tools/test.ts native,sanitized "$@" ;;
  fuzz) FUZZ_SECONDS=${FUZZ_SECONDS:-60} exec "$node" tools/test.ts fuzz "$@" ;;
  long) TEST_LONG=1 exec "$node" tools/test.ts long "$@" ;;
  packaging) exec "$node" tools/test.ts package "$@" ;;
  unit | kernels | check) exec "$node" tools/test.ts "$verb" "$@" ;;
  build) ;;
  gen)
    "$node" tools/histogram-edges.ts
    "$node" tools/btfgen.ts
    "$node" tools/docgen.ts
    "$node" tools/dashgen.ts
    "$node" cli/main.ts config schema >config/wirespan.schema.json.part
    mv config/wirespan.schema.json.part config/wirespan.schema.json
    ;;
  package) exec "$node" tools/package/main.ts "$@" ;;
  bench) exec "$node" bench/main.ts "$@" ;;
  backends) exec "$node" tools/backends.ts "$@" ;;
  demo) exec "$node" examples/shop/demo.ts "$@" ;;
esac

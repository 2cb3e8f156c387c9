#!/bin/sh
# Installs and builds what is missing, after printing what and why, on standard error.
# If nothing is missing, it prints nothing and takes a few hundredths of a second.
# usage: setup.sh ARCH packages|everything|bundle|tests|guests|packaging      ARCH as npm spells it: x64, arm64
set -eu
exec >&2
arch=$1
stage=$2
own_node=node_modules/node-linux-$arch/bin/node
nginx=node_modules/.cache/wirespan/nginx
python=node_modules/.cache/wirespan/python
postgres=node_modules/.cache/wirespan/postgres

say() { printf 'wirespan: %s\n' "$*"; }
stop() {
  say "$@"
  exit 2
}

# One row per requirement: what to look for, why, and its package under each package manager.
needs='command clang       apt:clang      dnf:clang        zypper:clang        pacman:clang  apk:clang       compiles the BPF programs
command make        apt:make       dnf:make         zypper:make         pacman:make   apk:make        runs the build
command c++         apt:g++        dnf:gcc-c++      zypper:gcc-c++      pacman:gcc    apk:g++         compiles the native addon
header bpf/libbpf.h apt:libbpf-dev dnf:libbpf-devel zypper:libbpf-devel pacman:libbpf apk:libbpf-dev loads BPF programs'
kernel_test_needs='command ip     apt:iproute2 dnf:iproute   zypper:iproute2 pacman:iproute2  apk:iproute2  makes the network namespaces of the kernel tests
command nft    apt:nftables dnf:nftables  zypper:nftables pacman:nftables  apk:nftables  drops packets in the kernel tests
command sysctl apt:procps   dnf:procps-ng zypper:procps   pacman:procps-ng apk:procps-ng changes settings of those namespaces
command tmux   apt:tmux     dnf:tmux      zypper:tmux     pacman:tmux      apk:tmux      is the terminal in the tests of the live view
command chromium apt:chromium dnf:chromium zypper:chromium pacman:chromium apk:chromium shows the page in its tests'
guest_needs='command qemu-system-x86_64 apt:qemu-system-x86 dnf:qemu-system-x86-core zypper:qemu-x86 pacman:qemu-system-x86 apk:qemu-system-x86_64 emulates a machine for each kernel
command qemu-system-aarch64 apt:qemu-system-arm dnf:qemu-system-aarch64-core zypper:qemu-arm pacman:qemu-system-aarch64 apk:qemu-system-aarch64 emulates arm64 machines
command mmdebstrap apt:mmdebstrap dnf:mmdebstrap zypper:mmdebstrap pacman:mmdebstrap apk:mmdebstrap makes the system of arm64 guests
command busybox  apt:busybox-static dnf:busybox zypper:busybox-static pacman:busybox apk:busybox-static starts the guests
command modprobe apt:kmod dnf:kmod zypper:kmod pacman:kmod apk:kmod finds the modules of the guests
command apt-get  apt:apt  dnf:apt  zypper:apt  pacman:apt  apk:apt  gets the kernels from Debian'
packaging_needs='command mmdebstrap apt:mmdebstrap dnf:mmdebstrap zypper:mmdebstrap pacman:mmdebstrap apk:mmdebstrap makes the bare systems that packages are installed on
command systemd-nspawn apt:systemd-container dnf:systemd-container zypper:systemd-container pacman:systemd apk:systemd starts systemd on them
command rpm      apt:rpm dnf:rpm zypper:rpm pacman:rpm-tools apk:rpm installs the .rpm
command lintian  apt:lintian dnf:lintian zypper:lintian pacman:lintian apk:lintian looks for mistakes in the .deb
command qemu-aarch64 apt:qemu-user dnf:qemu-user zypper:qemu-linux-user pacman:qemu-user apk:qemu-aarch64 loads the addon for arm64'
case $stage:$(id -u) in
  tests:0) needs="$needs
$kernel_test_needs" ;;
  guests:0) needs="$needs
$kernel_test_needs
$guest_needs" ;;
  packaging:0) needs="$needs
$kernel_test_needs
$packaging_needs" ;;
esac

# If there is no plain `clang`, the newest is used.
find_clang() {
  for compiler in clang clang-22 clang-21 clang-20 clang-19 clang-18 clang-17 clang-16 clang-15 clang-14; do
    command -v "$compiler" && return
  done
  return 1
}

there() { # there KIND NAME
  case $1:$2 in
    command:clang) find_clang >/dev/null ;;
    command:*) command -v "$2" >/dev/null ;;
    header:*) [ -e "/usr/include/$2" ] || [ -e "/usr/local/include/$2" ] ;;
  esac
}

missing() { # the rows of what is not there
  printf '%s\n' "$needs" | while read -r kind name rest; do
    there "$kind" "$name" || printf '%s %s %s\n' "$kind" "$name" "$rest"
  done
}

package_manager() {
  for name in apt-get dnf zypper pacman apk; do
    command -v "$name" >/dev/null && echo "${name%-get}" && return
  done
  echo unknown
}

install_system_packages() {
  rows=$(missing)
  [ -n "$rows" ] || return 0
  manager=$(package_manager)
  packages=$(printf '%s\n' "$rows" | sed -n "s/.* $manager:\([^ ]*\).*/\1/p" | tr '\n' ' ' | sed 's/ $//')
  say "these are missing on this machine:"
  printf '%s\n' "$rows" | sed 's/^[a-z]* \([^ ]*\) .* apk:[^ ]* */\1|/' | while IFS='|' read -r name why; do
    printf '  %-14s %s\n' "$name" "$why"
  done
  update=
  case $manager in
    apt)
      update="apt-get update"
      install="apt-get install -y --no-install-recommends $packages"
      ;;
    dnf) install="dnf install -y $packages" ;;
    zypper) install="zypper --non-interactive install $packages" ;;
    pacman) install="pacman -S --needed --noconfirm $packages" ;;
    apk) install="apk add $packages" ;;
    *) stop "this distribution's package manager is not one of apt, dnf, zypper, pacman, apk:" \
      "install clang 14 or newer, make, a C++20 compiler and the headers of libbpf 1.0 or newer, then run this again." ;;
  esac
  if [ "$(id -u)" -ne 0 ]; then
    say "installing requires root. To install, run:"
    printf '  %ssudo %s\n' "${update:+sudo $update && }" "$install"
    stop "the agent itself then needs no root, only the capabilities CAP_BPF and CAP_PERFMON."
  fi
  if [ -n "$update" ]; then
    say "running: $update"
    $update -q || say "that failed; continuing with the existing package lists"
  fi
  say "running: $install"
  # shellcheck disable=SC2086 # the line is words, none with spaces
  DEBIAN_FRONTEND=noninteractive $install || stop "that failed; the lines above say why"
  rows=$(missing)
  [ -z "$rows" ] || stop "still missing after the installation: $(printf '%s\n' "$rows" | awk '{ print $2 }' | tr '\n' ' ')"
}

# npm ci writes node_modules/.package-lock.json last.
node_modules_are_current() {
  [ -e node_modules/.package-lock.json ] && ! [ package-lock.json -nt node_modules/.package-lock.json ] && [ -x "$own_node" ]
}

install_node_modules() {
  node_modules_are_current || npm_ci
}

npm_ci() {
  say "installing the npm packages of package-lock.json, including this clone's own Node 24 (about 380 MB on disk)"
  # Overrides settings in a user's npm configuration that would interfere (omit, engine-strict, a silent log level).
  # None of our packages needs an install script.
  npm ci --include=dev --include=optional --engine-strict=false --ignore-scripts --no-audit --no-fund --loglevel=error ||
    stop "npm ci failed; the lines above say why"
  [ -x "$own_node" ] || stop "npm ci did not install node-linux-$arch: wirespan runs on x86-64 and arm64 with glibc" \
    "(npm config get cpu / os / libc must not say otherwise)."
  "$own_node" --version >/dev/null || stop "$own_node does not run here: it is built for glibc."
}

check_versions() {
  clang=$(find_clang)
  major=$("$clang" -dumpversion | cut -d. -f1)
  [ "$major" -ge 14 ] || stop "$clang is version $major: the BPF programs need clang 14 or newer. CLANG=/path/to/clang names another."
  for header in /usr/local/include/bpf/libbpf_version.h /usr/include/bpf/libbpf_version.h; do
    [ -e "$header" ] && grep -q 'LIBBPF_MAJOR_VERSION [1-9]' "$header" && return
  done
  stop "libbpf is older than 1.0: install a newer one."
}

build() {
  make -s -q 2>/dev/null && return
  [ -n "${CLANG:-}" ] || check_versions
  jobs=$(getconf _NPROCESSORS_ONLN)
  say "building the native addon and the BPF programs"
  make -s -j "$jobs" || stop "the build failed; the lines above say why"
}

# A digest of the bundle's inputs.
bundle_inputs() {
  # shellcheck disable=SC2046 # none of the names has a space
  sha256sum package.json package-lock.json tools/bundle.ts $(find agent bpf cli config core exporters store native/index.ts \
    plugins -name '*.ts' ! -name '*.test.ts' -o -name '*.bpf.o' | LC_ALL=C sort) | sha256sum
}

# Rebuilt if a source or the bundle itself has changed.
bundle() {
  inputs=$(bundle_inputs)
  [ "$(cat dist/state 2>/dev/null)" != "$inputs $(sha256sum dist/*.cjs 2>/dev/null)" ] || return 0
  say "making the bundle"
  rm -f dist/state
  "$own_node" tools/bundle.ts || stop "the bundle could not be made; the lines above say why"
  printf '%s %s\n' "$inputs" "$(sha256sum dist/*.cjs)" >dist/state
}

# Debian's package would start a web server at once, so only its program is unpacked. Its libraries are on
# almost every machine; without it or them, a test is skipped.
unpack_nginx() {
  command -v nginx >/dev/null && return
  [ -x "$nginx/usr/sbin/nginx" ] && return
  command -v apt-get >/dev/null || return 0
  say "downloading nginx, to be unpacked but not installed, for a test"
  mkdir -p "$nginx"
  (cd "$nginx" && { apt-get download -q nginx || { apt-get update -q && apt-get download -q nginx; }; }) &&
    dpkg-deb -x "$nginx"/nginx_*.deb "$nginx" || say "that failed; the test is skipped"
}

# Like nginx's, Debian's package would start a server at once, so the program and its libraries are unpacked.
unpack_redis() {
  command -v redis-server >/dev/null && return
  folder=node_modules/.cache/wirespan/redis
  [ -e "$folder/usr/bin/redis-server" ] && return
  command -v apt-get >/dev/null || return 0
  say "downloading Redis, to be unpacked but not installed, for tests of correlate/node"
  mkdir -p "$folder"
  packages="redis-tools liblzf1 libjemalloc2"
  # shellcheck disable=SC2086 # the line is words, none with spaces
  (cd "$folder" && { apt-get download -q $packages || { apt-get update -q && apt-get download -q $packages; }; } &&
    for package in *.deb; do dpkg-deb -x "$package" .; done &&
    ln -s redis-check-rdb usr/bin/redis-server) || say "that failed; those tests are skipped"
}

# PostgreSQL's package would also start a server, so it is unpacked, with those of its libraries that are not installed.
unpack_postgres() {
  for program in /usr/lib/postgresql/*/bin/initdb "$postgres"/usr/lib/postgresql/*/bin/initdb; do
    [ ! -x "$program" ] || return 0
  done
  command -v apt-get >/dev/null || return 0
  say "downloading PostgreSQL, to be unpacked but not installed, for tests"
  mkdir -p "$postgres/archives/partial"
  get="apt-get install -q -y --download-only --no-install-recommends -o Dir::Cache::archives=$PWD/$postgres/archives postgresql"
  { $get || { apt-get update -q && $get; }; } &&
    for package in "$postgres"/archives/*.deb; do dpkg-deb -x "$package" "$postgres"; done &&
    rm -r "$postgres/archives" || say "that failed; those tests are skipped"
}

# For the tests of correlate/node: the drivers that it labels, and older versions of Node.js.
install_drivers() {
  [ -e correlate/node/node_modules/.package-lock.json ] &&
    ! [ correlate/node/package-lock.json -nt correlate/node/node_modules/.package-lock.json ] && return
  say "installing the npm packages for tests of correlate/node (18 MB on disk)"
  npm ci --prefix correlate/node --include=dev --omit=peer --ignore-scripts --no-audit --no-fund --loglevel=error ||
    say "that failed; those tests are skipped"
}

install_older_nodes() {
  for version in 20.20.2 22.23.5; do
    major=${version%%.*}
    case $(node --version 2>/dev/null) in v"$major".*) continue ;; esac
    folder=node_modules/.cache/wirespan/node-$major
    [ -x "$folder/node_modules/node-linux-$arch/bin/node" ] && continue
    say "downloading Node.js $version (185 MB on disk), for tests of correlate/node"
    mkdir -p "$folder"
    npm install --prefix "$folder" --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error \
      "node-linux-$arch@$version" || say "that failed; those tests are skipped"
  done
}

# A test of the Python package uses OpenTelemetry's API.
unpack_python_api() {
  [ -e "$python/opentelemetry" ] && return
  command -v python3 >/dev/null || return 0
  python3 -c 'import opentelemetry.trace' 2>/dev/null && return
  say "downloading OpenTelemetry's API for Python, to be unpacked but not installed, for a test"
  PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install -q --no-deps --no-compile \
    --target "$python" opentelemetry-api==1.45.2 typing-extensions==4.16.0 || say "that failed; the test is skipped"
}

# Go caches it, so that no test has to wait for the build.
compile_go_library() {
  command -v go >/dev/null || return 0
  CGO_ENABLED=0 go build net/http || say "Go cannot compile its own library; tests of programs in Go will fail"
}

[ "$stage" = packages ] || install_system_packages
install_node_modules
[ "$stage" = packages ] || build
case $stage in bundle | tests | guests | packaging) bundle ;; esac
[ "$stage:$(id -u)" != tests:0 ] || unpack_nginx
[ "$stage:$(id -u)" != tests:0 ] || unpack_redis
[ "$stage:$(id -u)" != tests:0 ] || unpack_postgres
[ "$stage" != tests ] || install_drivers
[ "$stage" != tests ] || install_older_nodes
[ "$stage" != tests ] || unpack_python_api
[ "$stage" != tests ] || compile_go_library

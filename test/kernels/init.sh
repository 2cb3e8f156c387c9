#!/bin/busybox sh
# The guest's process 1: mounts a root tree of the host below an overlay in memory, and in it the folders that /folders
# lists, then runs /run/job/command. Mounts only what every machine mounts: no tracefs, no bpffs, no debugfs.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
for module in /modules/*; do insmod "$module"; done

p9=trans=virtio,version=9p2000.L,msize=524288
mount -t 9p -o ro,cache=loose,$p9 root /host
mount -t tmpfs -o size=80% memory /memory
mkdir /memory/upper /memory/work
mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work all /new
cd /new
mkdir -p proc sys dev run
while read -r tag path; do
  mkdir -p "/new$path"
  mount -t 9p -o ro,cache=loose,$p9 "$tag" "/new$path"
done </folders
mount -t proc proc proc
mount -t sysfs sys sys
mount -t cgroup2 cgroup sys/fs/cgroup
mount -t devtmpfs dev dev
mkdir -p dev/pts dev/shm
mount -t devpts pts dev/pts
mount -t tmpfs shm dev/shm
mount -t tmpfs run run
for link in fd: stdin:/0 stdout:/1 stderr:/2; do ln -sf "/proc/self/fd${link#*:}" "dev/${link%:*}"; done
mkdir run/job run/lock
mount -t 9p -o cache=none,$p9 job run/job
cp /bin/busybox run/busybox
ip link set lo up

cat >run/last <<'END'
/bin/sh /run/job/command </dev/null >/run/job/stdout 2>/run/job/stderr
echo $? >/run/job/status
/run/busybox sync
/run/busybox poweroff -f
END
umount /proc
exec switch_root /new /run/busybox sh /run/last

# SPDX-License-Identifier: GPL-2.0-or-later
# Namespaces made, attached, formatted and deleted with nvme-cli, as a client's
# test suite does it.
dev=/dev/nvme0 ns=/dev/nvme0n1
id() { nvme id-ctrl $dev | sed -n "s/^$1 *: *//p"; }
gone() { ! test -e $ns; }
size_is() { test "$(blockdev --getsize64 $ns)" = "$1"; }
io() {
    dd if=/dev/urandom of=/tmp/a bs=65536 count=4 2>/dev/null
    dd if=/tmp/a of=$ns bs=65536 oflag=direct 2>/dev/null &&
        dd if=$ns bs=65536 count=4 iflag=direct 2>/dev/null | cmp - /tmp/a
}

t "the namespace appears" wait_for 5 present $ns
total=$(id tnvmcap)
t "all of the capacity is taken" test "$(id unvmcap)" = 0
dd if=/dev/urandom of=$ns bs=1M count=4 oflag=direct 2>/dev/null

for i in 1 2 3; do
    t "$i: delete-ns of all" nvme delete-ns $dev -n 0xffffffff
    t "$i: none is left" sh -c "! nvme list-ns $dev --all | grep -q 0x"
    t "$i: its block device goes" wait_for 5 gone
    t "$i: all of the capacity is free" test "$(id unvmcap)" = "$total"
    t "$i: create-ns of all there is" sh -c "nvme create-ns $dev -s $((total / 512)) \
        -c $((total / 512)) -f 0 -d 0 -m 0 | grep -q 'nsid:1'"
    t "$i: id-ns of one that is not attached" nvme id-ns $dev -n 1
    t "$i: attach-ns" nvme attach-ns $dev -n 1 -c 0
    t "$i: its block device comes" wait_for 5 present $ns
    t "$i: of the size that was asked for" size_is "$((total / 512 * 512))"
    t "$i: nothing of the deleted one can be read" sh -c \
        "dd if=$ns bs=1M count=4 iflag=direct 2>/dev/null | cmp -n 4194304 - /dev/zero"
    t "$i: data" io
done

# Formats without metadata: the kernel's block devices have none.
for f in 0 1 2 3 4 5 6 7; do
    ms=$(nvme id-ns $ns | sed -n "s/^lbaf *$f : ms:\([0-9]*\).*/\1/p")
    lbads=$(nvme id-ns $ns | sed -n "s/^lbaf *$f : .*lbads:\([0-9]*\).*/\1/p")
    if [ "$ms" = 0 ]; then
        t "format $f" nvme format $ns -l $f -s 1 -f
        t "format $f: block size" wait_for 5 sh -c \
            "test \$(blockdev --getss $ns) = $((1 << lbads))"
        t "format $f: data" io
    fi
done
t "format of all, crypto erase" nvme format $dev -n 0xffffffff -s 2 -l 0 -f
t "zeroes are left" sh -c "nvme read $ns -s 0 -c 7 -z 4096 -d /tmp/r && cmp -n 4096 /tmp/r /dev/zero"

t "write protection" nvme set-feature $ns -f 0x84 -V 1
tf "a write fails" nvme write $ns -s 0 -c 0 -z 512 -d /tmp/a
t "write protection off" nvme set-feature $ns -f 0x84 -V 0
t "a write succeeds" nvme write $ns -s 0 -c 0 -z 512 -d /tmp/a

t "detach-ns" nvme detach-ns $dev -n 1 -c 0
t "its block device goes" wait_for 5 gone
t "delete-ns" nvme delete-ns $dev -n 1
for i in 1 2 3 4 5 6 7 8; do
    t "namespace $i of eight" sh -c "nvme create-ns $dev -s 8192 -c 8192 -f 0 -d 0 -m 0 |
        grep -q nsid:$i && nvme attach-ns $dev -n $i -c 0"
done
t "eight block devices" wait_for 5 present /dev/nvme0n8
t "nvme reset" nvme reset $dev
t "all of them work" sh -c 'for n in /dev/nvme0n?; do
    dd if=/dev/zero of=$n bs=4096 count=16 oflag=direct 2>/dev/null || exit 1; done'

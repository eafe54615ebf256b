# SPDX-License-Identifier: GPL-2.0-or-later
# End-to-end protection with fio: it makes and checks the tuples itself
# (PRACT 0), or leaves both to the controller (PRACT 1). One namespace for each
# type, guard and place of the metadata: GUEST_PI has NSID:TYPE:BLOCK:MS:EXTENDED.
# The kernel numbers its devices as it finds them: not by NSID.
device_of() {
    local d
    for d in /sys/block/nvme0n*; do
        [ "$(cat "$d/nsid" 2>/dev/null)" = "$1" ] && echo "/dev/ng${d##*/nvme}" && return
    done
    return 1
}
run_fio() {
    local name=$1 dev=$2 bs=$3
    shift 3
    t "$name" timeout 60 fio --eta=never --name=pi --filename="$dev" --ioengine=io_uring_cmd \
        --cmd_type=nvme --iodepth=8 --bs="$bs" --size="$((bs * 256))" \
        --output=/tmp/fio.out "$@"
}
# fio does not verify interleaved blocks itself: there the tuples have to do.
both() {
    if [ "$ext" = 1 ]; then
        run_fio "$1: write" "$2" "$3" --rw=write $4
        run_fio "$1: read" "$2" "$3" --rw=randread $4
    else
        run_fio "$1" "$2" "$3" --rw=randwrite --verify=crc32c --verify_fatal=1 --verify_dump=0 $4
    fi
}
for what in $GUEST_PI; do
    IFS=: read -r n type block ms ext <<EOF
$what
EOF
    t "$what: the namespace appears" wait_for 10 device_of "$n"
    dev=$(device_of "$n")
    chk=GUARD,APPTAG,REFTAG
    [ "$type" = 3 ] && chk=GUARD,APPTAG
    if [ "$ext" = 1 ]; then
        bs=$(((block + ms) * 8)) md=
    else
        bs=$((block * 8)) md=--md_per_io_size=$((ms * 8))
    fi
    both "$what: fio makes and checks" "$dev" $bs "$md --pi_act=0 --pi_chk=$chk"
    # With 8 bytes of metadata that are all tuple, PRACT 1 transfers none.
    pi=8
    [ "$ms" = 16 ] && pi=16
    if [ "$ms" = "$pi" ]; then
        both "$what: the controller makes and checks" "$dev" $((block * 8)) \
            "--pi_act=1 --pi_chk=$chk"
    fi
    # A tuple that the host did not make, and that does not fit.
    dd if=/dev/urandom of=/tmp/w bs=$((block * 8)) count=1 2>/dev/null
    dd if=/dev/zero of=/tmp/m bs=$((ms * 8)) count=1 2>/dev/null
    if [ "$ext" = 0 ]; then
        tf "$what: a wrong guard is refused" nvme write "$dev" -s 0 -c 7 -z $((block * 8)) \
            -d /tmp/w -y $((ms * 8)) -M /tmp/m --prinfo=4
    fi
done
# The block layer's own tuples (512 + 8, separate).
first=${GUEST_PI%% *}
case $first in
1:1:512:8:0)
    disk=nvme$(device_of 1 | sed s,/dev/ng,,)
    t "the kernel knows of the protection" sh -c \
        "grep -q T10-DIF-TYPE1 /sys/block/$disk/integrity/format"
    verify "fio verify through the kernel's own tuples" /dev/$disk
    fs_copy "a file system on it" /dev/$disk ;;
esac
clean_log "protection error|Invalid|Guard Check|I/O Cmd.*Write.*(0x2)"

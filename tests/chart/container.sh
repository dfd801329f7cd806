# container.sh FILES UID GID FOLDER COMMAND…, in new namespaces: builds a root, makes it read-only, and becomes the
# command. See container.py for READABLE, WRITABLE and VARIABLES.
set -eu
files=$1 uid=$2 gid=$3 folder=$4
shift 4

ip link set lo up
root=$(mktemp -d)
mount -t tmpfs -o mode=755 tmpfs "$root"
for place in usr bin sbin lib lib64; do
    [ -e "/$place" ] || continue
    if [ -L "/$place" ]; then cp -P "/$place" "$root/$place"; else mkdir "$root/$place"; mount --rbind "/$place" "$root/$place"; fi
done
mkdir "$root/etc" "$root/proc" "$root/dev" "$root/tmp"
for file in ld.so.cache passwd group localtime; do [ ! -e "/etc/$file" ] || cp "/etc/$file" "$root/etc/$file"; done
for device in null zero urandom random; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t proc proc "$root/proc"
mkdir -p "$root$folder"
cp -R "$files/." "$root/"
chmod -R a+rX "$root/etc"
for place in $(cd "$files" && ls); do chmod -R a+rX "$root/$place" 2>/dev/null || true; done
for place in $WRITABLE; do
    mkdir -p "$root$place"
    mount -t tmpfs -o "uid=$uid,gid=$gid,mode=700" tmpfs "$root$place"
done
# Last, as it may lie inside of what is writable.
for place in $READABLE; do
    mkdir -p "$root$place"
    mount --rbind "$place" "$root$place"
done
mount -o remount,ro "$root"
for place in usr bin sbin lib lib64 $READABLE; do
    [ -L "$root/$place" ] || [ ! -e "$root/$place" ] || mount -o remount,bind,ro "$root/$place"
done

# One variable a line.
set -- "$@"
old=$IFS; IFS='
'
exec chroot "$root" setpriv --reuid "$uid" --regid "$gid" --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all \
    env -i $VARIABLES sh -c 'cd "$1" && shift && exec "$@"' sh "$folder" "$@"

# A copy of this machine, in which packages are installed for real: what a command changes in it is
# below $PLACE/copy/changed and nowhere else.
#
#   can_copy               true if there can be one: needs root and an overlay
#   on_copy COMMAND...     runs COMMAND there; its changes stay for the next one
#
# Must be sourced behind place.bash.

# shellcheck disable=SC2016  # for the other shell
COPY_AND_RUN='
  mount --make-rprivate /
  mount -t overlay overlay -o "lowerdir=/,upperdir=$0/changed,workdir=$0/work" "$0/merged"
  mount -t proc proc "$0/merged/proc"
  mount --bind /dev "$0/merged/dev"
  exec chroot "$0/merged" "$@"'

can_copy() {
  [ "$(id -u)" -eq 0 ] && on_copy true 2>/dev/null
}

on_copy() {
  mkdir -p "$COPIES/changed" "$COPIES/work" "$COPIES/merged"
  unshare --mount sh -ec "$COPY_AND_RUN" "$COPIES" "$@"
}

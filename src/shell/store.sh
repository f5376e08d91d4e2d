# The lock store of a server on which nothing is installed: plain files, moved by mv, served line by line.
# It knows no protocol.  It comes over ssh behind four assignments: R root directory, X 24 random hex digits of
# this connection, N=1 use a native dex-lock if there is one, U=1 serve even where nothing can be synced.
#
# R/format, R/incarnation     set once; the incarnation names this very directory
# R/proposed/members          set once: id, epoch and members of the group; `ready` beside it waits to be activated
# R/ID.INCARNATION.eEPOCH/    the active group, one directory KEY per lock and beside it the mark m.KEY; in KEY:
#   p.VERSION.CID.HB          the one pointer: an empty file whose NAME is the state
#   c.CID  t.OWNER            immutable content `NAME VALUE end`; a ticket, soft state
# R/tmp/PID.X.N               not published yet, dead as soon as PID is
#
# An update is one rename of the pointer: versions only grow, so a name is consumed once and never comes back.
# Content is synced before the rename, the rename before `ok`, and `ok` is said only if the path resolves still,
# hence before any sealing (mv R/ID... R/sealed.ID...). Nobody waits for anybody, so nobody can block.
LC_ALL=C; export LC_ALL; IFS=' '; set -fu; n=0
NL='
'
die() { printf '%s\n' "dex-lock 1 error $*" | { read -r f; printf '%s\n' "$f"; }; exit 1; }
native() { test "$N" = 1 && command -v dex-lock > /dev/null && exec dex-lock acceptor --stdio "$R"; }
line() { f=; { read -r f < "$1"; } 2> /dev/null; }                       # -> f
flush() { case $Y in file) sync "$@";; fsync) fsync "$@";; all) sync;; none) ;;
  perl) perl -MIO::Handle -e 'for (@ARGV) { open F, "<", $_ and F->sync or exit 1 }' "$@";; esac; }

case $R in /*) ;; *) R=./$R;; esac
line "$R/format"
case $f in
'dex-lock files 1') ;;
'dex-lock lmdb '*) native; die format "$R is a native store, and dex-lock is not found here or not wanted";;
'') test ! -e "$R/format" || die unusable "$R/format cannot be read"; test -e "$R/incarnation" || native;;
*) die format "$R/format names another format or version";; esac
test -d "$R" || e=$(mkdir -p "$R" 2>&1) || die unusable "$e"
D=; { cd "$R" && D=$PWD && cd /; } 2> /dev/null
case $D in *"$NL"*|[!/]*|'') die unusable "$R cannot be entered";; esac
for Y in file fsync perl all none; do         # the first that works, and that minds a missing file if it takes files
  flush "$D" && { case $Y in all|none) ;; *) ! flush "$D/no.$X";; esac; } && break; done 2> /dev/null
test "$Y$U" != none0 || die nosync "no sync, fsync or perl here: nothing can be made durable"
if test -z "$f"; then                         # blank: who links first decides; after a crash anyone completes it
  set +f; set -- "$D"/*; set -f
  test -e "$D/format" || for p do case ${p##*/} in '*'|tmp|incarnation|lost+found) ;;
    *) die unusable "$D has other files but no store: name an empty or a new directory";; esac; done
  t=$D/tmp/$$.$X.0
  e=$({ mkdir -p "$t" && echo "$X" > "$t/0" && echo 'dex-lock files 1' > "$t/f" && mv -f "$t/0" "$t/i"; } 2>&1) ||
    die unusable "$e"
  exec 2> /dev/null
  if mv -f "$t/0" "$t/1"; then die unusable "a rename of a missing file succeeds in $D"; fi
  flush "$t/i" "$t/f" || die unusable "sync fails in $D"
  ln "$t/i" "$D/incarnation"; ln "$t/f" "$D/format"; flush "$D" || die unusable "sync fails in $D"
  flush "$D/.."; rm -rf "$t"; line "$D/format"
  test "$f" = 'dex-lock files 1' || die unusable "no file can be linked in $D, or a native store began there"; fi
exec 2> /dev/null
line "$D/incarnation"; I=$f; case $I in *[!0-9a-f]*) I=;; esac
test ${#I} = 24 || die corrupt "$D/incarnation is missing or damaged"
test -d "$D/tmp" || mkdir "$D/tmp"
B=-; case $(stat -f -c %T "$D") in            # elsewhere a rename may be lost without a new boot
ext*|xfs|btrfs|zfs|f2fs|jfs|reiserfs|bcachefs) line /proc/sys/kernel/random/boot_id; B=${f:--};; esac
proposed() { z=; read -r g p m z < "$D/proposed/members"; test "$z" = end; }                  # -> g p m
g=-; if test -d "$D/proposed"; then
  proposed || die corrupt "$D/proposed/members is missing or damaged"; g=$g:$p:$m; fi
a=-; m=0; set +f; set -- "$D"/*".$I.e"*; set -f
for f do e=${f##*.e}; case ${f##*/} in *.*.*.*) ;; *) case $e in *[!0-9]*|??????????*) ;;
  *) test "$e" -le "$m" || { m=$e; a=${f##*/}; };; esac;; esac; done
printf '%s\n' "dex-lock 1 files inc=$I boot=$B sync=$Y proposed=$g active=$a dir=$D"

# Every verb leaves its answer in S; "=" stands for P (pointer; V its version, C its content), L (name), M (value).
say() { case $S in =) echo "$i = $P $L $M";; *) echo "$i $S";; esac; test "$S" != '! sync' || exit 1; }
absent() { S='! gone'; test ! -d "$D/sealed.$w" || S='! sealed'; return 1; }
fault() { if test -d "$2"; then S="! $1"; return 1; else absent; fi; }
full() { fault "write nothing can be written in $w: disk full or no permission" "$1"; }
safe() { flush "$@" || fault sync "$1"; }                                # $1 a directory that only sealing moves
kept() { flush "$@" || test ! -e "$1" || { S='! sync'; return 1; }; }    # $1 a thing that others may have removed
same() { line "$D/incarnation"; test "$f" = "$I" || absent; }
plain() { case $1 in ''|-*|*[!!-~]*|*[\\\"\']*) return 1;; esac; }
state() { case $1 in *[!a-z0-9_.-]*|*.*.*.*) return 1;; ?*.?*-?*.?*) ;; *) return 1;; esac
  case ${1%%.*} in *[!0-9]*|0?*|[!1]?????????*|???????????*) return 1;; esac; }
temp() { n=$((n + 1)); q=$$.$X.$n; t=$D/tmp/$q; }
look() {
  j=0; while j=$((j + 1)); P='' C=''; test $j -le 100; do
    set +f; set -- "$d"/p.*; set -f; f=${1##*/p.}
    if test $# -gt 1; then S='two pointers'
    elif test -e "$1"; then S='a bad pointer'
      if state "$f"; then P=$f V=${f%%.*} C=${f#*.}; C=${C%.*}; S="no whole content c.$C"
        if { z=; read -r L M z < "$d/c.$C"; test "$z" = end; } && plain "$L" && plain "$M"; then S='='; return; fi; fi
    elif test -d "$d"; then S='no pointer'
    elif test ! -d "$D/$w"; then absent; return
    elif test -e "$D/$w/m.$k"; then S='the directory was removed'
    else S=-; return; fi; done                # no whole picture: a rename was in flight, look again
  S="! corrupt $S: $w/$k"; }
mark() { test -e "$D/$w/m.$k" ||              # by which look() misses a removed directory; it proves the path, too
  { { true > "$D/$w/m.$k" || full "$d"; } && safe "$D/$w" "$D/$w/m.$k"; }; }
clean() {                                     # P was current: of its version or below no other content ever will be
  set +f; set -- "$d"/*; set -f
  for f do shift; p=${f##*/}; case $p in
    c."$C") continue;;
    c.*-*) p=${p#c.}; p=${p%%-*}; case $p in *[!0-9]*) continue;; esac; test "$p" -le "$V" || continue;;
    [0-9]*) ;;                                # a create that lost
    *) continue;; esac; set -- "$@" "$f"; done
  test $# = 0 || rm -rf "$@"; }
swap() {                                      # $1 the new pointer, $2 its content: the rename decides
  test "$V" -lt 1999999999 || { S='! bad'; return; }
  if mv -f "$d/p.$a" "$d/p.$1"; then P=$1 V=${1%%.*} C=$2; else look; fi           # NFS may deny what it did
  u=clean; case $S$P in
  "=$1") case $v$B in C*|H-) safe "$d" || return;; esac; mark && S="ok $1";;
  "=$a") test "$C" = "$2" || rm -f "$d/c.$2"; full "$d";; esac; }
put() { echo "$g $e end" > "$1" && read -r y z x < "$1" && test "$y $z $x" = "$g $e end"; }
update() {
  j=$((V + 1))-$b; test "$L" = "$g" || { S="! corrupt content of $L: $w/$k"; return; }
  test ! -e "$d/c.$j" || { S='! bad'; return; }
  put "$d/c.$j" || { rm -f "$d/c.$j"; look; test "$S$P" != "=$a" || full "$d"; return; }
  kept "$d/c.$j" "$d" && swap "${j%-*}.$j.$c" "$j"; }
create() {
  for y in 1 2 3; do temp                     # again if a sweep from another host took it
    if mkdir "$t" && put "$t/c.0-$b" && true > "$t/p.0.0-$b.$c"; then
      kept "$t" "$t/c.0-$b" "$t/p.0.0-$b.$c" || return
      test -d "$d" || mv -f "$t" "$d"; fi
    look; case $S$C in "=0-$b") safe "$D/$w" && mark && S="ok 0.0-$b.$c"; return;; esac
    rm -rf "$t" "${d:?}/$q"; test "$S" = - || return; done
  full "$D/$w"; }
propose() {
  same || return; if test ! -d "$D/proposed"; then temp
    if mkdir "$t" "$t/ready" && echo "$w $k $a end" > "$t/members"; then
      kept "$t" "$t/members" "$t/ready" || return
      mv -f "$t" "$D/proposed"; fi; rm -rf "$t" "$D/proposed/$q"; fi
  test -d "$D/proposed" || { full "$D"; return; }
  safe "$D" || return; proposed || { S='! corrupt proposed/members'; return; }; same && S="= $g $p $m"; }
activate() {                                  # `ready` can be moved only once: what was sealed or removed stays so
  same && proposed && S='! bad' && test "$g $p" = "$w $k" || return; w=$w.$I.e$k; d=$D/$w
  test -d "$d" || mv -f "$D/proposed/ready" "$d"
  if test -d "$d"; then safe "$D" "$D/proposed" && S="ok $w"
  elif test -d "$D/proposed/ready"; then full "$D"; else absent; fi; }
ticket() {
  p=$d/t.$a; if test "$b" = -; then test ! -e "$p" || rm -f "$p"
  else set +f; set -- "$d"/t.*; set -f; test $# -lt 64 || test -e "$p" || { S='! write 64 tickets are enough'; return; }
    temp; { echo "$b" > "$t" && mv -f "$t" "$p"; } || { rm -f "$t"; full "$d"; return; }; fi; S=ok; }
tickets() {
  set +f; set -- "$d"/t.*; set -f; S=-; y='='; j=0
  for f do p=${f##*/t.}; line "$f"; case $p in *[!a-z0-9_-]*) ;; *) plain "$f" && y="$y $p:$f" j=$((j + 1));; esac
    case $j:${#y} in 64:*|*:1[5-9]???) break;; esac; done; test $j = 0 || S=$y; }
keys() {
  set +f; set -- "$D/$w"/*; set -f
  for f do k=${f##*/}; case $k in m.*) k=${k#m.}; test ! -d "$D/$w/$k" || continue;; *) test -d "$f" || continue;; esac
    case $k in *[!a-z0-9_%-]*) ;; *) echo "$i k $k";; esac; done
  if test -d "$D/$w"; then S=.; else absent; fi; }
facts() {                                     # of df: kilobytes and inodes, all and free; seconds since boot
  u='='; for f in k i; do
    z=$(df "-P$f" "$D"); x=${z%%"$NL"*} z=${z#*"$NL"}
    # shellcheck disable=SC2086  # splits at blanks
    set -- $z; j=${2-}:${4-}
    case $f$x in k*|*Inodes*) ;; *) j=;; esac
    case $j in :*|*:|*[!0-9:]*|'') j=-:-;; esac; u="$u ${j%:*} ${j#*:}"; done
  line /proc/uptime; f=${f%% *}; S="$u ${f:--}"; }
valid() {
  S='! bad'; case $v in
  N|S) return;;
  F|A) case $k in 0*|*[!0-9]*|??????????*) return 1;; esac
    case $w:$a in *[!a-z0-9]*:*|*:*[!a-z0-9,]*) return 1;; esac; test ${#w} -le 64; return;; esac
  case $k in *[!a-z0-9_%-]*) return 1;; esac; test ${#k} -le 200 || return
  case $w in *[!a-z0-9.]*|*.*.*.*) return 1;; ?*".$I.e"?*) ;; *) absent; return;; esac
  case $v in
  C) case $b/$c in *[!a-z0-9]*/*|*/*[!0-9_]*) return 1;; esac
    test ${#b} -le 40 && test ${#c} -le 180 && plain "$g" && plain "$e";;
  H) case $b in *[!0-9_]*) return 1;; esac; test ${#b} -le 180;;
  T) case $a in *[!a-z0-9_-]*) return 1;; esac
    test ${#a} -le 64 && test ${#b} -le 800 && { test "$b" = - || plain "$b"; };;
  esac; }
set +f; set -- "$D"/tmp/[0-9]* "$D"/proposed/[0-9]*; set -f               # what dead connections left unpublished
for f do p=${f##*/}; p=${p%%.*}; case $p in *[!0-9]*) ;; *)               # moved away first: never half of a live one
  kill -0 "$p" || { temp; mv -f "$f" "$t" && rm -rf "$t"; };; esac; done
while read -r i v w k a b c g e z; do
  x=$w$k$a$b$c$g$e$z; test ${#x} -le 16384 || v=
  case $i in ''|*[!0-9]*|??????????*) i=0 v=;; esac
  # shellcheck disable=SC2086  # counts the fields: no globbing (set -f), split at blanks only
  set -- $w $k $a $b $c $g $e ${z:+z}
  case $v$# in G2|D2|C7|H4|T4|L2|K1|F3|A2|N0|S0) ;; *) echo "$i ?"; continue;; esac
  d=$D/$w/$k u=; if valid; then
    case $v in [GDCHTL]) look;; esac
    case $v$S in
    D=) safe "$d" "$D/$w" && mark;;
    C=) test "$a" != "$P" || update;;
    C-) test "$a" != - || create;;
    H=) test "$a" != "$P" || swap "$((V + 1)).$C.$b" "$C";;
    T=) ticket;; L=) tickets;; K*) keys;; F*) propose;; A*) activate;; N*) S=ok;; S*) facts;; esac; fi
  say; case $u$S in clean=|cleanok*) clean;; esac; done

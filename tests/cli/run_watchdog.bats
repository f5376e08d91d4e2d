# --watchdog: fed while the lease lasts. The device is a file here, and a small library answers for it;
# a real one would reset the machine.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
  one_store
  : >device
  cat >answers.c <<'EOF'
#include <linux/watchdog.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
static int set;
int ioctl(int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  const char* least = getenv("WATCHDOG_LEAST");
  if (request == WDIOC_SETTIMEOUT) {
    set = *(int*)argument;
    set = least != 0 && atoi(least) > set ? atoi(least) : set;
    return 0;
  }
  if (request == WDIOC_GETTIMEOUT) {
    *(int*)argument = set;
    return 0;
  }
  return (int)syscall(SYS_ioctl, fd, request, argument);
}
EOF
  cc -shared -fPIC -o answers.so answers.c
  WITH=(env LD_PRELOAD="$PLACE/answers.so")
}

teardown() {
  place_teardown
}

# What has been written to the device, a letter each: f food, V disarmed.
meals() {
  tr '\0' f <device
}

fed() {
  [[ $(meals) == *f* ]]
}

@test "it is fed while the command runs and disarmed when that has ended" {
  run -3 "${WITH[@]}" dex-lock run --timeout 3 --watchdog device job -- sh -c 'sleep 2; exit 3'
  [[ $(meals) =~ ^ff+V$ ]] # the first one, of the check before, is overwritten
}

@test "when the lock is lost it is fed no more, and disarmed once nothing of the command is left" {
  beside holder "${WITH[@]}" dex-lock run --timeout 4 --watchdog device job -- sleep 1000
  eventually fed
  rm -rf "$PLACE/store"
  [ "$(status_of holder)" -eq 121 ]
  [[ $(meals) == *fV ]]
}

@test "when run is killed it is not disarmed" {
  beside holder "${WITH[@]}" dex-lock run --timeout 4 --watchdog device job -- sleep 1000
  eventually fed
  kill -KILL "${PID[holder]}"
  eventually get-lock --owner me job
  [[ $(meals) == *f ]]
}

@test "what cannot keep the promise is refused with the arithmetic, before it waits" {
  get-lock --owner other job
  run -64 --separate-stderr "${WITH[@]}" dex-lock run --timeout 1 --watchdog device job -- touch ran
  [[ $stderr == *"it counts whole seconds; others may have the lock after 1 s, a renewal may come as late as 400 ms, so it must be 0 s or less"* ]]
  WATCHDOG_LEAST=60 run -64 --separate-stderr "${WITH[@]}" dex-lock run --watchdog device job -- touch ran
  [[ $stderr == *"its time is 1 min at least; others may have the lock after 30 s"*"18 s or less"* ]]
  [[ $(meals) == *V ]]
  run -125 --separate-stderr dex-lock run --watchdog device job -- touch ran
  [[ $stderr == *"device is no watchdog whose time can be set"* ]]
  run -125 --separate-stderr dex-lock run --watchdog none job -- touch ran
  [[ $stderr == *"cannot open watchdog none: No such file"* ]]
  [ ! -e ran ]
}

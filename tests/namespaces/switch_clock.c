/* Preloaded into ringbackd, so that a lab need not wait for minutes: the switch's clock, which is the only one that asks
 * for CLOCK_MONOTONIC_COARSE, is ahead by as many seconds as $SWITCH_CLOCK, a file of eight digits, says. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { digits = 8 };
static const volatile char* ahead;

__attribute__((constructor)) static void open_file(void) {
  const int fd = open(getenv("SWITCH_CLOCK"), O_RDONLY | O_CLOEXEC);
  void* const bytes = mmap(0, digits, PROT_READ, MAP_SHARED, fd, 0);
  if (bytes == MAP_FAILED) abort();
  close(fd);
  ahead = bytes;
}

int clock_gettime(clockid_t clock, struct timespec* now) {
  const int status = (int)syscall(SYS_clock_gettime, clock, now);
  if (status != 0 || clock != CLOCK_MONOTONIC_COARSE || !ahead) return status;
  time_t seconds = 0;
  for (int i = 0; i < digits; ++i) seconds = seconds * 10 + (ahead[i] - '0');
  now->tv_sec += seconds;
  return 0;
}

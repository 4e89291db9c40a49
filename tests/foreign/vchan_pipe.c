/* vchan_pipe.c - one end of a pipe between two domains, on Debian's libxenvchan and nothing of this
 * project. vchan_pipe send DOMID PATH     offers a channel to DOMID at PATH of xenstore, and sends
 * standard input into it vchan_pipe receive DOMID PATH  from DOMID's channel to standard output */
#include <libxenvchan.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char buffer[65536];

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static void send_all(struct libxenvchan* channel) {
  ssize_t got;
  while ((got = read(STDIN_FILENO, buffer, sizeof buffer)) > 0)
    for (ssize_t done = 0; done < got;) {
      int sent = libxenvchan_write(channel, buffer + done, got - done);
      if (sent <= 0) fail("libxenvchan_write");
      done += sent;
    }
  /* What is in the ring when this end closes is still read by the other. */
  libxenvchan_close(channel);
}

static void receive_all(struct libxenvchan* channel) {
  int got;
  while ((got = libxenvchan_read(channel, buffer, sizeof buffer)) > 0)
    for (ssize_t done = 0; done < got;) {
      ssize_t written = write(STDOUT_FILENO, buffer + done, got - done);
      if (written < 0) fail("write");
      done += written;
    }
  libxenvchan_close(channel);
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  int domain = atoi(argv[2]), sends = !strcmp(argv[1], "send");
  struct libxenvchan* channel = sends ? libxenvchan_server_init(NULL, domain, argv[3], 0, 65536)
                                      : libxenvchan_client_init(NULL, domain, argv[3]);
  if (!channel) fail("no channel");
  channel->blocking = 1;
  if (sends)
    send_all(channel);
  else
    receive_all(channel);
  return 0;
}

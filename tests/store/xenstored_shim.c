/* Preloaded into Debian's xenstored, so that it runs where there is no hypervisor: the reference
 * that the embedded store is compared with.
 *
 * Domain 0 speaks to xenstored through its socket as always. A guest speaks through a ring in its
 * memory; here that ring is a page of this process, and a thread per domain joins it to the socket
 * $XENSTORED_RUNDIR/<domid>, for one client. A domain exists from the mapping of its ring
 * (XS_INTRODUCE) to the unmapping (XS_RELEASE). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

enum { domains = 8, ring_mask = XENSTORE_RING_SIZE - 1 };

struct guest {
  struct xenstore_domain_interface* ring; /* 0: does not exist */
  int listener;
  int wake; /* eventfd: xenstored has notified the guest, or unmapped the ring */
  pthread_t thread;
  atomic_bool gone;
};
static struct guest guests[domains];
static int events = -1; /* eventfd: a guest has notified xenstored */

static void signal_to(int fd) {
  const uint64_t one = 1;
  if (write(fd, &one, sizeof one) < 0) abort();
}

static void take_signal(int fd) {
  uint64_t count;
  if (read(fd, &count, sizeof count) < 0) return;
}

/* One direction each, as much as fits; the number of bytes moved, -1 when the client has gone. */
static ssize_t socket_to_ring(int client, struct xenstore_domain_interface* ring) {
  const uint32_t produced = ring->req_prod;
  const uint32_t at = produced & ring_mask;
  uint32_t room =
      XENSTORE_RING_SIZE - (produced - __atomic_load_n(&ring->req_cons, __ATOMIC_SEQ_CST));
  if (room > XENSTORE_RING_SIZE - at) room = XENSTORE_RING_SIZE - at;
  if (room == 0) return 0;
  const ssize_t got = recv(client, ring->req + at, room, MSG_DONTWAIT);
  if (got == 0) return -1;
  if (got < 0) return 0;
  __atomic_store_n(&ring->req_prod, produced + (uint32_t)got, __ATOMIC_SEQ_CST);
  return got;
}

static ssize_t ring_to_socket(struct xenstore_domain_interface* ring, int client) {
  const uint32_t consumed = ring->rsp_cons;
  const uint32_t at = consumed & ring_mask;
  uint32_t length = __atomic_load_n(&ring->rsp_prod, __ATOMIC_SEQ_CST) - consumed;
  if (length > XENSTORE_RING_SIZE - at) length = XENSTORE_RING_SIZE - at;
  if (length == 0) return 0;
  const ssize_t sent = send(client, ring->rsp + at, length, MSG_NOSIGNAL);
  if (sent < 0) return -1;
  __atomic_store_n(&ring->rsp_cons, consumed + (uint32_t)sent, __ATOMIC_SEQ_CST);
  return sent;
}

static void serve(struct guest* guest, int client) {
  while (!guest->gone) {
    const ssize_t in = socket_to_ring(client, guest->ring);
    const ssize_t out = in < 0 ? -1 : ring_to_socket(guest->ring, client);
    if (out < 0) return;
    if (in > 0 || out > 0) {
      signal_to(events);
      continue;
    }
    const int full = guest->ring->req_prod - guest->ring->req_cons == XENSTORE_RING_SIZE;
    struct pollfd fds[] = {{guest->wake, POLLIN, 0}, {client, full ? 0 : POLLIN, 0}};
    poll(fds, 2, -1);
    if (fds[0].revents) take_signal(guest->wake);
  }
}

static void* guest_thread(void* argument) {
  struct guest* guest = argument;
  while (!guest->gone) {
    struct pollfd fds[] = {{guest->wake, POLLIN, 0}, {guest->listener, POLLIN, 0}};
    poll(fds, 2, -1);
    if (fds[0].revents) take_signal(guest->wake);
    if (!fds[1].revents || guest->gone) continue;
    const int client = accept(guest->listener, 0, 0);
    if (client < 0) continue;
    serve(guest, client);
    close(client);
  }
  return 0;
}

void* xengnttab_map_grant_ref(xengnttab_handle* handle, uint32_t domain, uint32_t ref, int prot) {
  (void)handle, (void)ref, (void)prot;
  if (domain == 0 || domain >= domains || guests[domain].ring) return 0;
  struct guest* guest = &guests[domain];
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s/%u", getenv("XENSTORED_RUNDIR"), domain);
  unlink(address.sun_path);
  guest->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(guest->listener, (struct sockaddr*)&address, sizeof address) != 0 ||
      listen(guest->listener, 4) != 0)
    return 0;
  guest->ring = mmap(0, XC_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  guest->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  guest->gone = 0;
  pthread_create(&guest->thread, 0, guest_thread, guest);
  return guest->ring;
}

int xengnttab_unmap(xengnttab_handle* handle, void* start, uint32_t count) {
  (void)handle, (void)count;
  for (struct guest* guest = guests; guest != guests + domains; ++guest) {
    if (guest->ring != start) continue;
    guest->gone = 1;
    signal_to(guest->wake);
    pthread_join(guest->thread, 0);
    close(guest->listener);
    close(guest->wake);
    munmap(guest->ring, XC_PAGE_SIZE);
    guest->ring = 0;
    return 0;
  }
  return -1;
}

xengnttab_handle* xengnttab_open(xentoollog_logger* logger, unsigned flags) {
  (void)logger, (void)flags;
  return (xengnttab_handle*)guests;
}
int xengnttab_close(xengnttab_handle* handle) {
  return (void)handle, 0;
}
int xengnttab_set_max_grants(xengnttab_handle* handle, uint32_t count) {
  return (void)handle, (void)count, 0;
}

xc_interface* xc_interface_open(xentoollog_logger* logger, xentoollog_logger* dombuild,
                                unsigned flags) {
  (void)logger, (void)dombuild, (void)flags;
  return (xc_interface*)guests;
}
int xc_interface_close(xc_interface* handle) {
  return (void)handle, 0;
}

int xc_domain_getinfo(xc_interface* handle, uint32_t first, unsigned int max, xc_dominfo_t* info) {
  (void)handle, (void)max;
  if (first != 0 && (first >= domains || !guests[first].ring)) return 0;
  memset(info, 0, sizeof *info);
  info->domid = first;
  info->running = 1;
  return 1;
}

xenevtchn_handle* xenevtchn_open(xentoollog_logger* logger, unsigned flags) {
  (void)logger, (void)flags;
  events = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return (xenevtchn_handle*)&events;
}
int xenevtchn_fd(xenevtchn_handle* handle) {
  return (void)handle, events;
}

/* A port is the domain's number; the virtual interrupt's is one that no domain has. */
xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle* handle, uint32_t domain,
                                                     evtchn_port_t port) {
  (void)handle, (void)port;
  return domain == 0 ? domains + 1 : (xenevtchn_port_or_error_t)domain;
}
xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle* handle, unsigned int virq) {
  return (void)handle, (void)virq, domains + 2;
}
int xenevtchn_unbind(xenevtchn_handle* handle, evtchn_port_t port) {
  return (void)handle, (void)port, 0;
}
int xenevtchn_unmask(xenevtchn_handle* handle, evtchn_port_t port) {
  return (void)handle, (void)port, 0;
}
int xenevtchn_notify(xenevtchn_handle* handle, evtchn_port_t port) {
  (void)handle;
  if (port < domains && guests[port].ring) signal_to(guests[port].wake);
  return 0;
}
/* Which port it was does not matter: xenstored looks at every ring whenever it wakes. */
xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle* handle) {
  (void)handle;
  take_signal(events);
  return 1;
}

/* Domain 0's ring and port come from files of the kernel. */
int open(const char* path, int flags, ...) {
  if (strstr(path, "/xsd_port") || strstr(path, "/xsd_kva")) {
    const int fd = memfd_create("xsd", MFD_CLOEXEC);
    if (ftruncate(fd, XC_PAGE_SIZE) != 0) return -1;
    if (strstr(path, "/xsd_port") && pwrite(fd, "1", 1, 0) != 1) return -1;
    return fd;
  }
  va_list arguments;
  va_start(arguments, flags);
  const int mode = va_arg(arguments, int);
  va_end(arguments);
  int (*next)(const char*, int, ...) = (int (*)(const char*, int, ...))dlsym(RTLD_NEXT, "open");
  return next(path, flags, mode);
}

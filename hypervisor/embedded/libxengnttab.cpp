// Xen's libxengnttab.so.1, on the embedded hypervisor: the C face of the grant handles. Says what
// xengnttab.h says.
#pragma GCC visibility push(default)
extern "C" {
#include <xengnttab.h>
}
#pragma GCC visibility pop

#include "hypervisor/embedded/c_call.hpp"
#include "hypervisor/embedded/grant_handles.hpp"

using namespace ringback::hypervisor::embedded;

// Xen gives both kinds of handle this type.
struct xengntdev_handle {
  std::unique_ptr<GrantMapperHandle> mapper{};
  std::unique_ptr<GrantSharerHandle> sharer{};
};

namespace {
// As libxengnttab has it: a byte that is not in the page stands for none.
Notify notify_of(std::uint32_t offset, evtchn_port_t port) {
  return {offset < ringback::hypervisor::page_size ? offset : none, port};
}
}  // namespace

// --- mapping and copying ---

xengnttab_handle* xengnttab_open(xentoollog_logger*, unsigned) {
  return pointer_call([] {
    return GrantMapperHandle::open().map(
        [](auto mapper) { return new xengntdev_handle{.mapper = std::move(mapper)}; });
  });
}

int xengnttab_close(xengnttab_handle* handle) {
  delete handle;
  return 0;
}

int xengnttab_fd(xengnttab_handle* handle) {
  return handle->mapper->fd();
}

int xengnttab_set_max_grants(xengnttab_handle*, std::uint32_t) {
  return 0;
}  // there is no limit

void* xengnttab_map_grant_refs(xengnttab_handle* handle, std::uint32_t count,
                               std::uint32_t* domains, std::uint32_t* refs, int protection) {
  return pointer_call([&] {
    return handle->mapper->map(std::span(domains, count), std::span(refs, count), protection);
  });
}

void* xengnttab_map_domain_grant_refs(xengnttab_handle* handle, std::uint32_t count,
                                      std::uint32_t domain, std::uint32_t* refs, int protection) {
  return pointer_call([&] {
    const std::vector<std::uint32_t> domains(count, domain);
    return handle->mapper->map(domains, std::span(refs, count), protection);
  });
}

void* xengnttab_map_grant_ref(xengnttab_handle* handle, std::uint32_t domain, std::uint32_t ref,
                              int protection) {
  return xengnttab_map_grant_refs(handle, 1, &domain, &ref, protection);
}

void* xengnttab_map_grant_ref_notify(xengnttab_handle* handle, std::uint32_t domain,
                                     std::uint32_t ref, int protection, std::uint32_t notify_offset,
                                     evtchn_port_t notify_port) {
  return pointer_call([&] {
    return handle->mapper->map(std::span(&domain, 1), std::span(&ref, 1), protection,
                               notify_of(notify_offset, notify_port));
  });
}

int xengnttab_unmap(xengnttab_handle* handle, void* start, std::uint32_t count) {
  return int_call([&] { return handle->mapper->unmap(start, count); });
}

int xengnttab_grant_copy(xengnttab_handle* handle, std::uint32_t count,
                         xengnttab_grant_copy_segment_t* segments) {
  return int_call([&] {
    handle->mapper->copy(std::span(segments, count));
    return Answer<void>();
  });
}

// --- sharing ---

xengntshr_handle* xengntshr_open(xentoollog_logger*, unsigned) {
  return pointer_call([] {
    return GrantSharerHandle::open().map(
        [](auto sharer) { return new xengntdev_handle{.sharer = std::move(sharer)}; });
  });
}

int xengntshr_close(xengntshr_handle* handle) {
  return xengnttab_close(handle);
}

int xengntshr_fd(xengntshr_handle* handle) {
  return handle->sharer->fd();
}

void* xengntshr_share_pages(xengntshr_handle* handle, std::uint32_t domain, int count,
                            std::uint32_t* refs, int writable) {
  return pointer_call([&]() -> Answer<std::byte*> {
    if (count <= 0) return tl::unexpected(EINVAL);
    return handle->sharer->share(domain, std::span(refs, static_cast<std::size_t>(count)),
                                 writable != 0);
  });
}

void* xengntshr_share_page_notify(xengntshr_handle* handle, std::uint32_t domain,
                                  std::uint32_t* ref, int writable, std::uint32_t notify_offset,
                                  evtchn_port_t notify_port) {
  return pointer_call([&] {
    return handle->sharer->share(domain, std::span(ref, 1), writable != 0,
                                 notify_of(notify_offset, notify_port));
  });
}

int xengntshr_unshare(xengntshr_handle* handle, void* start, std::uint32_t count) {
  return int_call([&] { return handle->sharer->unshare(start, count); });
}

// --- dma-bufs: as on a kernel without them ---

static int no_dmabuf() {
  errno = EOPNOTSUPP;
  return -1;
}

int xengnttab_dmabuf_exp_from_refs(xengnttab_handle*, std::uint32_t, std::uint32_t, std::uint32_t,
                                   const std::uint32_t*, std::uint32_t*) {
  return no_dmabuf();
}
int xengnttab_dmabuf_exp_wait_released(xengnttab_handle*, std::uint32_t, std::uint32_t) {
  return no_dmabuf();
}
int xengnttab_dmabuf_imp_to_refs(xengnttab_handle*, std::uint32_t, std::uint32_t, std::uint32_t,
                                 std::uint32_t*) {
  return no_dmabuf();
}
int xengnttab_dmabuf_imp_release(xengnttab_handle*, std::uint32_t) {
  return no_dmabuf();
}

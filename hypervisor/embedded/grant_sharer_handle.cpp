#include <algorithm>
#include <cerrno>

#include "hypervisor/embedded/grant_handles.hpp"

namespace ringback::hypervisor::embedded {

Answer<std::unique_ptr<GrantSharerHandle>> GrantSharerHandle::open() {
  auto opened = Client::open(Call::open_sharer, true);
  if (!opened) return tl::unexpected(opened.error());
  return std::unique_ptr<GrantSharerHandle>(new GrantSharerHandle(std::move(opened->client)));
}

Answer<std::byte*> GrantSharerHandle::share(std::uint32_t with, std::span<GrantRef> refs,
                                            bool writable, Notify notify) {
  if (refs.empty()) return tl::unexpected(EINVAL);
  const std::lock_guard lock(mutex_);
  auto window = PageWindow::reserve(refs.size());
  if (!window) return tl::unexpected(window.error());
  Shared shared{std::move(*window), {}};
  const auto done = share_into(shared, with, refs, writable, notify);
  if (!done) {
    end(std::move(shared));
    return tl::unexpected(done.error());
  }
  std::byte* const base = shared.window.base();
  shared_.emplace(base, std::move(shared));
  return base;
}

Answer<void> GrantSharerHandle::share_into(Shared& shared, std::uint32_t with,
                                           std::span<GrantRef> refs, bool writable, Notify notify) {
  for (std::size_t at = 0; at < refs.size();) {
    const std::size_t count = std::min<std::size_t>(refs.size() - at, max_words);
    const auto reply = client_.call({.call = Call::share,
                                     .domain = with,
                                     .port = static_cast<std::uint32_t>(count),
                                     .writable = writable,
                                     .notify_offset = notify.offset,
                                     .notify_port = notify.port});
    if (!reply) return tl::unexpected(reply.error());
    shared.ids.push_back(reply->header.id);
    if (reply->words.size() != count) return tl::unexpected(EPROTO);
    if (reply->descriptors.empty()) return tl::unexpected(EMFILE);
    std::ranges::copy(reply->words, refs.begin() + static_cast<std::ptrdiff_t>(at));
    const auto shown = shared.window.show(at, reply->descriptors.front().get(), reply->header.pages,
                                          refs.subspan(at, count), PROT_READ | PROT_WRITE);
    if (!shown) return shown;
    at += count;
  }
  return {};
}

Answer<void> GrantSharerHandle::unshare(void* pages, std::size_t count) {
  const std::lock_guard lock(mutex_);
  const auto found = shared_.find(pages);
  if (found == shared_.end() || found->second.window.pages() != count)
    return tl::unexpected(EINVAL);
  end(std::move(shared_.extract(found).mapped()));
  return {};
}

void GrantSharerHandle::end(Shared shared) {
  const std::vector<std::uint64_t> ids = std::move(shared.ids);
  { const PageWindow closed = std::move(shared.window); }
  for (const std::uint64_t id : ids) client_.call({.call = Call::unshare, .id = id});
}

}  // namespace ringback::hypervisor::embedded

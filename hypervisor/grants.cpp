#include "hypervisor/grants.hpp"

#include <sys/mman.h>

#include <fmt/format.h>

namespace ringback::hypervisor {
namespace {

constexpr const char* no_grants =
    "no grants (in a Xen domain: are xen-gntdev and xen-gntalloc loaded? elsewhere: start "
    "`ringback-hypervisor "
    "serve` and run this under `ringback-hypervisor exec DOMID --`)";

class XenGrantUser final : public GrantUser {
 public:
  explicit XenGrantUser(xengnttab_handle* handle) : handle_(handle, &xengnttab_close) {}

  Result<Mapping> map(DomainId domain, std::span<const GrantRef> refs, Access access) override {
    const int protection = access == Access::read_write ? PROT_READ | PROT_WRITE : PROT_READ;
    const auto count = static_cast<std::uint32_t>(refs.size());
    std::vector<GrantRef> copy(refs.begin(), refs.end());
    void* memory =
        xengnttab_map_domain_grant_refs(handle_.get(), count, domain, copy.data(), protection);
    if (memory == nullptr)
      return system_failure(fmt::format("cannot map grant {}{} of domain {}", refs.front(),
                                        count > 1 ? " and others" : "", domain));
    return Mapping(handle_.get(), memory, count, [](void* handle, void* pages, std::uint32_t n) {
      xengnttab_unmap(static_cast<xengnttab_handle*>(handle), pages, n);
    });
  }

  Result<void> copy(std::span<Copy> batch) override {
    if (batch.empty()) return {};
    if (xengnttab_grant_copy(handle_.get(), static_cast<std::uint32_t>(batch.size()),
                             batch.data()) != 0)
      return system_failure("grant copy");
    return {};
  }

 private:
  std::unique_ptr<xengnttab_handle, decltype(&xengnttab_close)> handle_;
};

class XenGrantSharer final : public GrantSharer {
 public:
  explicit XenGrantSharer(xengntshr_handle* handle) : handle_(handle, &xengntshr_close) {}

  Result<SharedPages> share(DomainId with, std::uint32_t pages, Access access) override {
    std::vector<GrantRef> refs(pages);
    void* memory = xengntshr_share_pages(handle_.get(), with, static_cast<int>(pages), refs.data(),
                                         access == Access::read_write);
    if (memory == nullptr)
      return system_failure(fmt::format("cannot share {} pages with domain {}", pages, with));
    return SharedPages(handle_.get(), memory, std::move(refs),
                       [](void* handle, void* shared, std::uint32_t n) {
                         xengntshr_unshare(static_cast<xengntshr_handle*>(handle), shared, n);
                       });
  }

 private:
  std::unique_ptr<xengntshr_handle, decltype(&xengntshr_close)> handle_;
};

}  // namespace

Result<std::unique_ptr<GrantUser>> open_grant_user() {
  xengnttab_handle* handle = xengnttab_open(nullptr, 0);
  if (handle == nullptr) return system_failure(no_grants);
  return std::make_unique<XenGrantUser>(handle);
}

Result<std::unique_ptr<GrantSharer>> open_grant_sharer() {
  xengntshr_handle* handle = xengntshr_open(nullptr, 0);
  if (handle == nullptr) return system_failure(no_grants);
  return std::make_unique<XenGrantSharer>(handle);
}

}  // namespace ringback::hypervisor

// To be preloaded: how many bytes a process copies by grants, from a page of one domain to a page
// of another, and to or from memory of its own. Written to the file that COPIES_SEEN names when it
// ends.
#include <dlfcn.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

extern "C" {
#include <xengnttab.h>
}

namespace {

struct Seen {
  std::atomic<std::uint64_t> page_to_page = 0;
  std::atomic<std::uint64_t> here = 0;
  ~Seen() {
    const char* const name = std::getenv("COPIES_SEEN");
    if (name == nullptr || page_to_page + here == 0) return;
    std::FILE* const file = std::fopen(name, "w");
    if (file == nullptr) return;
    std::fprintf(file, "page-to-page %llu here %llu\n",
                 static_cast<unsigned long long>(page_to_page.load()),
                 static_cast<unsigned long long>(here.load()));
    std::fclose(file);
  }
};
Seen seen;

}  // namespace

extern "C" int xengnttab_grant_copy(xengnttab_handle* handle, std::uint32_t count,
                                    xengnttab_grant_copy_segment_t* segments) {
  static const auto real =
      reinterpret_cast<decltype(&xengnttab_grant_copy)>(dlsym(RTLD_NEXT, "xengnttab_grant_copy"));
  constexpr unsigned both = GNTCOPY_source_gref | GNTCOPY_dest_gref;
  for (std::uint32_t i = 0; i < count; ++i)
    ((segments[i].flags & both) == both ? seen.page_to_page : seen.here) += segments[i].len;
  return real(handle, count, segments);
}

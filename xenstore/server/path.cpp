#include "xenstore/server/path.hpp"

#include <xen/io/xs_wire.h>

#include <algorithm>

namespace ringback::xenstore::server {
namespace {

constexpr std::string_view letters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-/_@";
constexpr std::string_view homes = "/local/domain/";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// The length of a leading "/local/domain/<id>/", 0 if there is none.
std::size_t home_prefix(std::string_view path) {
  if (!path.starts_with(homes)) return 0;
  const std::string_view rest = path.substr(homes.size());
  const auto digits =
      static_cast<std::size_t>(std::find_if_not(rest.begin(), rest.end(), is_digit) - rest.begin());
  if (digits == 0 || digits > 5 || digits == rest.size() || rest[digits] != '/') return 0;
  return homes.size() + digits + 1;
}

}  // namespace

bool valid_path(std::string_view path) {
  if (path == "/") return true;
  return path.starts_with('/') && !path.ends_with('/') &&
         path.find("//") == std::string_view::npos &&
         path.find_first_not_of(letters) == std::string_view::npos &&
         path.size() - home_prefix(path) <= XENSTORE_REL_PATH_MAX;
}

std::string home_of(DomainId domain) {
  return std::string(homes) + std::to_string(domain);
}

std::string absolute(DomainId domain, std::string_view path) {
  if (path.starts_with('/') || path.starts_with('@')) return std::string(path);
  return home_of(domain) + "/" + std::string(path);
}

std::string parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

std::string_view name_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

std::string child_of(std::string_view path, std::string_view name) {
  return (path == "/" ? "" : std::string(path)) + "/" + std::string(name);
}

bool at_or_below(std::string_view path, std::string_view ancestor) {
  if (ancestor == "/") return true;
  return path.starts_with(ancestor) &&
         (path.size() == ancestor.size() || path[ancestor.size()] == '/');
}

}  // namespace ringback::xenstore::server

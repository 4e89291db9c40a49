// Any text as a device's keys: values within their ranges, or an error with words in it.
#include <cstdlib>
#include <string>

#include "xenstore/vif_keys.hpp"

using namespace ringback;
using namespace ringback::xenstore;

namespace {

// Lines of "key=value".
Keys keys_of(std::string_view text) {
  Keys keys;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto equals = line.find('=');
    if (equals != std::string_view::npos)
      keys[std::string(line.substr(0, equals))] = std::string(line.substr(equals + 1));
  }
  return keys;
}

template <class Value>
void expect_words(const Result<Value>& result) {
  if (!result && result.error().what.empty()) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Keys keys = keys_of({reinterpret_cast<const char*>(data), size});
  const auto config = parse_vif_config({1, 0}, keys);
  expect_words(config);
  if (config && (config->mtu < 68 || config->mtu > 65535 || config->max_queues < 1 ||
                 config->max_queues > 64))
    abort();
  const auto frontend = parse_frontend_keys(keys, 4);
  expect_words(frontend);
  if (frontend && (frontend->queues.empty() || frontend->queues.size() > 4)) abort();
  expect_words(parse_backend_features(keys));
  return 0;
}

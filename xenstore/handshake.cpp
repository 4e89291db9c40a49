#include "xenstore/handshake.hpp"

namespace ringback::xenstore {

const char* name(XenbusState state) {
  switch (state) {
    case XenbusState::unknown:
      return "Unknown";
    case XenbusState::initialising:
      return "Initialising";
    case XenbusState::init_wait:
      return "InitWait";
    case XenbusState::initialised:
      return "Initialised";
    case XenbusState::connected:
      return "Connected";
    case XenbusState::closing:
      return "Closing";
    case XenbusState::closed:
      return "Closed";
    case XenbusState::reconfiguring:
      return "Reconfiguring";
    case XenbusState::reconfigured:
      return "Reconfigured";
  }
  return "Unknown";
}

XenbusState parse_xenbus_state(std::optional<std::string_view> text) {
  if (!text || text->size() != 1 || text->front() < '0' || text->front() > '8') {
    return XenbusState::unknown;
  }
  return static_cast<XenbusState>(text->front() - '0');
}

const char* name(BackendHandshake::State state) {
  switch (state) {
    case BackendHandshake::State::idle:
      return "idle";
    case BackendHandshake::State::waiting:
      return "waiting";
    case BackendHandshake::State::attached:
      return "attached";
    case BackendHandshake::State::connected:
      return "connected";
    case BackendHandshake::State::closing:
      return "closing";
    case BackendHandshake::State::closed:
      return "closed";
    case BackendHandshake::State::condemned:
      return "condemned";
    case BackendHandshake::State::gone:
      return "gone";
  }
  return "unknown";
}

const char* name(FrontendHandshake::State state) {
  switch (state) {
    case FrontendHandshake::State::idle:
      return "idle";
    case FrontendHandshake::State::waiting:
      return "waiting";
    case FrontendHandshake::State::connected:
      return "connected";
    case FrontendHandshake::State::running:
      return "running";
    case FrontendHandshake::State::closing:
      return "closing";
    case FrontendHandshake::State::closed:
      return "closed";
    case FrontendHandshake::State::gone:
      return "gone";
  }
  return "unknown";
}

}  // namespace ringback::xenstore

#include "hypervisor/embedded/handle_session.hpp"

#include <sys/eventfd.h>

namespace ringback::hypervisor::embedded {

namespace {

// Puts an answer's value or its error into the reply. Always true: the call was a known one.
template <class T, class Use>
bool put(const Answer<T>& answer, Reply& reply, Use use) {
  if (answer)
    use(*answer);
  else
    reply.error = static_cast<std::uint32_t>(answer.error());
  return true;
}
bool put(const Answer<void>& answer, Reply& reply) {
  if (!answer) reply.error = static_cast<std::uint32_t>(answer.error());
  return true;
}

UnmapNotification notification_of(const Request& request) {
  UnmapNotification notification;
  if (request.notify_offset != none) notification.offset = request.notify_offset;
  if (request.notify_port != none) notification.port = request.notify_port;
  return notification;
}

class HandleSession final : public Session {
 public:
  HandleSession(Domains& domains, DomainId domain)
      : domains_(domains), machine_(domains.machine()), domain_(domain) {}
  ~HandleSession() override {
    if (handle_ != 0) domains_.close(handle_);
  }

  bool answer(const Incoming& in, Outgoing& out) override {
    return handle_ == 0 ? open(in.header.call, out) : operate(in, out);
  }

 private:
  bool open(Call kind, Outgoing& out) {
    kind_ = kind;
    out.reply.value = domain_;
    switch (kind) {
      case Call::open_events:
        return put(open_events(out), out.reply);
      case Call::open_mapper:
        return put(open_mapper(out), out.reply);
      case Call::open_sharer:
        handle_ = machine_.open(domain_);
        return true;
      default:
        return false;
    }
  }

  Answer<void> open_events(Outgoing& out) {
    // Made here, so that what is written to on an event is an eventfd and nothing else.
    Descriptor eventfd(::eventfd(0, EFD_CLOEXEC));
    if (!eventfd) return tl::unexpected(errno);
    out.descriptors = {domains_.memory(domain_), eventfd.get()};
    handle_ = domains_.open(domain_, std::move(eventfd));
    return {};
  }

  Answer<void> open_mapper(Outgoing& out) {
    auto fd = make_shared_memory("ringback epoch", page_size);
    if (!fd) return tl::unexpected(fd.error());
    auto epoch = SharedMemory::map(fd->get(), page_size);
    if (!epoch) return tl::unexpected(epoch.error());
    out.passed_on = std::move(*fd);
    out.descriptors = {out.passed_on.get()};
    epoch_ = std::move(*epoch);
    handle_ = machine_.open(domain_, reinterpret_cast<std::uint64_t*>(epoch_.base()));
    return {};
  }

  bool operate(const Incoming& in, Outgoing& out) {
    if (in.header.call == Call::close) {
      domains_.close(std::exchange(handle_, 0));
      return true;
    }
    if (in.header.domain > UINT16_MAX) {
      out.reply.error = EINVAL;
      return true;
    }
    if (kind_ == Call::open_events) return events(in.header, out);
    const bool known = kind_ == Call::open_mapper ? mapper(in, out) : sharer(in.header, out);
    domains_.settle();
    return known;
  }

  bool events(const Request& request, Outgoing& out) {
    const auto domain = static_cast<DomainId>(request.domain);
    const auto put_port = [&](const Answer<Port>& answer) {
      return put(answer, out.reply, [&](Port port) { out.reply.value = port; });
    };
    switch (request.call) {
      case Call::bind_unbound:
        return put_port(machine_.bind_unbound(handle_, domain));
      case Call::bind_remote:
        return put_port(machine_.bind_interdomain(handle_, domain, request.port));
      case Call::bind_virq:
        return put_port(machine_.bind_virq(handle_, request.port));
      case Call::unbind:
        return put(machine_.unbind(handle_, request.port), out.reply);
      case Call::restrict:
        return put(machine_.restrict(handle_, domain), out.reply);
      case Call::peer:
        return put(machine_.peer(handle_, request.port), out.reply, [&](const Machine::Peer& peer) {
          out.reply.tag = peer.tag;
          out.reply.value = peer.port;
          const auto eventfd = domains_.eventfd(peer.owner);
          if (!eventfd) return;
          out.reply.id = peer.owner;
          out.reply.domain_id = machine_.domain_id(peer.domain);
          out.descriptors = {domains_.memory(peer.domain), *eventfd};
        });
      default:
        return false;
    }
  }

  bool mapper(const Incoming& in, Outgoing& out) {
    const Request& request = in.header;
    const auto domain = static_cast<DomainId>(request.domain);
    switch (request.call) {
      case Call::map:
        return put(machine_.map(handle_, domain, in.words, request.writable != 0,
                                notification_of(request)),
                   out.reply, [&](std::uint64_t id) {
                     out.reply.id = id;
                     attach(domain, out);
                   });
      case Call::unmap:
        return put(machine_.unmap(handle_, request.id), out.reply);
      case Call::copy_access:
        out.reply.value = machine_.exists(domain);
        if (machine_.may_copy(domain_, domain)) attach(domain, out);
        return true;
      default:
        return false;
    }
  }

  bool sharer(const Request& request, Outgoing& out) {
    const auto domain = static_cast<DomainId>(request.domain);
    switch (request.call) {
      case Call::share:
        if (request.port > max_words) return false;
        return put(machine_.share(handle_, domain, request.port, request.writable != 0,
                                  notification_of(request)),
                   out.reply, [&](const Machine::Share& made) {
                     out.reply.id = made.id;
                     out.words = made.refs;
                     attach(domain_, out);
                   });
      case Call::unshare:
        return put(machine_.unshare(handle_, request.id), out.reply);
      default:
        return false;
    }
  }

  // The memory of that domain goes along.
  void attach(DomainId whose, Outgoing& out) const {
    out.reply.pages = domains_.pages();
    out.descriptors = {domains_.memory(whose)};
  }

  Domains& domains_;
  Machine& machine_;
  const DomainId domain_;
  HandleId handle_ = 0;  // 0 before open and after close
  Call kind_{};          // how it was opened
  SharedMemory epoch_;
};

}  // namespace

std::unique_ptr<Session> make_handle_session(Domains& domains, DomainId domain) {
  return std::make_unique<HandleSession>(domains, domain);
}

}  // namespace ringback::hypervisor::embedded

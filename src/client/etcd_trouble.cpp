#include "client/etcd_trouble.hpp"

namespace dexlock {
namespace {

constexpr std::size_t kReasonBytesMax = 200;

std::string text_of(const EtcdTrouble& trouble, const EtcdSaid& of) {
  const std::string reason = printable(trouble.text);
  switch (trouble.kind) {
    case EtcdTrouble::Kind::denied:
    case EtcdTrouble::Kind::signed_out:
      return "does not permit this (" + reason + "); its user needs to read and write " + of.prefix;
    case EtcdTrouble::Kind::untrusted:
      return "no trust between it and this client (" + reason + "); look at the certificates";
    case EtcdTrouble::Kind::full:
      return "out of space (" + reason + "); compact, defragment and disarm its alarm";
    case EtcdTrouble::Kind::refused:
    case EtcdTrouble::Kind::no_lease:
      return "refuses the request (" + reason + "); etcd 3.4 or later is needed";
    case EtcdTrouble::Kind::went_back:
      return "was restored from a snapshot (" + reason + "); see docs/etcd.md";
    case EtcdTrouble::Kind::stranger:
      return reason + "; see docs/etcd.md";
    case EtcdTrouble::Kind::unknown:
      break;
  }
  // TLS 1.3 has no better word for a certificate that the server does not take.
  return (of.tls ? "no endpoint answers, or none takes this client's certificate ("
                 : "no endpoint answers (") +
         reason + ")";
}

}  // namespace

std::string printable(const std::string& text) {
  std::string out;
  for (const char c : text.substr(0, kReasonBytesMax)) {
    out += c >= ' ' && c <= '~' ? c : '?';
  }
  return out;
}

Fault fault_of(const EtcdTrouble& trouble, const EtcdSaid& of) {
  const auto kind = [&] {
    switch (trouble.kind) {
      case EtcdTrouble::Kind::denied:
      case EtcdTrouble::Kind::signed_out:
      case EtcdTrouble::Kind::untrusted:
        return FaultKind::denied;
      case EtcdTrouble::Kind::full:
        return FaultKind::full;
      case EtcdTrouble::Kind::refused:
      case EtcdTrouble::Kind::no_lease:
        return FaultKind::refused;
      case EtcdTrouble::Kind::went_back:
      case EtcdTrouble::Kind::stranger:
        return FaultKind::not_member;
      case EtcdTrouble::Kind::unknown:
        break;
    }
    return FaultKind::unreachable;
  }();
  return Fault{kind, of.shown + ": " + text_of(trouble, of)};
}

Error error_of(const EtcdTrouble& trouble, const EtcdSaid& of) {
  const auto code = [&] {
    switch (trouble.kind) {
      case EtcdTrouble::Kind::denied:
      case EtcdTrouble::Kind::signed_out:
      case EtcdTrouble::Kind::untrusted:
        return Errc::not_permitted;
      case EtcdTrouble::Kind::full:
        return Errc::store_full;
      case EtcdTrouble::Kind::refused:
      case EtcdTrouble::Kind::no_lease:
        return Errc::bad_config;
      case EtcdTrouble::Kind::went_back:
      case EtcdTrouble::Kind::stranger:
        return Errc::bad_config;
      case EtcdTrouble::Kind::unknown:
        break;
    }
    return Errc::no_quorum;
  }();
  return {code, of.shown + ": " + text_of(trouble, of)};
}

}  // namespace dexlock

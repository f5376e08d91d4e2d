#include "keeper/keeper_message.hpp"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <utility>

namespace dexlock {
namespace {

constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(int) * kConnectionFds);

// The next word of `text`, which it is taken off.
std::string_view next_word(std::string_view& text) {
  const std::size_t end = text.find(' ');
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return word;
}

void take_fds(const msghdr& header, std::vector<UniqueFd>& fds) {
  for (const cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr;
       part = CMSG_NXTHDR(const_cast<msghdr*>(&header), const_cast<cmsghdr*>(part))) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      fds.emplace_back(fd);
    }
  }
}

}  // namespace

bool send_message(int socket, std::string_view text, std::span<const int> fds) {
  iovec bytes{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
  alignas(cmsghdr) std::array<char, kControlBytes> control{};
  msghdr header{};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    if (fds.size() > kConnectionFds) {
      return false;
    }
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(part), fds.data(), fds.size_bytes());
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(text.size());
}

Received receive_message(int socket, KeeperMessage& message) {
  message.text.resize(kKeeperMessageMax);
  message.fds.clear();
  iovec bytes{.iov_base = message.text.data(), .iov_len = message.text.size()};
  alignas(cmsghdr) std::array<char, kControlBytes> control{};
  msghdr header{};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    return Received::nothing;
  }
  if (got <= 0) {
    return Received::closed;
  }
  take_fds(header, message.fds);
  message.text.resize(static_cast<std::size_t>(got));
  return (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 ? Received::message : Received::closed;
}

KeptConnection& KeptConnection::operator=(KeptConnection&& other) noexcept {
  if (this != &other) {
    end();
    input = std::move(other.input);
    output = std::move(other.output);
    errors = std::move(other.errors);
    process = std::move(other.process);
    since = other.since;
    rest = std::move(other.rest);
    greeting = std::move(other.greeting);
  }
  return *this;
}

void KeptConnection::end() {
  if (process.get() >= 0) {
    ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
    process.reset();
  }
}

bool send_kept(int socket, std::string_view verb, std::string_view key,
               const KeptConnection& connection) {
  const std::array<int, kConnectionFds> fds{connection.input.get(), connection.output.get(),
                                            connection.errors.get(), connection.process.get()};
  std::string text(verb);
  text.append(" ").append(key).append(" ").append(std::to_string(connection.since));
  text.append(" ").append(connection.rest).append(" ").append(connection.greeting);
  return text.size() <= kKeeperMessageMax && send_message(socket, text, fds);
}

std::optional<NamedConnection> parse_kept(std::string_view verb, KeeperMessage message) {
  std::string_view text = message.text;
  if (next_word(text) != verb || message.fds.size() != kConnectionFds) {
    return std::nullopt;
  }
  NamedConnection named;
  named.key = next_word(text);
  const std::string_view since = next_word(text);
  const auto [end, error] =
      std::from_chars(since.data(), since.data() + since.size(), named.connection.since);
  named.connection.rest = next_word(text);
  named.connection.greeting = text;
  if (error != std::errc() || end != since.data() + since.size() || named.key.empty() ||
      named.connection.rest.empty() || text.empty()) {
    return std::nullopt;
  }
  named.connection.input = std::move(message.fds[0]);
  named.connection.output = std::move(message.fds[1]);
  named.connection.errors = std::move(message.fds[2]);
  named.connection.process = std::move(message.fds[3]);
  return named;
}

}  // namespace dexlock

#include "failover/guard_link.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <limits>
#include <vector>

#include "lock/fields.hpp"
#include "process/environment.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kSocket = "guard";
constexpr int kListener = 3;
constexpr milliseconds kDeathLimit{1'000};
constexpr int kTries = 3;                       // with guards that have just ended
constexpr milliseconds kGreetingLimit{10'000};  // of one that is started

std::unexpected<Error> refuse(const std::filesystem::path& directory, const std::string& what) {
  return fail(Errc::io, directory.native() + ": " + what + ": " + std::strerror(errno));
}

// By way of the directory's descriptor: a socket's path has at most 107 bytes.
sockaddr_un address_in(const UniqueFd& directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path =
      "/proc/self/fd/" + std::to_string(directory.get()) + '/' + std::string(kSocket);
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

const sockaddr* plain(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);  // NOLINT: the interface of sockets
}

// -1 inside, and errno. Does not wait: who has a full backlog answers nobody.
UniqueFd connect_to(const UniqueFd& directory) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = address_in(directory);
  if (::connect(socket.get(), plain(address), sizeof address) != 0) {
    const int why = errno;
    socket.reset();
    errno = why;
  }
  return socket;
}

UniqueFd listen_in(const UniqueFd& directory) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = address_in(directory);
  ::unlinkat(directory.get(), std::string(kSocket).c_str(), 0);
  if (::bind(socket.get(), plain(address), sizeof address) != 0 || ::listen(socket.get(), 8) != 0) {
    socket.reset();
  }
  return socket;
}

// A session of its own: no key and no hang-up of a terminal is for it.
pid_t start(std::vector<std::string> words, const UniqueFd& listener) {
  const std::vector<char*> arguments = pointers(words);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setsid();
    if (listener.get() == kListener) {
      ::fcntl(kListener, F_SETFD, 0);
    } else {
      ::dup2(listener.get(), kListener);
    }
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  return pid;
}

// Gone: it has just ended.
enum class Greeted { well, gone, silent, wrongly };

Greeted greet(int socket, const std::string& version, milliseconds patience,
              GuardGreeting& greeting, pid_t& pid) {
  if (!send_words(socket, {"hello", version})) {
    return Greeted::gone;
  }
  pollfd answer{.fd = socket, .events = POLLIN, .revents = 0};
  if (::poll(&answer, 1, static_cast<int>(patience.count())) != 1) {
    return Greeted::silent;
  }
  Words words;
  if (receive_words(socket, words) != Heard::message) {
    return Greeted::gone;
  }
  if (words.size() < 6 || words.front() != "hello") {
    return Greeted::wrongly;
  }
  const auto lease = read_lease(words, 6);
  const auto number = parse_number(words[5], std::numeric_limits<pid_t>::max());
  if (!lease || number.value_or(0) == 0) {
    return Greeted::wrongly;
  }
  pid = static_cast<pid_t>(*number);
  greeting = {.version = words[1],
              .lease = *lease,
              .mark = words[2],
              .group = words[3],
              .busy = words[4] == "1"};
  return Greeted::well;
}

}  // namespace

Result<GuardLink> GuardLink::open(const std::filesystem::path& directory,
                                  const std::vector<std::string>& program,
                                  const std::string& version, milliseconds patience,
                                  const std::function<Result<void>()>& before_start) {
  const UniqueFd place(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (place.get() < 0) {
    return refuse(directory, "cannot be opened");
  }
  GuardLink link;
  Greeted greeted = Greeted::gone;
  bool is_new = false;
  for (int tries = 0; greeted == Greeted::gone && tries < kTries; ++tries) {
    link.socket_ = connect_to(place);
    if (link.socket_.get() < 0 && errno == EAGAIN) {
      greeted = Greeted::silent;
      break;
    }
    if (link.socket_.get() < 0 && errno != ENOENT && errno != ECONNREFUSED) {
      return refuse(directory, "the guard cannot be called");
    }
    if (link.socket_.get() < 0) {
      if (const auto ready = before_start(); !ready) {
        return std::unexpected(ready.error());
      }
      const UniqueFd listener = listen_in(place);
      if (listener.get() < 0) {
        return refuse(directory, "the guard's socket cannot be made");
      }
      if (start(program, listener) < 0) {
        return refuse(directory, "the guard cannot be started");
      }
      is_new = true;
      link.socket_ = connect_to(place);
    }
    greeted = greet(link.socket_.get(), version, is_new ? kGreetingLimit : patience, link.greeting_,
                    link.pid_);
  }
  if (greeted == Greeted::silent) {
    return fail(Errc::held_by_other,
                directory.native() +
                    ": the guard does not answer; wait for 'timeout': it stops the "
                    "package then, or kill its process 'dex-lock failover guard'");
  }
  if (greeted != Greeted::well) {
    return fail(Errc::io,
                directory.native() +
                    ": the guard ends at once, or says what is not known; see what it has "
                    "written, or kill the processes 'dex-lock failover guard' of this "
                    "package and start again");
  }
  link.process_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, link.pid_, 0)));
  return link;
}

void GuardLink::kill() const {
  ::syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0);
}

void GuardLink::wait_for_end() const {
  pollfd end{.fd = process_.get(), .events = POLLIN, .revents = 0};
  ::poll(&end, 1, static_cast<int>(kDeathLimit.count()));
}

}  // namespace dexlock

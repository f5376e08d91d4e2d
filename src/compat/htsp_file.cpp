#include "compat/htsp_file.hpp"

#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

namespace dexlock {
namespace {

using std::filesystem::path;

// One word: what a record says of its holder was written by somebody else.
std::string short_host(std::string_view host) {
  std::string word(host.substr(0, host.find('.')));
  std::ranges::replace_if(
      word, [](char c) { return c <= ' ' || c > '~'; }, '?');
  return word.empty() ? std::string(kNobody) : word;
}

// A lock may have slashes in its name; no name has a percent sign.
std::string file_name(const std::string& lock) {
  std::string name;
  for (const char c : lock) {
    name += c == '/' ? std::string("%2f") : std::string(1, c);
  }
  return name + "_htsp";
}

// ".123". The file of another lock may begin like this one's, but does not end so.
bool is_pid(std::string_view extension) {
  return extension.size() > 1 &&
         extension.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

}  // namespace

HtspFile::HtspFile(path temp, const std::string& lock)
    : temp_(std::move(temp)), file_(temp_ / file_name(lock)) {}

Htsp HtspFile::read() const {
  std::ifstream in(file_);
  Htsp read;
  return in >> read.holder >> read.term >> read.seq >> read.previous ? read : Htsp{};
}

Result<void> HtspFile::write(const Htsp& htsp) const {
  const path fresh = path(file_).concat("." + std::to_string(::getpid()));
  std::error_code error;
  std::filesystem::create_directory(temp_, error);
  errno = 0;
  std::ofstream out(fresh);
  out << htsp.holder << ' ' << htsp.term << ' ' << htsp.seq << ' ' << htsp.previous << '\n';
  out.close();
  if (!out) {
    const int number = errno;
    std::filesystem::remove(fresh, error);
    return fail(Errc::io, file_.native() + " cannot be written: " + std::strerror(number) +
                              "; let this user write in that directory");
  }
  std::filesystem::rename(fresh, file_, error);
  if (error) {
    std::error_code ignored;
    std::filesystem::remove(fresh, ignored);
    return fail(Errc::io, file_.native() + " cannot be replaced: " + error.message());
  }
  return {};
}

void HtspFile::remove_leftovers() const {
  std::error_code error;
  std::vector<path> leftovers;
  for (std::filesystem::directory_iterator at(temp_, error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().stem() == file_.filename() && is_pid(at->path().extension().native())) {
      leftovers.push_back(at->path());
    }
  }
  for (const path& leftover : leftovers) {
    std::filesystem::remove(leftover, error);
  }
}

std::string host_of_who(std::string_view who) {
  const auto end = who.find(" pid ");
  const auto at = who.substr(0, end).rfind('@');
  return at == std::string_view::npos ? std::string(kNobody)
                                      : short_host(who.substr(0, end).substr(at + 1));
}

std::string this_host() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? short_host(name.data())
                                                          : std::string(kNobody);
}

}  // namespace dexlock

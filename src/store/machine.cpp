#include "store/machine.hpp"

#include <sys/random.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <vector>

#include "lock/invariant.hpp"
#include "system/small_file.hpp"

namespace dexlock {
namespace {

struct Magic {
  std::uint32_t number;
  std::string_view name;
};

// linux/magic.h knows only some of them; the others are in statfs(2) or in the sources of the file
// systems.
constexpr std::array kShared = {
    Magic{0x6969, "NFS"},
    Magic{0x517b, "SMB"},
    Magic{0xff534d42, "CIFS"},
    Magic{0xfe534d42, "SMB2"},
    Magic{0x65735546, "FUSE"},
    Magic{0x01021997, "9p"},
    Magic{0x5346414f, "AFS"},
    Magic{0x6b414653, "AFS"},
    Magic{0x73757245, "Coda"},
    Magic{0x564c, "NCP"},
    Magic{0x00c36400, "Ceph"},
    Magic{0x01161970, "GFS2"},
    Magic{0x7461636f, "OCFS2"},
    Magic{0x0bd00bd0, "Lustre"},
    Magic{0x47504653, "GPFS"},
    Magic{0x19830326, "BeeGFS"},
    Magic{0xaad7aaea, "PanFS"},
    Magic{0x61636673, "ACFS"},
    Magic{0xbeefdead, "SNFS"},
    Magic{0x20030528, "OrangeFS"},
    Magic{0x013111a8, "IBRIX"},
    Magic{0xbacbacbc, "VMware shared folders"},
    Magic{0x7c7c6673, "Parallels shared folders"},
    Magic{0x786f4256, "VirtualBox shared folders"},
};

// Only [0-9a-f] of `text`, so that an id can stand in a line and in a file name.
std::string hex_digits_of(std::string_view text) {
  std::string digits;
  std::ranges::copy_if(text, std::back_inserter(digits),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  return digits;
}

}  // namespace

std::string machine_boot_id() {
  return hex_digits_of(read_small("/proc/sys/kernel/random/boot_id", 64).value_or(""));
}

std::string machine_id() {
  const std::string id = hex_digits_of(read_small("/etc/machine-id", 64).value_or(""));
  if (id.size() == 32) {  // "uninitialized" and empty files are no ids
    return id;
  }
  utsname host{};
  return ::uname(&host) == 0 ? std::string("host-") + host.nodename : std::string("host-");
}

std::optional<std::string_view> network_file_system(std::uint32_t magic) {
  const auto* found = std::ranges::find(kShared, magic, &Magic::number);
  return found == kShared.end() ? std::nullopt : std::optional(found->name);
}

std::optional<std::string_view> network_file_system_of(const std::filesystem::path& path) {
  std::error_code ignored;
  std::filesystem::path at = std::filesystem::absolute(path, ignored);
  struct statfs facts {};
  while (::statfs(at.c_str(), &facts) != 0) {
    if (errno == EINTR) {
      continue;
    }
    if (!at.has_relative_path()) {
      return std::nullopt;
    }
    at = at.parent_path();
  }
  return network_file_system(static_cast<std::uint32_t>(facts.f_type));
}

bool on_network_file_system(const std::filesystem::path& path) {
  return network_file_system_of(path).has_value();
}

std::string random_hex(std::size_t bytes) {
  std::vector<unsigned char> drawn(bytes);
  std::size_t length = 0;
  while (length < bytes) {
    const ssize_t got = ::getrandom(drawn.data() + length, bytes - length, 0);
    INVARIANT(got > 0 || errno == EINTR);  // the kernel promises no other failure
    length += got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes);
  for (const unsigned char byte : drawn) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

}  // namespace dexlock

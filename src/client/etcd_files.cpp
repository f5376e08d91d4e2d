#include "client/etcd_files.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <system_error>
#include <utility>

#include "client/config_file.hpp"
#include "lock/fields.hpp"
#include "store/machine.hpp"
#include "system/small_file.hpp"

namespace dexlock {
namespace {

constexpr std::size_t kRememberedBytesMax = 64;

Result<std::string> text_in(const std::filesystem::path& file) {
  auto content = read_config_file(file);
  if (content && !*content) {
    return refuse_config(file, "is missing; options names it");
  }
  return content ? Result<std::string>(std::move(**content))
                 : std::unexpected(std::move(content.error()));
}

}  // namespace

Result<EtcdAccess> read_etcd_access(std::vector<std::string> endpoints, const TlsFiles* files,
                                    const std::filesystem::path& user_file) {
  EtcdAccess access{.service = {.endpoints = std::move(endpoints),
                                .tls = files != nullptr,
                                .authority = {},
                                .certificate = {},
                                .key = {}},
                    .user = {},
                    .password = {}};
  if (files != nullptr) {
    for (const auto& [file, text] : {std::pair(files->authority, &access.service.authority),
                                     std::pair(files->certificate, &access.service.certificate),
                                     std::pair(files->key, &access.service.key)}) {
      if (!file.empty()) {
        auto content = text_in(file);
        if (!content) {
          return std::unexpected(content.error());
        }
        *text = std::move(*content);
      }
    }
  }
  if (!user_file.empty()) {
    auto content = text_in(user_file);
    if (!content) {
      return std::unexpected(content.error());
    }
    const std::string line = content->substr(0, content->find('\n'));
    const auto colon = line.find(':');
    if (colon == std::string::npos || colon == 0) {
      return refuse_config(user_file, "write NAME:PASSWORD into its first line");
    }
    access.user = line.substr(0, colon);
    access.password = line.substr(colon + 1);
  }
  return access;
}

EtcdRemembered remembered_etcd(const std::filesystem::path& file) {
  const auto text = file.empty() ? std::unexpected(0) : read_small(file, kRememberedBytesMax);
  if (!text || !text->ends_with('\n')) {
    return {};
  }
  const auto parts = split_fields(std::string_view(*text).substr(0, text->size() - 1), ' ', 3);
  if (!parts || parts->size() != 3) {
    return {};
  }
  const auto revision = parse_number((*parts)[0], std::numeric_limits<std::int64_t>::max());
  const auto endpoint = parse_number((*parts)[1], kSmallNumberMax);
  const auto cluster = parse_number((*parts)[2], std::numeric_limits<std::uint64_t>::max());
  return revision && endpoint && cluster
             ? EtcdRemembered{static_cast<std::int64_t>(*revision), *endpoint, *cluster}
             : EtcdRemembered{};
}

void remember_etcd(const std::filesystem::path& file, EtcdRemembered remembered) {
  const EtcdRemembered before = remembered_etcd(file);
  remembered.revision = std::max(remembered.revision, before.revision);
  if (file.empty() || remembered == before) {
    return;
  }
  std::error_code ignored;
  std::filesystem::create_directories(file.parent_path(), ignored);
  const std::filesystem::path temporary = file.string() + ".tmp" + random_hex(6);
  std::ofstream out(temporary);
  out << remembered.revision << ' ' << remembered.endpoint << ' ' << remembered.cluster << '\n';
  out.close();
  if (!out || ::rename(temporary.c_str(), file.c_str()) != 0) {
    std::filesystem::remove(temporary, ignored);
  }
}

}  // namespace dexlock

#include "client/host_memory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <limits>
#include <system_error>

#include "client/state_file.hpp"
#include "lock/clock_reading.hpp"
#include "lock/fields.hpp"
#include "store/digest.hpp"
#include "store/machine.hpp"
#include "system/small_file.hpp"

namespace dexlock {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSightsMax = 2048;
constexpr std::size_t kGroupFileBytesMax = 256;
constexpr std::uint64_t kBig = std::numeric_limits<std::int64_t>::max();

constexpr std::size_t kSightParts = 7;
constexpr std::size_t kTicketParts = 5;

std::optional<TicketSighting> parse_ticket_sighting(const Fields& p) {
  const auto refresh = parse_number(p[2], kSmallNumberMax);
  const auto boot = parse_clock_reading(p[3]);
  const auto raw = parse_clock_reading(p[4]);
  const ClientId client{std::string(p[1])};
  if (p[0] != "ticket" || !is_id_text(client.text) || !refresh || !boot || !raw) {
    return std::nullopt;
  }
  return TicketSighting{client, static_cast<std::uint32_t>(*refresh), Instant{*boot, *raw}};
}

std::optional<SeenLock::Sight> parse_sight(const Fields& p) {
  const auto token = parse_number(p[0], kBig);
  const auto beat = parse_number(p[3], kSmallNumberMax);
  const auto boot = parse_clock_reading(p[5]);
  const auto raw = parse_clock_reading(p[6]);
  const OpId op{std::string(p[1])};
  if (!token || !is_id_text(op.text) || !beat || !boot || !raw) {
    return std::nullopt;
  }
  return SeenLock::Sight{
      GrantId{FencingToken{*token}, op},
      std::string(p[2]),
      {static_cast<std::uint32_t>(*beat), BootId{std::string(p[4])}, Instant{*boot, *raw}}};
}

}  // namespace

std::string seen_text(const SeenLock& seen) {
  std::string out = "group " + seen.group + " round " + std::to_string(seen.round) + '\n';
  for (const auto& [grant, incarnation, sighting] : seen.sights) {
    out += std::to_string(grant.token.value) + ' ' + grant.op.text + ' ' + incarnation + ' ' +
           std::to_string(sighting.beat) + ' ' + sighting.boot.text + ' ' +
           std::to_string(sighting.since.boot.count()) + ' ' +
           std::to_string(sighting.since.raw.count()) + '\n';
  }
  for (const auto& [client, refresh, since] : seen.tickets) {
    append(out, "ticket ", client.text, ' ', refresh, ' ', since.boot.count(), ' ',
           since.raw.count(), '\n');
  }
  return out;
}

std::optional<SeenLock> parse_seen(std::string_view text) {
  auto lines = split_fields(text, '\n', kSightsMax + 2);
  if (!lines || lines->size() < 2 || !lines->back().empty()) {
    return std::nullopt;
  }
  lines->pop_back();
  const auto head = split_fields(lines->front(), ' ', 4);
  const auto round =
      head && head->size() == 4 ? parse_number((*head)[3], kSmallNumberMax) : std::nullopt;
  if (!round || (*head)[0] != "group" || (*head)[2] != "round") {
    return std::nullopt;
  }
  SeenLock seen{.group = std::string((*head)[1]), .round = static_cast<std::uint32_t>(*round)};
  for (std::size_t i = 1; i < lines->size(); ++i) {
    const auto parts = split_fields((*lines)[i], ' ', kSightParts);
    if (parts && parts->size() == kSightParts) {
      auto sight = parse_sight(*parts);
      if (!sight) {
        return std::nullopt;
      }
      seen.sights.push_back(std::move(*sight));
    } else if (parts && parts->size() == kTicketParts) {
      auto ticket = parse_ticket_sighting(*parts);
      if (!ticket) {
        return std::nullopt;
      }
      seen.tickets.push_back(std::move(*ticket));
    } else {
      return std::nullopt;
    }
  }
  return seen;
}

HostMemory::HostMemory(fs::path state_dir, const std::string& servers)
    : state_dir_(std::move(state_dir)),
      group_file_(state_dir_ / "groups" / sha256_hex(servers).substr(0, 32)) {}

// Unlike the rest this must outlive a reboot, so it has no header of its boot.
std::optional<std::string> HostMemory::group() const {
  const auto text = read_small(group_file_, kGroupFileBytesMax);
  if (!text || text->empty() || text->back() != '\n') {
    return std::nullopt;
  }
  std::string group = text->substr(0, text->size() - 1);
  return is_id_text(group) ? std::optional(group) : std::nullopt;
}

Result<void> HostMemory::remember_group(const std::string& group) const {
  if (this->group() == group) {
    return {};
  }
  std::error_code ignored;
  fs::create_directories(group_file_.parent_path(), ignored);
  const fs::path temporary = group_file_.string() + ".tmp" + random_hex(6);
  auto written = write_synced(temporary, group + '\n');
  if (written && ::rename(temporary.c_str(), group_file_.c_str()) != 0) {
    written = fail(Errc::io, "cannot write " + group_file_.string());
  }
  if (!written) {
    fs::remove(temporary, ignored);
  }
  return written;
}

void HostMemory::forget_group() const {
  std::error_code ignored;
  fs::remove(group_file_, ignored);
  fs::remove(etcd_file(), ignored);
}

fs::path HostMemory::etcd_file() const { return group_file_.string() + ".etcd"; }

std::optional<SeenLock> HostMemory::seen(const std::string& lock_file) const {
  const auto text = read_state_file(state_dir_ / "seen" / lock_file);
  return text ? parse_seen(*text) : std::nullopt;
}

void HostMemory::remember_seen(const std::string& lock_file, const SeenLock& seen) const {
  // Not being able to remember costs time only; a full disk is told where it matters.
  static_cast<void>(write_state_file(state_dir_ / "seen" / lock_file, seen_text(seen)));
}

}  // namespace dexlock

#include "etcd/etcd_group.hpp"

#include "lock/fields.hpp"

namespace dexlock {

std::string cluster_text(std::uint64_t cluster) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) {
    text += kDigits[(cluster >> static_cast<unsigned>(shift)) & 15U];
  }
  return text;
}

std::string etcd_group_text(const EtcdGroup& group) {
  std::string text = "1 " + group.incarnation + ' ' + group.cluster;
  if (group.group) {
    text += ' ' + group.group->id + ' ' + std::to_string(group.group->epoch.value) +
            (group.active ? " active" : " proposed");
  }
  return text;
}

std::optional<EtcdGroup> parse_etcd_group(std::string_view text) {
  const auto parts = split_fields(text, ' ', 6);
  if (!parts || (parts->size() != 3 && parts->size() != 6) || (*parts)[0] != "1" ||
      !is_id_text(std::string((*parts)[1])) || !is_id_text(std::string((*parts)[2]))) {
    return std::nullopt;
  }
  EtcdGroup group{.incarnation = std::string((*parts)[1]),
                  .cluster = std::string((*parts)[2]),
                  .group = {},
                  .active = false};
  if (parts->size() == 6) {
    const auto epoch = parse_number((*parts)[4], kSmallNumberMax);
    group.active = (*parts)[5] == "active";
    if (!epoch || *epoch == 0 || !is_id_text(std::string((*parts)[3])) ||
        (!group.active && (*parts)[5] != "proposed")) {
      return std::nullopt;
    }
    group.group = Group{std::string((*parts)[3]), Epoch{*epoch}, {group.incarnation}};
  }
  return group;
}

}  // namespace dexlock

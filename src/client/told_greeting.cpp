#include "client/told_greeting.hpp"

namespace dexlock {

LinkGreeting told_greeting(const Greeting& greeting) {
  LinkGreeting told{.identity = {.incarnation = greeting.incarnation},
                    .format = greeting.format,
                    .sync = greeting.sync,
                    .boot = greeting.boot ? greeting.boot->text : "-",
                    .directory = greeting.directory};
  if (greeting.proposed) {
    told.identity.proposed =
        Group{greeting.proposed->group, greeting.proposed->epoch, greeting.proposed->members};
  }
  if (greeting.active) {
    told.identity.active = greeting.active->group;
  }
  return told;
}

Error told_trouble(const std::string& shown, const GreetingTrouble& trouble) {
  const std::string text = shown + ": " + trouble.detail;
  if (trouble.reason == "corrupt") {
    return Error{Errc::store_damaged, text};
  }
  if (trouble.reason == "nosync") {
    return Error{Errc::bad_config,
                 text + " (write `allow_unsynced_store yes` to conf/options to accept that)"};
  }
  return Error{Errc::bad_config, text};
}

}  // namespace dexlock

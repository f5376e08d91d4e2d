// What people see of a holder: fits into a record whatever user, host and command are called. The
// input holds the three, one a line, the command to the end.
#include "client/who_text.hpp"
#include "fuzz/fuzz.hpp"
#include "lock/escape.hpp"
#include "lock/record.hpp"

void dexlock::fuzz::consume(std::string_view text) {
  const std::string user(take_line(text));
  const std::string host(take_line(text));
  const std::string who = who_text({user, host, 4194304, std::string(text)});
  INVARIANT(escape_text(who).size() <= kWhoBytesMax);
  INVARIANT(unescape_text(escape_text(who)) == who);
  INVARIANT(who.find('@') != std::string::npos);
}

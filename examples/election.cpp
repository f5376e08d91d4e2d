// One leader among many: `election lead ADDRESS` leads until its input ends, once it is its turn;
// `election watch` prints who leads until its input ends.
#include <dexlock/election.hpp>
#include <iostream>
#include <limits>
#include <string>

namespace {

using dexlock::Election;

int lead(const std::string& address) {
  const auto leadership = Election::campaign(
      {.name = "leader", .on_lost = [](const std::string& why) { std::cerr << why << '\n'; }},
      address);
  if (!leadership) {
    std::cerr << leadership.error().text << '\n';
    return 1;
  }
  std::cout << "leading with token " << (*leadership)->token() << std::endl;
  std::cin.ignore(std::numeric_limits<std::streamsize>::max());
  return 0;  // resigns
}

int watch() {
  const auto observer = Election::observe("leader", [](const auto& leader) {
    std::cout << "leader: " << (leader ? leader->value : "nobody") << std::endl;
  });
  if (!observer) {
    std::cerr << observer.error().text << '\n';
    return 1;
  }
  std::cin.ignore(std::numeric_limits<std::streamsize>::max());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "lead" && argc == 3) {
    return lead(argv[2]);
  }
  if (what == "watch" && argc == 2) {
    return watch();
  }
  std::cerr << "usage: election lead ADDRESS | election watch\n";
  return 64;
}

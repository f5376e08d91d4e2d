// dex-lock-sim: runs the production protocol in a simulated world, seed by seed, and says whether
// any judge found anything wrong. The first line names every parameter, the last is the verdict.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <sstream>
#include <string>

#include "sim/campaign.hpp"
#include "sim/exhaust_cases.hpp"
#include "sim/history_report.hpp"

namespace {

using namespace dexlock::sim;

struct Options {
  std::uint64_t seed = 1;
  std::uint64_t count = 0;
  std::uint64_t seconds = 0;
  std::size_t trace_lines = 0;
  std::string servers = "0";
  std::string plant;
  std::string set = "ci";
  std::string one_case;
  bool list = false;
  MixLimits limits;
};

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    const std::chrono::duration<double> span = std::chrono::steady_clock::now() - from_;
    return span.count();
  }

 private:
  std::chrono::steady_clock::time_point from_ = std::chrono::steady_clock::now();
};

// A false INVARIANT of the core aborts: the command that repeats it must come out all the same.
char repeat_command[512];

void say_how_to_repeat(int) {
  const std::size_t length = std::char_traits<char>::length(repeat_command);
  static_cast<void>(!write(STDERR_FILENO, repeat_command, length));
}

std::string servers_text(const MixLimits& limits) {
  return limits.etcd ? "etcd" : std::to_string(limits.servers);
}

std::string run_command(const Options& options, std::uint64_t seed) {
  const MixLimits& limits = options.limits;
  std::string command = "dex-lock-sim run --seed " + std::to_string(seed) + " --count 1";
  if (limits.etcd || limits.servers != 0) {
    command += " --servers " + servers_text(limits);
  }
  if (limits.clients != 0) {
    command += " --clients " + std::to_string(limits.clients);
  }
  command += limits.unbounded_clocks ? " --unbounded-clocks" : "";
  command += limits.only_forming ? " --forming" : "";
  command += limits.calm ? " --calm" : "";
  command += limits.only_judge.empty() ? "" : " --judge " + limits.only_judge;
  command += options.plant.empty() ? "" : " --plant " + options.plant;
  return command;
}

void note_seed(const Options& options, std::uint64_t seed) {
  std::snprintf(repeat_command, sizeof repeat_command, "repeat: %s --trace 300\n",
                run_command(options, seed).c_str());
}

void print_finding(const Options& options, std::uint64_t seed, const Finding& finding) {
  const RunReport again = run_seed(seed, options.limits, true);
  const std::size_t lines = options.trace_lines == 0 ? std::size_t{60} : options.trace_lines;
  const std::size_t skipped = again.trace.size() > lines ? again.trace.size() - lines : 0;
  std::printf("mix: %s\n", seed_text(seed, options.limits).c_str());
  std::printf("trace, the last %zu of %zu lines:\n", again.trace.size() - skipped,
              again.trace.size());
  for (std::size_t i = skipped; i < again.trace.size(); ++i) {
    std::printf("%s\n", again.trace[i].c_str());
  }
  std::printf("finding: judge %s at %.6f s: %s\n", finding.judge.c_str(),
              static_cast<double>(finding.at.count()) / 1e9, finding.text.c_str());
  std::printf("repeat: %s --trace 1000\n", run_command(options, seed).c_str());
}

int run(const Options& options) {
  std::printf(
      "dex-lock-sim run: seed=%llu count=%llu seconds=%llu servers=%s clients=%zu "
      "unbounded-clocks=%d calm=%d plant=%s (0: drawn per seed; every tenth seed forms groups)\n",
      static_cast<unsigned long long>(options.seed), static_cast<unsigned long long>(options.count),
      static_cast<unsigned long long>(options.seconds), servers_text(options.limits).c_str(),
      options.limits.clients, options.limits.unbounded_clocks ? 1 : 0, options.limits.calm ? 1 : 0,
      options.plant.empty() ? "none" : options.plant.c_str());
  std::fflush(stdout);
  const Stopwatch watch;
  Campaign campaign(options.limits);
  std::uint64_t seed = options.seed;
  const auto more = [&] {
    if (options.seconds != 0) {
      return watch.seconds() < static_cast<double>(options.seconds);
    }
    return seed - options.seed < std::max(options.count, std::uint64_t{1});
  };
  for (; more() && !campaign.finding(); ++seed) {
    note_seed(options, seed);
    if (!campaign.run(seed)) {
      print_finding(options, seed, *campaign.finding());
    }
  }
  const double simulated = static_cast<double>(campaign.simulated().count()) / 1e9;
  std::printf("seen: %s\n", campaign.counts().text().c_str());
  std::printf(
      "verdict: %s; %llu runs (%llu of them twice), %.0f simulated seconds (%.3f years) in "
      "%.1f s: %.0f per second; slowest healing %u %% of the bound; largest record %zu "
      "bytes\n",
      campaign.finding() ? "FINDING" : "no finding",
      static_cast<unsigned long long>(campaign.runs()),
      static_cast<unsigned long long>(campaign.repeated()), simulated, simulated / 31'557'600.0,
      watch.seconds(), simulated / watch.seconds(), campaign.slowest_percent(),
      campaign.largest_record());
  return campaign.finding() ? 1 : 0;
}

int planted(const Options& options) {
  constexpr std::uint64_t kUsually = 60;
  const auto longest = static_cast<double>(options.seconds == 0 ? kUsually : options.seconds);
  std::printf("dex-lock-sim planted: seed=%llu, at most %.0f s each, %zu errors\n",
              static_cast<unsigned long long>(options.seed), longest, planted_errors().size());
  const Stopwatch whole;
  std::size_t missed = 0;
  for (const PlantedError& error : planted_errors()) {
    if (!options.plant.empty() && options.plant != error.name) {
      continue;
    }
    const Stopwatch watch;
    PlantTrial trial;
    for (std::uint64_t seed = options.seed; !trial.caught && watch.seconds() < longest; ++seed) {
      Options told = options;
      told.plant = error.name;
      note_seed(told, seed);
      try_plant(error.plant, seed, trial, options.limits.only_judge);
    }
    missed += trial.caught ? 0U : 1U;
    std::printf("%-28s %-8s %-12s %6llu seeds %7.2f s   %s\n", std::string(error.name).c_str(),
                trial.caught ? "caught" : "MISSED",
                trial.caught ? trial.caught->judge.c_str() : "-",
                static_cast<unsigned long long>(trial.seeds), watch.seconds(),
                std::string(error.what).c_str());
    std::fflush(stdout);
  }
  std::printf("verdict: %s; %zu planted errors, %zu missed, %.1f s\n",
              missed == 0 ? "all caught" : "MISSED", planted_errors().size(), missed,
              whole.seconds());
  return missed == 0 ? 0 : 1;
}

int check(const std::string& path) {
  const std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in.is_open() || text.bad()) {
    std::fprintf(stderr, "dex-lock-sim: cannot read %s\n", path.c_str());
    return 64;
  }
  const auto report = report_on_history(path, text.str());
  if (!report) {
    std::fprintf(stderr, "dex-lock-sim: %s\n", report.error().text.c_str());
    return 65;
  }
  std::printf("%s", report->text.c_str());
  return report->clean ? 0 : 1;
}

int list_cases() {
  for (const ExhaustCase& one : exhaust_cases()) {
    std::printf("%-24s %-6s %s\n", one.name.c_str(), one.set == CaseSet::ci ? "ci" : "large",
                one.what.c_str());
  }
  std::printf("planted errors (--plant), and the case that shows each:\n");
  for (const NamedMistake& mistake : named_mistakes()) {
    std::printf("%-24s %-18s %s\n", std::string(mistake.name).c_str(),
                std::string(mistake.in).c_str(), std::string(mistake.what).c_str());
  }
  return 0;
}

// True without a finding.
bool search_case(const Options& options, const ExhaustCase& one, Mistake mistake) {
  const std::string command = "dex-lock-sim exhaust --case " + one.name +
                              (options.plant.empty() ? "" : " --plant " + options.plant);
  std::snprintf(repeat_command, sizeof repeat_command, "repeat: %s\n", command.c_str());
  const Stopwatch watch;
  const auto space = one.make(mistake);
  const SearchReport report = search(*space, {});
  std::printf("%-24s %10llu states %11llu moves  depth %3llu  %-13s %7.1f s   %s\n",
              one.name.c_str(), static_cast<unsigned long long>(report.states),
              static_cast<unsigned long long>(report.transitions),
              static_cast<unsigned long long>(report.depth),
              !report.finding.empty() ? "FINDING"
              : report.exhausted      ? "exhausted"
                                      : "NOT EXHAUSTED",
              watch.seconds(), one.what.c_str());
  if (!report.finding.empty()) {
    std::printf("trace, %zu steps:\n", report.trace.size());
    for (std::size_t i = 0; i < report.trace.size(); ++i) {
      std::printf("%3zu  %s\n", i + 1, report.trace[i].c_str());
    }
    std::printf("finding: %s\nrepeat: %s\n", report.finding.c_str(), command.c_str());
  }
  std::fflush(stdout);
  return report.finding.empty() && report.exhausted;
}

int exhaust(Options options) {
  if (options.list) {
    return list_cases();
  }
  Mistake mistake = Mistake::none;
  if (!options.plant.empty()) {
    const NamedMistake* named = find_mistake(options.plant);
    if (named == nullptr) {
      std::fprintf(stderr, "dex-lock-sim: no planted error is called \"%s\"; see exhaust --list\n",
                   options.plant.c_str());
      return 64;
    }
    mistake = named->mistake;
    options.one_case = options.one_case.empty() ? std::string(named->in) : options.one_case;
  }
  if (!options.one_case.empty() && exhaust_case(options.one_case) == nullptr) {
    std::fprintf(stderr, "dex-lock-sim: no case is called \"%s\"; see exhaust --list\n",
                 options.one_case.c_str());
    return 64;
  }
  const Stopwatch watch;
  const CaseSet wanted = options.set == "ci" ? CaseSet::ci : CaseSet::large;
  std::size_t searched = 0;
  std::size_t bad = 0;
  for (const ExhaustCase& one : exhaust_cases()) {
    if (options.one_case.empty() ? one.set == wanted : one.name == options.one_case) {
      ++searched;
      bad += search_case(options, one, mistake) ? 0U : 1U;
    }
  }
  std::printf("verdict: %s; %zu of %zu cases exhausted without a finding, %.1f s\n",
              bad == 0 ? "no finding" : "FINDING or not exhausted", searched - bad, searched,
              watch.seconds());
  return bad == 0 ? 0 : 1;
}

int main_or_throw(int argc, char** argv) {
  Options options;
  CLI::App app{"Simulated clusters for the lock protocol"};
  app.require_subcommand(1);
  CLI::App* run_app = app.add_subcommand("run", "Run seeds with faults of all kinds");
  run_app->add_option("--seed", options.seed, "The first seed")->required();
  run_app->add_option("--count", options.count, "So many seeds");
  run_app->add_option("--seconds", options.seconds, "Seeds until so many seconds have passed");
  run_app
      ->add_option("--servers", options.servers,
                   "Servers; 0: drawn per seed; etcd: an etcd cluster instead")
      ->check(CLI::Range(0, 15) | CLI::IsMember({"etcd"}));
  run_app->add_option("--clients", options.limits.clients, "Clients; 0: drawn per seed")
      ->check(CLI::Range(0, 64));
  run_app->add_option("--trace", options.trace_lines, "Lines of trace shown of a finding");
  run_app->add_option("--plant", options.plant, "With this planted error");
  run_app->add_flag("--unbounded-clocks", options.limits.unbounded_clocks,
                    "Clocks beyond the bound: holds may overlap, tokens must still rise");
  run_app->add_flag("--forming", options.limits.only_forming,
                    "Only worlds in which groups of servers are formed");
  run_app->add_flag("--calm", options.limits.calm, "Without faults");
  CLI::App* planted_app = app.add_subcommand("planted", "Show that each planted error is caught");
  planted_app->add_option("--seed", options.seed, "The first seed");
  planted_app->add_option("--plant", options.plant, "Only this one");
  planted_app->add_option("--seconds", options.seconds, "At most so many for each; 60 if not said");
  for (CLI::App* each : {run_app, planted_app}) {
    each->add_option("--judge", options.limits.only_judge, "Hear this judge only");
  }
  std::string history;
  CLI::App* check_app =
      app.add_subcommand("check", "Is a recorded history of locks or registers linearizable?");
  check_app->add_option("FILE", history, "One operation a line")->required();
  CLI::App* exhaust_app = app.add_subcommand("exhaust", "Search small worlds completely");
  exhaust_app->add_option("--set", options.set, "Which cases: ci, or the large ones")
      ->check(CLI::IsMember({"ci", "large"}));
  exhaust_app->add_option("--case", options.one_case, "Only this case");
  exhaust_app->add_option("--plant", options.plant,
                          "With this planted error, in a case that shows it");
  exhaust_app->add_flag("--list", options.list, "Name the cases and the planted errors");
  CLI11_PARSE(app, argc, argv);
  if (check_app->parsed()) {
    return check(history);
  }
  options.limits.etcd = options.servers == "etcd";
  options.limits.servers = options.limits.etcd ? 0 : std::stoul(options.servers);
  if (exhaust_app->parsed()) {
    std::signal(SIGABRT, say_how_to_repeat);
    return exhaust(options);
  }
  if (!options.plant.empty()) {
    const auto plant = plant_named(options.plant);
    if (!plant) {
      std::fprintf(stderr,
                   "dex-lock-sim: no planted error is called \"%s\"; `planted` lists them\n",
                   options.plant.c_str());
      return 64;
    }
    options.limits.plant = *plant;
    if (options.limits.etcd && !fits_etcd(*plant)) {
      std::fprintf(stderr,
                   "dex-lock-sim: \"%s\" is an error of lock servers; leave out --servers etcd\n",
                   options.plant.c_str());
      return 64;
    }
  }
  std::signal(SIGABRT, say_how_to_repeat);
  return run_app->parsed() ? run(options) : planted(options);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return main_or_throw(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "dex-lock-sim: %s\n", error.what());
    return 70;
  }
}

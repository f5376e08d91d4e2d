#include "sim/history_report.hpp"

#include "sim/history.hpp"

namespace dexlock::sim {
namespace {

std::string state_text(const History& history, const RegisterState& state) {
  if (history.plain_register) {
    return "another value could stand there";
  }
  return std::string("the lock could be ") + (state.holder == 0 ? "free" : "held") +
         ", its last token " + std::to_string(state.value);
}

}  // namespace

Result<HistoryReport> report_on_history(const std::string& name, std::string_view text) {
  const auto histories = parse_histories(text);
  if (!histories) {
    return fail(histories.error().code, name + ": " + histories.error().text);
  }
  HistoryReport report;
  std::size_t operations = 0;
  std::size_t findings = 0;
  std::size_t gave_up = 0;
  for (const History& history : *histories) {
    operations += history.operations.size();
    const HistoryVerdict verdict = check_history({}, history.operations);
    if (verdict.linearizable == Linearizable::yes) {
      continue;
    }
    const bool wrong = verdict.linearizable == Linearizable::no;
    ++(wrong ? findings : gave_up);
    report.text += name + ':' + std::to_string(history.lines[verdict.culprit]) + ": " +
                   (wrong ? "no order of the operations explains this answer; before it "
                          : "too many orders to try; before it ") +
                   state_text(history, verdict.state) + '\n';
  }
  report.clean = findings + gave_up == 0;
  report.text += std::string("verdict: ") +
                 (findings != 0  ? "FINDING"
                  : gave_up != 0 ? "UNDECIDED"
                                 : "linearizable") +
                 "; " + std::to_string(operations) + " operations on " +
                 std::to_string(histories->size()) + " registers, " + std::to_string(gave_up) +
                 " gave up\n";
  return report;
}

}  // namespace dexlock::sim

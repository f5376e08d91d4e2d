#include "server/server_metrics.hpp"

#include <fmt/format.h>

#include "server/metrics_writer.hpp"

namespace dexlock {
namespace {

using Kind = MetricKind;

void write_requests(MetricsWriter& out, const ServerMetrics& metrics) {
  out.begin("requests_total", Kind::counter, "Requests answered, by verb and outcome.");
  for (const auto& [kind, count] : metrics.requests) {
    out.sample("", metric_labels({{"verb", kind.first}, {"outcome", kind.second}}), count);
  }
  out.counts("requests_refused_total", Kind::counter, "reason",
             "Requests refused before the store was asked.", metrics.requests_refused);
  out.single("requests_waiting", Kind::gauge, "Requests taken and not answered yet.",
             metrics.requests_waiting);
}

void write_store(MetricsWriter& out, const ServerMetrics& metrics) {
  out.single("healthy", Kind::gauge, "1 if the store answers and can commit, as GET /health.",
             metrics.healthy ? 1 : 0);
  out.histogram("commit_seconds", "Time of a commit that was synced.", metrics.commit_seconds);
  out.histogram("commit_changes", "Changes of records that shared a synced commit.",
                metrics.commit_changes);
  out.counts("commits_failed_total", Kind::counter, "reason", "Commits that failed.",
             metrics.commits_failed);
  out.single("records", Kind::gauge, "Records in the store: locks ever used.", metrics.records);
  out.single("locks_held", Kind::gauge, "Records with a holder.", metrics.held);
  out.single("tickets", Kind::gauge, "Waiters in line for all locks.", metrics.tickets);
  out.single("watches", Kind::gauge, "Waiters that are told of changes.", metrics.watches);
}

void write_connections(MetricsWriter& out, const ServerMetrics& metrics) {
  out.counts("connections", Kind::gauge, "transport", "Connections open now.", metrics.connections);
  out.counts("connections_total", Kind::counter, "transport", "Connections taken.",
             metrics.connections_taken);
  out.counts("connections_refused_total", Kind::counter, "reason", "Connections refused.",
             metrics.connections_refused);
  out.single("connections_failed_total", Kind::counter,
             "Connections that ended with an error after they had been taken.",
             metrics.connections_failed);
  out.single("connections_limit", Kind::gauge, "Connections there may be at once.",
             metrics.connections_limit);
  out.single("unsent_bytes", Kind::gauge, "Bytes of replies that clients have not read yet.",
             metrics.unsent_bytes);
}

}  // namespace

std::string metrics_text(const ServerMetrics& metrics) {
  MetricsWriter out;
  out.begin("build_info", Kind::gauge, "1, with the version of the server.");
  out.sample("", metric_labels({{"version", metrics.version}}), 1);
  out.single("start_time_seconds", Kind::gauge, "When the server was started, since 1970.",
             fmt::format("{:.3f}", metrics.started));
  write_requests(out, metrics);
  write_store(out, metrics);
  write_connections(out, metrics);
  return out.take();
}

}  // namespace dexlock

// Reads the record of one lock over the cluster, again and again until a majority has an answer.
//
// Threads: the event loop's.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "client/cluster.hpp"
#include "session/reading.hpp"

namespace dexlock {

class RecordReader {
 public:
  // Nothing: no majority has answered; it goes on trying.
  using Handler = std::function<void(const std::optional<Record>&)>;

  // Requires: the cluster's group is known.
  RecordReader(boost::asio::io_context& loop, Cluster& cluster, std::string name, Handler handler);
  ~RecordReader() { *alive_ = false; }
  RecordReader(const RecordReader&) = delete;
  RecordReader& operator=(const RecordReader&) = delete;

  // Reads once more; while a read is under way, after it.
  void read();

 private:
  void look();
  void carry_out(ReadingOutput output);
  void wait(std::chrono::milliseconds length, std::function<void()> then);

  Cluster& cluster_;
  std::string name_;
  Handler handler_;
  Reading reading_;
  boost::asio::steady_timer timer_;
  bool busy_ = false;
  bool again_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dexlock

// One client host in a forming world: processes, one at a time, each with a production Assembly
// over the host's list of servers, and the host's memory of the group that the list led to. Each
// process connects to all servers, carries out the steps that the assembly asks for, and once it
// has a group asks its voters for votes from time to time. One that finds the list unusable says so
// and ends; another is started later.
//
// Threads: none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "register/assembly.hpp"
#include "sim/forming_around.hpp"
#include "sim/forming_server.hpp"

namespace dexlock::sim {

class FormingClient {
 public:
  // `list`: its servers; the clients' order of them differs.
  FormingClient(std::size_t index, std::vector<FormingServer*> list, FormingAround& around);

  void start();
  void kill();
  void heal();

  [[nodiscard]] const std::vector<FormingServer*>& list() const { return list_; }
  [[nodiscard]] const std::optional<std::string>& remembered() const { return remembered_; }

  // Since everything healed: a majority of the group voted for it; a process that began since then
  // said that its list must not be used. And: the present process has something to report.
  [[nodiscard]] bool served() const { return served_; }
  [[nodiscard]] bool refused() const { return refused_; }
  [[nodiscard]] bool reported() const { return assembly_ && !assembly_->problems().empty(); }
  [[nodiscard]] std::string describe() const;

 private:
  struct Seat {
    std::uint64_t connection = 0;  // the number of the present one
    bool connected = false;
    std::string incarnation;  // as greeted
  };

  void end_process();
  void connect(std::size_t seat);
  void ask(std::size_t seat, FormingRequest request);
  void hear(std::size_t seat, const FormingRequest& request, const FormingReply& reply);
  void lose(std::size_t seat, const std::string& why);
  void take_steps(const std::vector<GroupStep>& steps);
  void check();
  void poll(std::uint64_t process);
  void ask_for_votes();
  [[nodiscard]] Nanoseconds delay();
  [[nodiscard]] bool lost();
  void note(const std::string& text);

  std::size_t index_;
  std::vector<FormingServer*> list_;
  FormingAround& around_;
  std::string name_;
  std::uint64_t process_ = 0;
  bool began_healed_ = false;
  std::optional<std::string> remembered_;
  std::unique_ptr<Assembly> assembly_;
  std::vector<Seat> seats_;
  std::uint64_t connections_ = 0;
  std::uint64_t asked_ = 0;
  std::set<std::uint64_t> unanswered_;  // requests
  std::set<std::size_t> votes_;         // seats that voted for this process since it all healed
  bool served_ = false;
  bool refused_ = false;
};

}  // namespace dexlock::sim

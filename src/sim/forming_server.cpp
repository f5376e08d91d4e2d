#include "sim/forming_server.hpp"

namespace dexlock::sim {
namespace {

constexpr std::uint64_t kIncarnations = 1'000'000'000'000;

}  // namespace

FormingServer::FormingServer(std::size_t index, FormingAround& around)
    : index_(index), around_(around) {
  store_.incarnation = "i" + std::to_string(around.random.below(kIncarnations));
  around_.judge.on_store(index_, store_.incarnation);
}

void FormingServer::wipe() {
  around_.counts.add(Seen::stores_wiped);
  around_.note("s" + std::to_string(index_), "is wiped");
  if (!around_.planted(Plant::wiped_member_votes)) {
    store_ = ServerIdentity{};
    store_.incarnation = "i" + std::to_string(around_.random.below(kIncarnations));
  }
  around_.judge.on_store(index_, store_.incarnation);
}

std::optional<FormingReply> FormingServer::serve(const FormingRequest& request) {
  if (!up_) {
    return std::nullopt;
  }
  const bool crashes = !around_.healed && happens(around_.random, around_.mix.crash_in_write);
  if (crashes) {
    around_.counts.add(Seen::machine_crashes);
    around_.note("s" + std::to_string(index_), "crashes in the middle of a request");
    if (happens(around_.random, 500'000)) {
      static_cast<void>(carry_out(request));
    }
    up_ = false;
    around_.after(between(around_.random, Nanoseconds(1), around_.mix.down_max),
                  [this] { up_ = true; });
    return std::nullopt;
  }
  FormingReply reply;
  reply.done = carry_out(request);
  reply.identity = identity();
  return reply;
}

ServerIdentity FormingServer::identity() const {
  ServerIdentity told = store_;
  if (around_.planted(Plant::vote_while_proposed) && told.proposed) {
    told.active = told.proposed->id;
  }
  return told;
}

bool FormingServer::carry_out(const FormingRequest& request) {
  const bool meant =
      request.incarnation == store_.incarnation || around_.planted(Plant::incarnation_ignored);
  switch (request.kind) {
    case FormingRequest::Kind::greet:
      return true;
    case FormingRequest::Kind::propose:
      return meant && propose(request.group);
    case FormingRequest::Kind::activate:
      return meant && activate(request.group);
    case FormingRequest::Kind::vote:
      return meant && vote(request.group);
  }
  return false;
}

bool FormingServer::propose(const Group& group) {
  if (!store_.proposed || around_.planted(Plant::proposal_replaced)) {
    store_.proposed = group;
    around_.judge.on_proposal(index_, group, around_.now());
  }
  return true;  // the answer tells what stands
}

bool FormingServer::activate(const Group& group) {
  if (store_.proposed != group) {
    return false;
  }
  if (!store_.active) {
    store_.active = group.id;
    around_.judge.on_active(index_, group, around_.now());
  }
  return true;
}

bool FormingServer::vote(const Group& group) {
  if (identity().active != group.id) {
    return false;
  }
  around_.counts.add(Seen::forming_votes);
  around_.judge.on_vote(index_, group.id, around_.now());
  return true;
}

}  // namespace dexlock::sim

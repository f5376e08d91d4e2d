#include "client/local_link.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "client/quiet_thread.hpp"
#include "store/embedded_acceptor.hpp"

namespace dexlock {
namespace {

// What the loop asks the store's thread to do; it returns what is to be done back on the loop.
using Answering = std::function<void()>;
using Task = std::function<Answering()>;

// The mailbox between the two threads; outlives both.
struct Mailbox {
  std::mutex mutex;
  std::condition_variable filled;
  std::deque<Task> tasks;
  bool closed = false;
  boost::asio::io_context* loop = nullptr;

  void put(Task task) {
    const std::scoped_lock lock(mutex);
    tasks.push_back(std::move(task));
    filled.notify_one();
  }

  void close() {
    const std::scoped_lock lock(mutex);
    closed = true;
    tasks.clear();
    filled.notify_one();
  }

  // Hands `answering` to the loop unless the link has been closed: then the loop may be gone.
  void answer(Answering answering) {
    const std::scoped_lock lock(mutex);
    if (!closed) {
      boost::asio::post(*loop, std::move(answering));
    }
  }
};

void serve(const std::shared_ptr<Mailbox>& mailbox) {
  while (true) {
    Task task;
    {
      std::unique_lock lock(mailbox->mutex);
      mailbox->filled.wait(lock, [&] { return mailbox->closed || !mailbox->tasks.empty(); });
      if (mailbox->closed) {
        return;
      }
      task = std::move(mailbox->tasks.front());
      mailbox->tasks.pop_front();
    }
    mailbox->answer(task());
  }
}

class LocalLink final : public Link {
 public:
  LocalLink(boost::asio::io_context& loop, LocalLinkOptions options, Handlers handlers)
      : loop_(loop), options_(std::move(options)), handlers_(std::move(handlers)) {}
  ~LocalLink() override { close(); }

  void open() override {
    close();
    mailbox_ = std::make_shared<Mailbox>();
    mailbox_->loop = &loop_;
    alive_ = std::make_shared<bool>(true);
    // Detached: it may be stuck in a disk that does not answer, and nobody waits for that.
    start_quiet_thread([mailbox = mailbox_] { serve(mailbox); }).detach();
    acceptor_ = std::make_shared<std::unique_ptr<EmbeddedAcceptor>>();
    run([this, acceptor = acceptor_, options = options_]() -> Answering {
      auto greeting = greet(*acceptor, options);
      return [this, greeting = std::move(greeting)] {
        if (greeting) {
          handlers_.on_greeting(*greeting);
        } else {
          handlers_.on_down(greeting.error());
        }
      };
    });
  }

  void close() override {
    if (mailbox_) {
      mailbox_->close();
      *alive_ = false;
      mailbox_.reset();
      acceptor_.reset();
    }
  }

  void request(const Where& where, const std::string& name, Request request,
               ReplyHandler handler) override {
    run([acceptor = acceptor_, where, name, request = std::move(request),
         handler = std::move(handler), shown = options_.shown]() -> Answering {
      Reply reply = (*acceptor)->serve(where, name, request);
      if (auto* fault = std::get_if<Fault>(&reply)) {
        fault->text = shown + ": " + fault->text;
      }
      return [handler, reply = std::move(reply)] { handler(reply); };
    });
  }

  void change_group(const GroupStep& step, GroupHandler handler) override {
    run([acceptor = acceptor_, step, handler = std::move(handler)]() -> Answering {
      auto stands = (*acceptor)->change_group(step);
      return [handler, stands = std::move(stands)] { handler(stands); };
    });
  }

  void ask(const Question& question, ToldHandler handler) override {
    run([acceptor = acceptor_, question, handler = std::move(handler),
         shown = options_.shown]() -> Answering {
      Told told =
          std::visit([&](const auto& asked) { return answer(**acceptor, asked); }, question);
      if (auto* fault = std::get_if<Fault>(&told)) {
        fault->text = shown + ": " + fault->text;
      }
      return [handler, told = std::move(told)] { handler(told); };
    });
  }

 private:
  static Told failed(const Error& error) { return Fault{FaultKind::corrupt, error.text}; }

  static Told answer(EmbeddedAcceptor& acceptor, const Ping&) {
    const auto identity = acceptor.identity();
    return identity ? Told(Pong{}) : failed(identity.error());
  }
  static Told answer(EmbeddedAcceptor& acceptor, const ListKeys& asked) {
    auto names = acceptor.names(asked.where);
    return names ? Told(Keys{std::move(*names), false}) : failed(names.error());
  }
  static Told answer(EmbeddedAcceptor& acceptor, const ListHolds& asked) {
    auto holds = acceptor.holds(asked.where, asked.key);
    return holds ? Told(PastHolds{std::move(*holds)}) : failed(holds.error());
  }
  static Told answer(EmbeddedAcceptor& acceptor, const AskFacts&) { return acceptor.facts(); }
  static Told answer(EmbeddedAcceptor&, const AskEndpoints&) {
    return Fault{FaultKind::refused, "this server cannot tell"};
  }
  static Told answer(EmbeddedAcceptor& acceptor, const TryCommit&) {
    const auto begun = std::chrono::steady_clock::now();
    const auto done = acceptor.try_commit();
    return done ? Told(CommitTook{std::chrono::steady_clock::now() - begun}) : failed(done.error());
  }

  static Result<LinkGreeting> greet(std::unique_ptr<EmbeddedAcceptor>& acceptor,
                                    const LocalLinkOptions& options) {
    auto store = EmbeddedStore::open({.path = options.path, .lock_wait = options.lock_wait});
    if (!store) {
      return fail(store.error().code, options.shown + ": " + store.error().text);
    }
    acceptor = std::make_unique<EmbeddedAcceptor>(*store, options.sole);
    auto identity = acceptor->identity();
    if (!identity) {
      return fail(identity.error().code, options.shown + ": " + identity.error().text);
    }
    return LinkGreeting{.identity = *identity,
                        .format = "lmdb",
                        .sync = "commit",
                        .boot = (*store)->boot(),
                        .directory = options.path.string()};
  }

  // Runs `task` on the store's thread, and what it returns on the loop if this link is still open
  // then.
  void run(Task task) {
    if (!mailbox_) {
      return;
    }
    mailbox_->put([task = std::move(task), alive = alive_]() -> Answering {
      Answering answering = task();
      return [alive, answering = std::move(answering)] {
        if (*alive) {
          answering();
        }
      };
    });
  }

  boost::asio::io_context& loop_;
  LocalLinkOptions options_;
  Handlers handlers_;
  std::shared_ptr<Mailbox> mailbox_;
  std::shared_ptr<bool> alive_;  // touched on the loop only
  std::shared_ptr<std::unique_ptr<EmbeddedAcceptor>>
      acceptor_;  // touched by the store's thread only
};

}  // namespace

std::unique_ptr<Link> make_local_link(boost::asio::io_context& loop, LocalLinkOptions options,
                                      Link::Handlers handlers) {
  return std::make_unique<LocalLink>(loop, std::move(options), std::move(handlers));
}

}  // namespace dexlock

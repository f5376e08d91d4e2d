#include "sim/exhaust_files.hpp"

#include <utility>
#include <vector>

#include "lock/fields.hpp"
#include "lock/invariant.hpp"
#include "store/shell_acceptor.hpp"

namespace dexlock::sim {
namespace {

constexpr std::string_view kLock = "lock";

// One request at a time, so that a pointer needs no version to be told from the next.
std::string pointer_text(const FilesStore::Pointer& pointer) { return "1.c." + pointer.beats; }

std::string shown_text(const FilesStore& store) {
  if (!store.shown) {
    return "-";
  }
  return "= " + pointer_text(*store.shown) + ' ' + std::string(kLock) + ' ' + store.shown->content;
}

class Program {
 public:
  Program(FilesStore& store, bool cut, Mistake mistake)
      : store_(store), cut_(cut), mistake_(mistake) {}

  // Nothing: cut off.
  std::optional<std::string> answer(std::string_view line) {
    const auto parts = split_fields(line, ' ', 8);
    INVARIANT(parts && parts->size() >= 3);
    const std::string_view verb = (*parts)[0];
    if (verb == "G") {
      return shown_text(store_);
    }
    if (verb == "D") {
      if (mistake_ != Mistake::evidence_counted) {
        store_.synced = store_.shown;
      }
      return shown_text(store_);
    }
    INVARIANT(verb == "C" && parts->size() == 8);
    const std::string now = store_.shown ? pointer_text(*store_.shown) : "-";
    if ((*parts)[3] != now) {
      return shown_text(store_);
    }
    store_.shown = FilesStore::Pointer{std::string((*parts)[5]), std::string((*parts)[7])};
    if (cut_) {
      return std::nullopt;
    }
    store_.synced = store_.shown;
    return "ok " + pointer_text(*store_.shown);
  }

 private:
  FilesStore& store_;
  bool cut_;
  Mistake mistake_;
};

}  // namespace

FilesServed serve_files(FilesStore store, const Request& request, const BootId& boot, bool cut,
                        Mistake mistake) {
  ShellAcceptor acceptor({.where = {"g", "s", Epoch{1}},
                          .name = std::string(kLock),
                          .key = std::string(kLock),
                          .boot = boot,
                          .writer = "w",
                          .server = "server"});
  Program program(store, cut, mistake);
  ShellAcceptor::Output output = acceptor.start(request);
  while (output.line) {
    const auto result = program.answer(*output.line);
    if (!result) {
      return {std::move(store), std::nullopt};
    }
    output = acceptor.on_result(*result);
  }
  INVARIANT(output.reply && std::holds_alternative<Answer>(*output.reply));
  return {std::move(store), std::get<Answer>(*output.reply)};
}

std::string files_key(const FilesStore& store) {
  const auto text = [](const std::optional<FilesStore::Pointer>& pointer) {
    return pointer ? pointer->beats + ' ' + pointer->content : "-";
  };
  return text(store.shown) + '/' + text(store.synced);
}

}  // namespace dexlock::sim

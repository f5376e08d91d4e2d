// The store of a server on which nothing is installed, as far as power cuts see it: a rename shows
// at once and is lost in a cut until its directory is synced. The production acceptor for such
// servers runs over it, over a new connection for each request.
//
// Threads: none.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "register/acceptor.hpp"
#include "sim/exhaust_plant.hpp"

namespace dexlock::sim {

struct FilesStore {
  struct Pointer {
    std::string beats;
    std::string content;
    friend bool operator==(const Pointer&, const Pointer&) = default;
  };
  std::optional<Pointer> shown;   // what a reader finds; nothing: no such lock
  std::optional<Pointer> synced;  // what a power cut leaves
};

struct FilesServed {
  FilesStore store;
  std::optional<Answer> answer;  // nothing: the connection ended between rename and sync
};

// `cut`: the connection ends before the first sync of a rename.
[[nodiscard]] FilesServed serve_files(FilesStore store, const Request& request, const BootId& boot,
                                      bool cut, Mistake mistake);

[[nodiscard]] std::string files_key(const FilesStore& store);

}  // namespace dexlock::sim

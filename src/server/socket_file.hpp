// The name of a unix socket in the file system, and the right to it: of several servers that start
// at once one gets it. The right is a lock on PATH.lock, which stays behind, empty.
//
// Threads: one.
#pragma once

#include <string>

#include "dexlock/error.hpp"

namespace dexlock {

class SocketFile {
 public:
  // Removes a socket that a killed server has left. Errors: another server has the name, or
  // something else, or the directory cannot be written.
  static Result<SocketFile> claim(std::string path);
  SocketFile(SocketFile&& other) noexcept;
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;
  SocketFile& operator=(SocketFile&&) = delete;
  ~SocketFile();  // removes the socket

 private:
  SocketFile(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::string path_;
  int lock_;
};

}  // namespace dexlock
